"""No mutable globals: nothing of ours may lie in .data or .bss.

Reads the objects of our static libraries and of the program with nm. Data that is constant but holds
addresses lies in .data.rel.ro, which nm shows as D too; so the section is asked for, not the letter."""
import os
import pathlib
import re
import subprocess

import pytest

from source import ROOT

BUILD = pathlib.Path(os.environ.get("POSTROAD_PLAIN_BUILD", ROOT / "build"))

# Symbols that must be written, each with its reason.
ALLOWED = {
    "confine_told": "a handler of signals has no context",
}


def mutable_symbols(path):
    """Symbols of an object or archive in a section that is writable when the program runs."""
    output = subprocess.run(["objdump", "-t", path], check=True, capture_output=True, text=True).stdout
    found = []
    for line in output.splitlines():
        match = re.match(r"[0-9a-f]+ (.{7}) (\S+)\s+([0-9a-f]+) (?:\.hidden )?(\S+)$", line)
        if not match or "O" not in match.group(1) or int(match.group(3), 16) == 0:
            continue
        section = match.group(2)
        if re.fullmatch(r"\.(?:data|bss|tdata|tbss)(?:\..*)?|\*COM\*", section) and not section.startswith(".data.rel.ro"):
            found.append(f"{match.group(4)} in {section}")
    return found


def archives():
    ours = [path for path in BUILD.glob("src/*/lib*.a") if not path.name.endswith("_test.a")]  # Tests may have what they want.
    return sorted(ours) + sorted(BUILD.glob("src/programs/postroad.p/*.o"))


def test_a_mutable_global_would_be_seen(tmp_path):
    source = tmp_path / "a.c"
    source.write_text("int grows; static int starts = 1; static const char *const fixed[] = {\"a\"};\n"
                      "int next(void) { static int count; return ++count + starts++ + fixed[0][0]; }\n")
    subprocess.run(["cc", "-O0", "-fPIC", "-c", source, "-o", tmp_path / "a.o"], check=True)
    names = " ".join(mutable_symbols(tmp_path / "a.o"))
    assert "grows" in names and "starts" in names and "count" in names and "fixed" not in names


def test_there_is_something_to_read():
    assert len(archives()) > 10, f"no libraries under {BUILD}: build first"


@pytest.mark.parametrize("path", archives(), ids=lambda path: path.name)
def test_no_mutable_global(path):
    found = [symbol for symbol in mutable_symbols(path) if symbol.split(" ")[0] not in ALLOWED]
    assert not found, f"{path.name}: {', '.join(found)}"
