"""Files as C arrays: embed.py OUT.c NAME=FILE[,FILE] ... makes `const unsigned char NAME[]` and `const size_t NAME_size` of each, or of
several one behind the other."""
import pathlib
import sys


def array(name, data):
    lines = [", ".join(str(byte) for byte in data[at:at + 24]) for at in range(0, len(data), 24)]
    return (f"const unsigned char {name}[] = {{\n\t" + ",\n\t".join(lines) + "\n};\n"
            f"const size_t {name}_size = sizeof {name};\n")


def main(out, *files):
    pairs = [file.split("=", 1) for file in files]
    text = '#include "web/page.h"\n\n' + "\n".join(array(name, b"".join(pathlib.Path(path).read_bytes() for path in paths.split(","))) for name, paths in pairs)
    pathlib.Path(out).write_text(text, encoding="ascii")


main(*sys.argv[1:])
