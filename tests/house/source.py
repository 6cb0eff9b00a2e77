"""What the house tests read: the tree as text, with the parts that are no code blanked out."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
SRC = ROOT / "src"

_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def _blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def files(*patterns):
    return sorted(path for pattern in patterns for path in SRC.rglob(pattern))


def name(path):
    return str(path.relative_to(ROOT))


def read(path):
    return path.read_text(encoding="utf-8")


def code(path):
    """The file with comments, strings and character constants blanked; lines stay where they are."""
    return _TOKEN.sub(_blank, read(path))


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def is_test(path):
    """Test programs and what they share are held to the layers, not to the rules for state."""
    return path.stem.endswith("_test") or path.stem.startswith("test_")
