"""The parts of STYLE.md that a machine can judge."""
import re

import pytest

from source import ROOT, code, files, is_test, line_of, name, read

BANNED = ("strcpy strcat strncpy strncat stpcpy sprintf vsprintf gets strtok atoi atol atoll alloca mktemp tmpnam "
          "system popen setjmp longjmp").split()
LINES_MAX, HEADER_LINES_MAX = 800, 300
SCREEN_MAX = 80  # Lines of a function; the aim is half of it.
# Words of a lifecycle, and of a value, that STYLE.md explains once for all modules.
UNDERSTOOD = re.compile(r"\w+_(?:free|freep|ref|unref|done|init|clear|equal)\b")
LEFTOVERS = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def banned_calls(text):
    return [f"{line_of(text, match.start())}: {match.group(1)}"
            for match in re.finditer(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(", text)]


def undocumented(text):
    """Prototypes at the left margin that no comment speaks for.

    One comment may speak for a few prototypes that follow each other without an empty line."""
    found, documented, inside_type = [], False, 0
    lines = text.split("\n")
    statement = ""
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if not statement and inside_type == 0:
            if not stripped:
                documented = False
                continue
            if stripped.startswith(("/*", "*")) or stripped.endswith("*/") and "(" not in stripped.split("/*")[0]:
                documented = True
                continue
            if stripped.startswith("#"):
                continue
        statement += " " + re.sub(r"/\*.*?\*/", "", stripped)
        inside_type += stripped.count("{") - stripped.count("}")
        if inside_type > 0 or not re.search(r"[;}]\s*$", re.sub(r"/\*.*", "", stripped)):
            continue
        is_prototype = re.search(r"\w\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*(?:\[\[.*\]\]|__attribute__.*)?;$", statement.strip()) \
            and not re.match(r"\s*(?:typedef|struct \w+ \{|enum|static|_Static_assert)", statement) and "{" not in statement
        if is_prototype and not documented and "/*" not in stripped and not UNDERSTOOD.search(statement.split("(")[0]):
            found.append(f"{number}: {statement.strip()}")
        statement = ""
    return found


def long_functions(text):
    """Bodies from a `{` to a `}` at the left margin."""
    start, found = None, []
    for number, line in enumerate(text.split("\n"), 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            if number - start - 1 > SCREEN_MAX:
                found.append(f"{start}: a function of {number - start - 1} lines")
            start = None
    return found


def public_headers():
    """Those that another folder includes, and those nobody includes yet."""
    included = {(path.parent.name, target) for path in files("*.c", "*.h")
                for target in re.findall(r'^#include "([^"]+)"', read(path), re.M)}
    own = {target for folder, target in included if target.startswith(folder + "/")}
    others = {target for folder, target in included if not target.startswith(folder + "/")}
    return [path for path in files("*.h") if not is_test(path)
            and ((target := f"{path.parent.name}/{path.name}") in others or target not in own)]


def test_the_rules_can_be_broken():
    assert banned_calls("x = strcpy(a, b);\n y.gets(1); vsnprintf(z);") == ["1: strcpy"]
    assert undocumented("int naked(void);\n\n/* Does. */\nint one(void);\nint two(void);\n\nstruct a {\n\tint b;\n};\n") \
        == ["1: int naked(void);"]
    assert long_functions("int f(void)\n{\n" + "\tx();\n" * 81 + "}\n")
    assert LEFTOVERS.search("/* FIXME later */")


@pytest.mark.parametrize("path", files("*.c", "*.h"), ids=name)
def test_no_banned_call(path):
    # cmocka wants its setjmp.h; nobody calls it.
    found = banned_calls(code(path))
    assert not found, "\n".join(f"{name(path)}:{line}" for line in found)


@pytest.mark.parametrize("path", files("*.c", "*.h", "*.def", "meson.build"), ids=name)
def test_nothing_is_left_for_later(path):
    text = read(path)
    found = [line_of(text, match.start()) for match in LEFTOVERS.finditer(text)]
    assert not found, f"{name(path)}: lines {found}"


@pytest.mark.parametrize("path", files("*.c", "*.h"), ids=name)
def test_sizes(path):
    lines = read(path).split("\n")
    limit = HEADER_LINES_MAX if path.suffix == ".h" else LINES_MAX
    assert len(lines) <= limit, f"{name(path)} has {len(lines)} lines"
    assert not long_functions("\n".join(lines)), f"{name(path)}: {long_functions(chr(10).join(lines))}"


@pytest.mark.parametrize("path", files("*.c", "*.h", "*.def", "meson.build"), ids=name)
def test_bytes(path):
    text = read(path)
    assert "\r" not in text
    assert text.endswith("\n") and not text.endswith("\n\n"), f"{name(path)}: one newline at the end"
    blanks = [number for number, line in enumerate(text.split("\n"), 1) if line != line.rstrip()]
    assert not blanks, f"{name(path)}: blanks at the end of lines {blanks}"


@pytest.mark.parametrize("path", files("*.h"), ids=name)
def test_include_guards_follow_the_path(path):
    folder, stem = path.parent.name.upper(), path.stem.upper()
    guard = f"(?:{folder}_)?{stem}_H" if stem.startswith(folder + "_") else f"{folder}_{stem}_H"
    text = code(path)
    assert re.search(rf"^#ifndef ({guard})\n#define \1$", text, re.M), f"{name(path)}: guard {guard}"
    assert text.rstrip().endswith("#endif")


@pytest.mark.parametrize("path", files("*.h"), ids=name)
def test_headers_open_with_what_they_are_for(path):
    assert read(path).startswith("/* "), name(path)


@pytest.mark.parametrize("path", public_headers(), ids=name)
def test_public_prototypes_are_documented(path):
    found = undocumented(read(path))
    assert not found, "\n".join(f"{name(path)}:{line}" for line in found)


@pytest.mark.parametrize("path", [path for path in files("*_test.c")], ids=name)
def test_tests_do_not_wait_for_the_clock(path):
    assert is_test(path)
    found = re.findall(r"\b(?:sleep|usleep|nanosleep)\s*\(", code(path))
    assert not found, f"{name(path)}: {found}"
