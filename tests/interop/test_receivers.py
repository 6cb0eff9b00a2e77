"""Mail that Exim and OpenSMTPD from Debian take from us."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import conftest  # noqa: E402
from certificates import Authority  # noqa: E402
from conftest import postroad  # noqa: E402,F401

import foreign  # noqa: E402

BODIES = {
    "plain": b"Subject: plain\r\n\r\nHello.\r\n",
    "dots": b"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\n\r\n.\r\n",
    "8 bit": "Subject: 8\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n".encode(),
    "large": b"Subject: large\r\n\r\n" + (b"0123456789abcdef" * 4 + b"\r\n") * 16384,
}


@pytest.fixture(params=["exim", "opensmtpd"])
def peer(request, tmp_path):
    authority = Authority(tmp_path / "authority")
    server = getattr(foreign, request.param)(authority)
    server.name, server.authority = f"mx.{request.param}.test", authority
    server.tls = request.param == "exim"
    yield server
    server.stop()


def test_takes_mail(peer, postroad):  # noqa: F811
    server = postroad(zone={peer.name: {"A": ["127.0.0.1"]}}, conf=f'tls {{ ca = "{peer.authority.path}" }}\n'
                      f'route "remote.test" {{ via = {{"{peer.name}:{peer.port}"}} tls = {"required" if peer.tls else "none"} }}\n')
    for body in BODIES.values():
        with server.smtp() as client:
            client.ehlo()
            client.mail("alice@example.org", ["BODY=8BITMIME"])
            client.rcpt("carol@remote.test")
            client.rcpt("dave@remote.test")
            assert client.data(body)[0] == 250
    events = conftest.until(lambda: len(lines := [event for event in server.log() if event["event"] == "delivered"]) ==
                            2 * len(BODIES) and lines, "all to be delivered")
    assert all(event.get("tls", "").startswith("TLSv1.3 ") == peer.tls for event in events)
    for name, body in BODIES.items():
        text = body.split(b"\r\n\r\n", 1)[1].replace(b"\r\n", b"\n")
        conftest.until(lambda: any(mail.endswith(b"\n\n" + text) for mail in peer.mail()), name)
