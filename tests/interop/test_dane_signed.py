"""DANE over signed zones that NSD serves and libunbound validates."""
import hashlib
import pathlib
import socket
import ssl
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import conftest  # noqa: E402
from certificates import Authority  # noqa: E402
from conftest import postroad  # noqa: E402,F401
from test_dane import Keys, outcome  # noqa: E402

from signed_tree import Tree  # noqa: E402


def answers(port):
    """Does the name server?"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.sendto(bytes.fromhex("123401000001000000000000") + b"\x07example\x00\x00\x06\x00\x01", ("127.0.0.1", port))
        try:
            return s.recv(512)[:2] == b"\x12\x34"
        except OSError:
            return False


@pytest.fixture
def world(postroad, tmp_path):  # noqa: F811
    controllers = pytest.importorskip("aiosmtpd.controller")
    certificate, key = Authority(tmp_path / "authority").issue("mx", "DNS:somebody.test")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    taker = conftest.Taker()
    controller = controllers.Controller(taker, hostname="127.0.0.1", port=conftest.free_port(), tls_context=tls)
    controller.start()
    leaf, other = Keys(certificate), hashlib.sha256(b"somebody else's").hexdigest()
    tree = Tree(tmp_path / "zones", conftest.free_port(), f"""@ IN MX 10 mx
mx IN A 127.0.0.1
_{controller.port}._tcp.mx IN TLSA {leaf.record(3, 1, 1)}
wrong IN MX 10 wrong
wrong IN A 127.0.0.1
_{controller.port}._tcp.wrong IN TLSA 3 1 1 {other}
none IN MX 10 none
none IN A 127.0.0.1
alias IN MX 10 name
name IN CNAME mx
*.wild IN A 127.0.0.1
""")
    conftest.until(lambda: answers(tree.port), "the name server")
    server = postroad(dns=f'dns {{ config = "{tree.config}" }}', retry=("1h",), outbound_port=controller.port)
    server.taker = taker
    yield server
    tree.close()
    controller.stop()


CASES = {
    "signed": ("delivered", "(DANE)"),
    "wrong.signed": ("deferred", "no matching DANE TLSA records"),
    "none.signed": ("delivered", "TLS"),
    "alias.signed": ("delivered", "(DANE)"),
    "a.wild.signed": ("delivered", "TLS"),
    "insecure": ("delivered", "TLS"),
    "wrong.insecure": ("delivered", "TLS"),
    "bogus": ("deferred", ""),
    "expired": ("deferred", ""),
    "none.expired": ("deferred", ""),
}


def test_what_dnssec_vouches_for_is_believed_and_nothing_else(world):
    with world.smtp() as client:
        for name in CASES:
            client.sendmail("alice@example.org", [f"carol@{name}.example"], "Subject: Hello\r\n\r\nHello.\r\n")
    wrong = []
    for name, (what, word) in CASES.items():
        event = outcome(world, f"{name}.example")
        told = event.get("tls", "") if what == "delivered" else event["reply"]
        if event["event"] != what or word not in told or (what == "delivered" and "(DANE)" in told) != ("(DANE)" in word):
            wrong.append((name, what, word, event))
    assert not wrong, "\n".join(map(str, wrong))
    assert all(under_tls for _, under_tls in world.taker.got)
    [destination] = world.ask("explain", "carol@signed.example")["destinations"]
    assert destination["mx_dnssec"] is True and destination["hosts"][0]["tls_by"] == "DANE"
