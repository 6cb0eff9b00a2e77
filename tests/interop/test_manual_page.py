"""The manual in a real browser: no page of any kind is wider than a phone, and both lights have their colours."""
import pathlib
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "e2e"), str(pathlib.Path(__file__).resolve().parents[2] / "tools")]
import make_manual  # noqa: E402
from browser import Browser  # noqa: E402
from test_manual import pages  # noqa: E402,F401


# One of each kind, and the widest.
PAGES = ("index", "start", "concepts", "postfix", "postroad-verify.8", "postroad.conf.5", "SECURITY")


@pytest.fixture
def phone():
    made = Browser(width=390, height=800)
    yield made
    made.close()


def test_a_phone_shows_the_pages(pages, phone, tmp_path):  # noqa: F811
    folder = tmp_path / "html"
    make_manual.make(pages, folder)
    for path in (folder / f"{name}.html" for name in PAGES):
        phone.open(path.as_uri())
        assert phone.run("return document.documentElement.scrollWidth") <= 390, path.name
        assert phone.run("return [document.styleSheets.length, document.scripts.length]") == [1, 0], path.name
    assert phone.complaints() == []
    # Ink on paper in both lights.
    lights = []
    for dark in (False, True):
        phone.size(390, 800, dark)
        lights.append(phone.run("const style = getComputedStyle(document.body); return [style.color, style.backgroundColor]"))
    assert lights[0] != lights[1] and all(ink != paper for ink, paper in lights)
