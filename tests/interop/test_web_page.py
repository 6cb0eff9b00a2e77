"""The page in a real browser: sees a queue fill and drain, has buttons that act, and tells the life of a message."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from browser import Browser  # noqa: E402
from certificates import Authority  # noqa: E402
from conftest import free_port, postroad, remote, until  # noqa: E402,F401
from test_web import serving, submit  # noqa: E402,F401

TAB, ENTER, ESCAPE = "\ue004", "\ue007", "\ue00c"
LONG = "a-domain-with-a-long-name." * 5 + "test"


@pytest.fixture
def browser():
    made = Browser()
    yield made
    made.close()


def shows(browser, selector, words):
    until(lambda: words in browser.text(selector), f"{words!r} in {selector}: {browser.text(selector)!r}")


@pytest.fixture
def server(serving):  # noqa: F811
    return serving(zone={name: "TIMEOUT" for name in ("slow.test", "late.test", LONG)}, retry=("1h",))


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
    # What cannot be undone is asked for first.
    browser.click('[aria-label="Bounce slow.test"]')
    shows(browser, "#sure-title", "Bounce slow.test?")
    browser.click("#sure-not")
    assert not browser.run("return document.getElementById('sure-dialog').open") and len(server.queue()) == 2
    browser.click('[aria-label="Bounce slow.test"]')
    browser.click("#sure-go")
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


def focused(browser):
    """What has the focus, as whoever cannot see it is told."""
    return browser.run("const e = document.activeElement; return e.getAttribute('aria-label') ?? (e.innerText || e.id)")


def tab_to(browser, name):
    for _ in range(50):
        if focused(browser) == name:
            return
        browser.keys(TAB)
    raise AssertionError(f"Tab does not lead to {name!r}")


def test_every_button_is_reached_and_pressed_by_keyboard(server, browser):
    submit(server, "a@slow.test")
    until(lambda: server.ask("stats")["counters"]["deferred"] == 1, "the first attempt")
    browser.open(f"http://127.0.0.1:{server.web.port}/")
    shows(browser, "#waits", "slow.test")
    seen = []
    browser.keys("/")
    while focused(browser) not in seen and len(seen) < 50:
        seen.append(focused(browser))
        browser.keys(TAB)
    id_ = server.queue()[0]["id"]
    assert {f"{what} {about}" for what in ("Retry", "Hold", "Bounce") for about in ("slow.test", id_)} | {"Pause slow.test", "slow.test", id_} <= set(seen)
    tab_to(browser, "Retry slow.test")
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.run("document.activeElement.mark = 'the same'")
    age = browser.text("#waits .why")
    browser.keys(ENTER)
    until(lambda: server.ask("stats")["counters"]["deferred"] == 2, "the attempt")
    shows(browser, "#toast", "Retry slow.test: 1 recipient")
    until(lambda: browser.text("#waits .why") != age, "the page to be drawn anew")
    assert browser.run("return document.activeElement.mark") == "the same" and focused(browser) == "Retry slow.test"
    # A question is closed by Escape, and the focus is where it was.
    tab_to(browser, "Bounce slow.test")
    browser.keys(ENTER)
    shows(browser, "#sure-title", "Bounce slow.test?")
    assert focused(browser) == "Cancel"
    browser.keys(ESCAPE)
    until(lambda: focused(browser) == "Bounce slow.test", "the focus to return")
    assert not browser.run("return document.getElementById('sure-dialog').open") and len(server.queue()) == 1
    browser.keys(ENTER + TAB)
    assert focused(browser) == "Bounce"
    browser.keys(ENTER)
    until(lambda: len(server.queue()) == 0, "the bounce")
    until(lambda: focused(browser) == "What waits, and why", "the focus to go to the title, when its button has gone")
    assert browser.complaints() == []


def test_the_messages_of_one_domain(server, browser):
    submit(server, "a@slow.test")
    submit(server, "b@late.test")
    browser.open(f"http://127.0.0.1:{server.web.port}/")
    shows(browser, "#waits", "late.test")
    tab_to(browser, "late.test")
    browser.keys(ENTER)
    shows(browser, "#queue-title", "Oldest for late.test")
    assert "b@late.test" in browser.text("#queue") and "slow.test" not in browser.text("#queue")
    assert focused(browser) == "Oldest for late.test"
    browser.keys(TAB + ENTER)
    shows(browser, "#queue", "a@slow.test")


def test_what_waits_for_its_rate_is_told_in_words(serving, remote, browser):  # noqa: F811
    mx = remote()
    zone = {"one.test": {"MX": [[10, "mx.remote.test"]]}, "mx.remote.test": {"A": ["127.0.0.1"]}}
    server = serving(zone=zone, outbound_port=mx.port, conf='lanes = 1\ndestination "big" { mx = {".remote.test"} rate = "1/1h" }')
    submit(server, "carol@one.test", sender="alice@example.org")
    until(server.queue_is_empty, "the one message of this hour")
    submit(server, "carol@one.test", sender="alice@example.org")
    browser.open(f"http://127.0.0.1:{server.web.port}/")
    shows(browser, "#waits", 'The rate is used up: 1 message in 1 h, fixed by the section destination "big". The next may leave in ')
    shows(browser, "#waits .tag", "held back")


def test_keys_and_certificates_are_told(serving, browser, tmp_path):  # noqa: F811
    certificate, key = Authority(tmp_path / "ca").issue("mail", "DNS:mail.example.org")
    server = serving(conf=f'tls {{ certificate = "{certificate}" key = "{key}" }}')
    browser.open(f"http://127.0.0.1:{server.web.port}/")
    shows(browser, "#terms", "mail.example.org\ncertificate")
    shows(browser, "#terms", "ends in ")
    server.conf.write_text(server.conf.read_text() + 'dkim { keys = "dkim" }\n')
    server.run("dkim", "generate", "example.org", "--algorithm", "rsa", "--selector", "one")
    shows(browser, "#terms", "not used yet")
    shows(browser, "#terms", "publish its record (postroad dkim record example.org)")
    server.run("dkim", "check", "--trust")
    shows(browser, "#terms-sum", "1 of 1 key signs")
    shows(browser, "#terms", "due for a successor in ")
    server.run("dkim", "rotate", "example.org")
    server.run("dkim", "check", "--trust")
    shows(browser, "#terms", "its successor signs in ")
    shows(browser, "#terms-sum", "1 of 2 keys signs")


def test_webhooks_are_told(serving, browser, tmp_path):  # noqa: F811
    secret = tmp_path / "secret"
    secret.write_text("swordfish\n")
    secret.chmod(0o600)
    url = f"https://hook.test:{free_port()}/events"
    server = serving(zone={"hook.test": {"A": ["127.0.0.1"]}}, conf=f"""
        webhook "billing" {{ url = "{url}" secret-file = "{secret}" events = {{delivered}} }}
    """)
    browser.open(f"http://127.0.0.1:{server.web.port}/")
    shows(browser, "#hooks", f"billing\n{url}")
    shows(browser, "#hooks", "not tried yet")
    submit(server, "alice@example.org")
    shows(browser, "#hooks .tag", "fails")
    shows(browser, "#hooks", "1 waiting")
    shows(browser, "#hooks", "; next try in ")


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
    submit(server, f"x@{LONG}")
    browser.size(width, 800)
    browser.open(f"http://127.0.0.1:{server.web.port}/")
    shows(browser, "#waits", "a-domain-with")
    assert browser.run("return document.documentElement.scrollWidth") <= width
    browser.keys(f"/x@{LONG}{ENTER}")
    shows(browser, "#found-list", "received")
    assert browser.run("return document.documentElement.scrollWidth") <= width


def test_a_token_is_asked_for(serving, browser):  # noqa: F811
    server = serving({"viewer": "read"})
    browser.open(f"http://127.0.0.1:{server.web.port}/")
    until(lambda: browser.run("return document.getElementById('token-dialog').open"), "the question")
    # Who closes the question is not asked again before he wants to.
    browser.keys(ESCAPE)
    shows(browser, "#verdict", "A token is needed")
    assert not browser.run("return document.getElementById('token-dialog').open")
    browser.click("#token-again")
    browser.keys("viewer" + ENTER)
    shows(browser, "#verdict", "Mail is flowing")
    assert browser.run("return document.cookie + localStorage.length") == "0"
