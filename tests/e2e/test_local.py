"""Mail for our own people: from the first byte to the mailbox."""
import datetime
import os
import smtplib

import pytest

import conftest

HELLO = "From: a@client.test\r\nTo: alice@example.org\r\nSubject: Hello\r\n\r\nHello.\r\n"


def test_arrives_in_the_maildir(postroad):
    server = postroad()
    with server.smtp() as client:
        client.sendmail("a@client.test", ["alice@example.org"], HELLO)
    [mail] = server.mail("alice")
    head, body = mail.split(b"\n\n", 1)
    assert head.startswith(b"Return-Path: <a@client.test>\n")
    assert b"\nDelivered-To: alice@example.org\n" in b"\n" + head
    assert b"Received: from client.test" in head
    assert body == b"Hello.\n"
    assert b"\r" not in mail


def test_unknown_users_and_foreign_domains_are_refused(postroad):
    server = postroad(relay_from="")
    with server.smtp() as client:
        client.ehlo()
        client.mail("a@client.test")
        code, text = client.rcpt("nobody@example.org")
        assert (code, text[:5]) == (550, b"5.1.1")
        code, text = client.rcpt("someone@elsewhere.test")
        assert (code, text[:5]) == (550, b"5.7.1")
        assert client.rcpt("postmaster")[0] == 250
        assert client.rcpt("alice+lists@example.org")[0] == 250


def test_aliases_expand_once_each(postroad):
    server = postroad(aliases="team: alice, bob, alice\n@example.org: alice\n")
    with server.smtp() as client:
        client.sendmail("a@client.test", ["team@example.org"], HELLO)
        client.sendmail("a@client.test", ["anything@example.org"], HELLO)
    server.mail("alice", count=2)
    server.mail("bob", count=1)


BODIES = {
    "dots": b"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.a\r\n",
    "8-bit": b"Subject: 8\r\n\r\n" + bytes(range(128, 256)) + b"\r\n",
    "empty": b"",
    "header only": b"Subject: none\r\n\r\n",
    "one MiB": b"Subject: big\r\n\r\n" + (b"0123456789abcdef" * 4 + b"\r\n") * 16384,
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_arrive_byte_for_byte(postroad, name):
    server = postroad()
    body = BODIES[name]
    with server.smtp() as client:
        client.ehlo()
        client.mail("a@client.test", ["BODY=8BITMIME"])
        client.rcpt("alice@example.org")
        assert client.data(body)[0] == 250
    [mail] = server.mail("alice")
    expected = smtplib._fix_eols(body.decode("latin-1")).encode("latin-1").replace(b"\r\n", b"\n")
    assert mail.endswith(expected if expected.endswith(b"\n") or not expected else expected + b"\n")


def test_bdat_without_final_newline(postroad):
    server = postroad()
    body = b"Subject: bdat\r\n\r\n.no newline at the end"
    with server.smtp() as client:
        client.ehlo()
        assert client.has_extn("chunking")
        client.mail("a@client.test")
        client.rcpt("alice@example.org")
        client.send(b"BDAT 10\r\n" + body[:10])
        assert client.getreply()[0] == 250
        client.send(b"BDAT %d LAST\r\n" % (len(body) - 10) + body[10:])
        assert client.getreply()[0] == 250
    [mail] = server.mail("alice")
    assert mail.endswith(b"\n\n.no newline at the end")


def test_trace_tells_the_life(postroad):
    server = postroad()
    with server.smtp() as client:
        client.sendmail("a@client.test", ["alice@example.org"], HELLO)
    conftest.until(server.queue_is_empty, "the delivery to be settled")
    [life] = [life for life in server.ask("trace", "alice@example.org")]
    events = [step["event"] for step in life["steps"]]
    assert events[0] == "received" and "delivered" in events
    # Also by what is neither an ID nor an address: its client, its mailbox, the words of a reply.
    for fact in ("CLIENT.test", "example.org/alice", "delivered to the mailbox"):
        assert [found["id"] for found in server.ask("trace", fact)] == [life["id"]]
    assert server.run("trace", "client.elsewhere", check=False).returncode == 66
    # Lanes write the log side by side: only the history keeps the order of the facts.
    conftest.until(lambda: {"received", "delivered"} <= {e["event"] for e in server.log() if e.get("id") == life["id"]}, "the log")


def counter(server, name):
    return server.ask("stats")["counters"][name]


def test_who_is_turned_away_is_counted(postroad):
    server = postroad(conf="lanes = 1\nlimits { connections = 1 }\n")
    conftest.until(lambda: server.smtp_code() == 220, "the end of the first probe")
    before = counter(server, "connections-refused")
    with server.smtp() as client:
        assert server.smtp_code() == 421
        assert client.noop()[0] == 250
    assert counter(server, "connections-refused") == before + 1
    conftest.until(lambda: server.smtp_code() == 220, "room for another")


def test_log_lines_that_are_lost_are_counted(postroad):
    """The log is a pipe that nobody reads: mail goes on, what the log does not hold is counted."""
    server = postroad(start=False, conf="limits { errors = 1000 }\n")
    os.mkfifo(server.home / "log")
    held = os.open(server.home / "log", os.O_RDONLY | os.O_NONBLOCK)
    try:
        server.start()
        sender = "s" * 60 + "@" + ".".join(["d" * 60] * 3) + ".test"

        def refuse_many():
            with server.smtp() as client:
                client.ehlo()
                client.send(f"MAIL FROM:<{sender}>\r\n".encode() + b"RCPT TO:<nobody@example.org>\r\n" * 500 + b"QUIT\r\n")
                while client.file.readline():
                    pass
            return counter(server, "log-lines-lost") > 0

        conftest.until(refuse_many, "the pipe and the room behind it to be full")
        with server.smtp() as client:
            client.sendmail("a@client.test", ["alice@example.org"], HELLO)
        server.mail("alice")
    finally:
        os.close(held)


def test_mail_that_waited_finds_its_mailbox_at_once_after_a_start(postroad):
    """Not an attempt that fails because the roles are still meeting: mail without time left would bounce for it."""
    server = postroad(retry=("100ms", "200ms"))
    alice = server.home / "mail" / "example.org" / "alice"
    alice.parent.mkdir(parents=True)
    alice.write_text("no folder")
    with server.smtp() as client:
        client.sendmail("a@client.test", ["alice@example.org"], HELLO)
    conftest.until(lambda: server.queue()[0]["recipients"][0]["attempts"] >= 1, "the first attempt")
    server.stop()
    alice.unlink()
    due = datetime.datetime.fromisoformat(server.queue()[0]["recipients"][0]["next"].replace("Z", "+00:00"))
    conftest.until(lambda: datetime.datetime.now(datetime.timezone.utc) > due, "the next attempt to be due")
    server.start()
    server.mail("alice")
    assert "not running" not in (server.home / "log").read_text()
