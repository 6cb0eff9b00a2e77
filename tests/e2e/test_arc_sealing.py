"""What an alias sends on is sealed with ARC; dkimpy verifies the chain at the next server, and seals before us."""
import json
import re

import dkim
import pytest

import conftest
from test_authentication import CLIENT, FOREIGN, OWN, hand_in, key, letter, zone  # noqa: F401
from test_dkim_keys import CONF, published


@pytest.fixture
def forwarder(postroad, remote, zone):  # noqa: F811
    """A server with an alias that leads away, and the server there."""
    far = remote()
    server = postroad(start=False, relay_from=OWN, aliases="away: friend@far.test, alice\nhome: alice\n",
                      conf=CONF + f'route "far.test" {{ via = {{"{far.address}:{far.port}"}} }}\n')
    records = published(server.run("dkim", "generate", "example.org").stdout)
    server.set_zone({**zone, **records, "s._domainkey.list.test": zone["s._domainkey.good.test"]})
    server.run("dkim", "check")
    return server.start(), far


def forward(server, far, message, sender="a@good.test", source=CLIENT):
    assert hand_in(server, message, sender, source, to="away@example.org").startswith("250 ")
    conftest.until(lambda: far.messages, "the message to arrive there")
    return far.messages.pop()["body"]


def chain(server, message):
    """What dkimpy and we say of it; dkimpy says nothing of a chain that is closed."""
    records = json.loads((server.home / "zone.json").read_text())

    def answer(name, timeout=5):
        return "".join(records.get(name.decode().rstrip("."), {"TXT": [[]]})["TXT"][0]).encode()

    path = server.home / "chain"
    path.write_bytes(message)
    ours = server.ask("verify", "arc", str(path))["arc"]["cv"]
    return (dkim.arc_verify(message, dnsfunc=answer)[0] or b"fail").decode(), ours


def unfolded(message):
    return re.sub(rb"\r\n[ \t]+", b" ", message.split(b"\r\n\r\n")[0]).decode().splitlines()


def test_what_was_found_goes_on_under_our_seal(forwarder, key):  # noqa: F811
    server, far = forwarder
    message = forward(server, far, letter(key))
    assert chain(server, message) == ("pass", "pass")
    header = unfolded(message)
    assert [line.split(":")[0] for line in header[:5]] == [
        "ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results", "Authentication-Results", "Received"]
    assert "i=1; a=rsa-sha256; " in header[0] and " cv=none; d=example.org; " in header[0]
    assert header[2] == header[3].replace("Authentication-Results: ", "ARC-Authentication-Results: i=1; ")
    assert "spf=pass" in header[2] and "dkim=pass" in header[2] and "dmarc=pass" in header[2]
    assert server.ask("stats")["counters"]["sealed"] == 1
    [life] = server.ask("trace", "a@good.test")
    assert life["steps"][0]["sealed"] == "example.org"
    assert server.mail("alice")[0].startswith(b"Return-Path") and b"ARC-Seal" in server.mail("alice")[0]
    assert chain(server, message.replace(b"Hello.", b"Hallo.")) == ("fail", "fail")


def test_a_large_message(forwarder, key):  # noqa: F811
    server, far = forwarder
    message = forward(server, far, letter(key, body="A line of a long letter.\r\n" * 8000))
    assert chain(server, message) == ("pass", "pass")


def test_behind_the_seals_of_others(forwarder, key):  # noqa: F811
    """A chain that passes goes on; one that is broken is closed, and nothing is added behind that."""
    server, far = forwarder
    inner = letter(key)
    fields = dkim.arc_sign(b"Authentication-Results: list.test; arc=none; spf=pass\r\n" + inner, b"s", b"list.test",
                           key[0], b"list.test")
    sealed = b"".join(field.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for field in fields) + inner
    message = forward(server, far, sealed, source=FOREIGN)
    assert chain(server, message) == ("pass", "pass")
    assert "; arc=pass; dmarc=pass " in unfolded(message)[2] and unfolded(message)[0].startswith("ARC-Seal: i=2; ")
    message = forward(server, far, sealed.replace(b"Hello.", b"Hallo."), source=FOREIGN)
    assert " cv=fail; " in unfolded(message)[0]
    assert chain(server, message) == ("fail", "fail")
    again = message[message.index(b"ARC-Seal:"):]
    assert forward(server, far, again, source=FOREIGN).lower().count(b"arc-seal:") == 2


def test_what_is_not_sealed(forwarder, key):  # noqa: F811
    server, far = forwarder
    assert hand_in(server, letter(key), "a@good.test", to="home@example.org").startswith("250 ")
    assert b"ARC-" not in server.mail("alice")[0]
    server.write_conf(server.conf.read_text().removeprefix(server.base) + "authentication { arc-seal = no }\n")
    server.stop()
    server.start()
    message = forward(server, far, letter(key))
    assert b"ARC-" not in message and b"Authentication-Results: mail.example.org" in message
