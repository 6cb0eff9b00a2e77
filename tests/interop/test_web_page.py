"""The page in a real browser: sees a queue fill and drain, has buttons that act, and tells the life of a message."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from browser import Browser  # noqa: E402
from conftest import postroad, until  # noqa: E402,F401
from test_web import serving, submit  # noqa: E402,F401

ENTER = "\ue007"


@pytest.fixture
def browser():
    made = Browser()
    yield made
    made.close()


def shows(browser, selector, words):
    until(lambda: words in browser.text(selector), f"{words!r} in {selector}: {browser.text(selector)!r}")


@pytest.fixture
def server(serving):  # noqa: F811
    return serving(zone={"slow.test": "TIMEOUT", "late.test": "TIMEOUT"}, retry=("1h",))


def test_a_queue_fills_and_drains(server, browser):
    browser.open(f"http://127.0.0.1:{server.web.port}/")
    shows(browser, "#waits", "Nothing waits.")
    shows(browser, "#verdict", "Mail is flowing")
    submit(server, "a@slow.test")
    submit(server, "b@late.test")
    shows(browser, "#waits", "slow.test")
    shows(browser, "#waits", "the DNS does not answer")
    shows(browser, "#verdict", "2 waiting")
    deferred = server.ask("stats")["counters"]["deferred"]
    browser.click('[aria-label="Retry slow.test"]')
    shows(browser, "#toast", "Retry slow.test: 1 recipient")
    until(lambda: server.ask("stats")["counters"]["deferred"] > deferred, "the attempt")
    browser.click('[aria-label="Hold late.test"]')
    shows(browser, "#toast", "Hold late.test: 1 recipient")
    until(lambda: [one["state"] for message in server.queue() for one in message["recipients"]] == ["waiting", "held"], "the hold")
    # What cannot be undone wants to be pressed twice.
    browser.click('[aria-label="Bounce slow.test"]')
    assert len(server.queue()) == 2
    browser.click('[aria-label="Bounce slow.test"]')
    shows(browser, "#toast", "Bounce slow.test: 1 recipient")
    until(lambda: "slow.test" not in browser.text("#waits"), "it to leave the page")
    assert browser.complaints() == []


def test_a_life_is_found_by_keyboard(server, browser):
    browser.open(f"http://127.0.0.1:{server.web.port}/")
    submit(server, "alice@example.org")
    server.mail("alice")
    shows(browser, "#tiles", "In")
    browser.keys("/alice@example.org" + ENTER)
    shows(browser, "#found-list", "received")
    shows(browser, "#found-list", "delivered")
    assert browser.run("return document.activeElement.id") == "about"


def test_words_of_strangers_are_words(server, browser):
    browser.open(f"http://127.0.0.1:{server.web.port}/")
    server.web.json("POST", "/v1/queue/retry", {"all": True})
    with server.smtp() as client:
        client.sendmail("a@client.test", ['"<img/src=x/onerror=document.title=1>"@slow.test'], "Subject: x\r\n\r\nx\r\n")
    shows(browser, "#queue", "<img/src=x")
    assert browser.run("return document.querySelectorAll('main img').length") == 0
    assert "waiting" in browser.run("return document.title")
    assert browser.complaints() == []


@pytest.mark.parametrize("width", [1280, 800, 390, 320])
def test_it_fits_every_screen(server, browser, width):
    submit(server, "somebody.with.a.rather.long.name.that.goes.on.and.on@slow.test")
    browser.size(width, 800)
    browser.open(f"http://127.0.0.1:{server.web.port}/")
    shows(browser, "#waits", "slow.test")
    assert browser.run("return document.documentElement.scrollWidth") <= width


def test_a_token_is_asked_for(serving, browser):  # noqa: F811
    server = serving({"viewer": "read"})
    browser.open(f"http://127.0.0.1:{server.web.port}/")
    until(lambda: browser.run("return document.getElementById('token-dialog').open"), "the question")
    browser.keys("viewer" + ENTER)
    shows(browser, "#verdict", "Mail is flowing")
    assert browser.run("return document.cookie + localStorage.length") == "0"
