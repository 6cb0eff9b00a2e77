"""What is asked of strangers: lists in the DNS, reverse names, greetings. The zone file answers."""
import smtplib

import pytest

import conftest

OWN = '"127.0.0.77"'  # Who is trusted; the tests come from elsewhere.
ZONE = {
    "2.0.0.127.block.test": {"A": ["127.0.0.2"], "TXT": [["See http://block.test/?a=127.0.0.2\r\n250 "]]},
    "3.0.0.127.block.test": {"A": ["127.255.255.254"]},
    "4.0.0.127.block.test": {"A": ["127.0.0.2"]},
    "4.0.0.127.allow.test": {"A": ["127.0.5.1"]},
    "junk.test.names.test": {"A": ["127.0.1.2"]},
    "5.0.0.127.in-addr.arpa": {"PTR": ["five.test"]},
    "five.test": {"A": ["127.0.0.5"]},
    "6.0.0.127.in-addr.arpa": {"PTR": ["five.test"]},
    "7.0.0.127.in-addr.arpa": "SERVFAIL",
    "9.0.0.127.in-addr.arpa": {"PTR": ["nine.test"]},
    "nine.test": {"A": ["127.0.0.9"]},
}


def code_of(server, source, sender="a@far.test", recipient="alice@example.org", helo="c.test"):
    """What RCPT is answered."""
    with smtplib.SMTP(server.address, server.port, local_hostname=helo, timeout=conftest.PATIENCE_S, source_address=(source, 0)) as smtp:
        smtp.ehlo()
        assert smtp.mail(sender)[0] == 250
        code, text = smtp.rcpt(recipient)
        return f"{code} {text.decode()}"


def test_lists(postroad):
    server = postroad(relay_from=OWN, zone=ZONE, conf="""
        lanes = 1
        block-list "block.test" {}
        block-list "names.test" { of = domain }
        block-list "silent.test" {}
        allow-list "allow.test" {}
    """, start=False)
    server.set_zone({**ZONE, "1.0.0.127.silent.test": "TIMEOUT"})
    server.start()
    assert code_of(server, "127.0.0.1").startswith("250 ")
    assert code_of(server, "127.0.0.2") == \
        "554 5.7.1 Your address is listed by block.test: See http://block.test/?a=127.0.0.2??250"
    assert code_of(server, "127.0.0.2", recipient="Postmaster@example.org").startswith("250 ")
    assert code_of(server, "127.0.0.2", recipient="nobody@example.org").startswith("550 5.1.1 ")
    assert code_of(server, "127.0.0.3").startswith("250 ")
    assert code_of(server, "127.0.0.4").startswith("250 ")
    assert code_of(server, "127.0.0.1", sender="a@junk.test") == "554 5.7.1 The domain of the sender is listed by names.test"
    assert code_of(server, "127.0.0.77", sender="a@junk.test").startswith("250 ")
    # One session, a sender after the other.
    with smtplib.SMTP(server.address, server.port, timeout=conftest.PATIENCE_S, source_address=("127.0.0.1", 0)) as smtp:
        smtp.ehlo()
        for sender, code in ("a@junk.test", 554), ("a@far.test", 250), ("a@junk.test", 554):
            smtp.mail(sender)
            assert smtp.rcpt("alice@example.org")[0] == code
            smtp.rset()
    conftest.until(lambda: sorted(e["host"] for e in server.log() if e["event"] == "list-failed") == ["block.test", "silent.test"],
                   "each list that fails to be told once")
    assert server.ask("stats")["counters"]["lists-failed"] == 2


def test_weights(postroad):
    server = postroad(relay_from=OWN, zone=ZONE, conf="""
        strangers { block-at = 3 }
        block-list "block.test" { weight = 2 }
        block-list "names.test" { of = domain }
    """)
    assert code_of(server, "127.0.0.2").startswith("250 ")
    assert code_of(server, "127.0.0.2", sender="a@junk.test").startswith("554 5.7.1 Your address is listed by block.test")


@pytest.mark.parametrize("wanted,codes", [("note", "250 250 250 250"), ("name", "250 250 451 550"), ("confirmed", "250 550 451 550")])
def test_reverse_dns(postroad, wanted, codes):
    server = postroad(relay_from=OWN, zone=ZONE, conf=f"strangers {{ require-reverse-dns = {wanted} }}\n")
    assert " ".join(code_of(server, f"127.0.0.{last}")[:3] for last in (5, 6, 7, 8)) == codes
    if wanted == "confirmed":
        assert code_of(server, "127.0.0.8").startswith("550 5.7.25 Your address has no name")
    with smtplib.SMTP(server.address, server.port, local_hostname="c.test", timeout=conftest.PATIENCE_S, source_address=("127.0.0.9", 0)) as smtp:
        smtp.sendmail("a@far.test", ["alice@example.org"], "Subject: x\r\n\r\nx\r\n")
    assert b"Received: from c.test (nine.test [127.0.0.9])" in server.mail("alice")[0]


def test_greetings(postroad):
    server = postroad(relay_from=OWN, conf="strangers { require-helo-name = yes refuse-own-name = yes }\n")
    for helo, code in (("c.test", "250"), ("[127.0.0.5]", "550"), ("[192.0.2.5]", "250"), ("c", "550"),
                       ("EXAMPLE.org", "550"), ("mail.example.org", "550"), ("localhost", "550"), ("sub.example.org", "250")):
        assert code_of(server, "127.0.0.5", helo=helo).startswith(code), helo
    assert code_of(server, "127.0.0.77", helo="localhost").startswith("250")


def test_greylisting(postroad):
    server = postroad(relay_from=OWN, zone=ZONE, conf="""
        greylist { delay = 1s pass-count = 1 }
        block-list "block.test" {}
        allow-list "allow.test" {}
    """)
    first = code_of(server, "127.0.0.1")
    assert first == "451 4.7.1 Greylisted, come again in 1 s"
    assert code_of(server, "127.0.0.77").startswith("250 ")
    assert code_of(server, "127.0.0.4").startswith("250 ")  # The allow list.
    assert code_of(server, "127.0.0.2").startswith("554 ")
    assert code_of(server, "127.0.0.1", recipient="postmaster@example.org").startswith("250 ")
    assert code_of(server, "127.0.0.1", recipient="nobody@example.org").startswith("550 ")
    conftest.until(lambda: code_of(server, "127.0.0.5").startswith("250 "), "an end of the wait")  # A neighbour of the first.
    assert server.ask("stats")["counters"]["greylisted"] >= 1
    server.stop()
    server.start()
    assert code_of(server, "127.0.0.6", sender="new@far.test").startswith("250 ")
    assert code_of(server, "127.0.1.1").startswith("451 ")
    conftest.until(lambda: [e for e in server.log() if e["event"] == "rejected" and e["code"] == 451], "a line of the log")
