"""Messages that other programs made, well-formed and not: bounces, feedback reports, and what was seen in the wild.

A server passes on what it is given. So each of them is handed in, and stands in the mailbox byte for byte behind the
fields that we add. They are all looked at by the whole of message authentication on their way.
"""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from conftest import postroad, until  # noqa: E402,F401

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "vectors"
SETS = {
    "bounces": ("dsn/sisimai", 105),
    "feedback": ("dsn/arf", 3),
    "examples": ("mime/mail-parser-rfc", 10),
    "malformed": ("mime/mail-parser-malformed", 12),
    "seen in the wild": ("mime/mikel-mail", 29),
    "internationalised": ("mime/rspamd", 1),
}


def with_crlf(raw):
    """As a mail program sends it: its lines end with CRLF, whatever the file's did."""
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return b"\r\n".join(lines[:-1] if lines[-1] == b"" else lines) + b"\r\n"


def hand_in(server, message):
    with server.smtp() as client:
        client.ehlo()
        client.mail("", ["BODY=8BITMIME"])
        client.rcpt("alice@example.org")
        client.putcmd("DATA")
        assert client.getreply()[0] == 354
        client.send(b"".join(b"." + line if line.startswith(b".") else line for line in message.splitlines(True)) + b".\r\n")
        assert client.getreply()[0] == 250


@pytest.mark.parametrize("name", SETS)
def test_arrives_as_it_was(postroad, name):  # noqa: F811
    folder, expected = SETS[name]
    files = sorted((VECTORS / folder).rglob("*.eml"))
    assert len(files) == expected
    server = postroad()
    sent = [with_crlf(path.read_bytes()) for path in files]
    for message in sent:
        hand_in(server, message)
    arrived = server.mail("alice", count=len(sent))
    missing = [path.name for path, message in zip(files, sent)
               if not any(mail.endswith(b"\n" + message.replace(b"\r\n", b"\n")) for mail in arrived)]
    assert missing == []


def test_a_bounce_is_bounced_to_nobody(postroad):  # noqa: F811
    """Its recipient turns out to be nobody: our postmaster hears of it, and no stranger (RFC 5321 §6.1)."""
    server = postroad(aliases="gone: nobody@refuses.test\n", zone={"refuses.test": {"MX": [[0, "."]]}})
    files = sorted((VECTORS / "dsn/sisimai").glob("*.eml"))[::10]
    for path in files:
        with server.smtp() as client:
            client.sendmail("", ["gone@example.org"], with_crlf(path.read_bytes()))
    server.mail("postmaster", count=len(files))
    until(server.queue_is_empty, "the end of all of them")
    assert {event["to"] for event in server.told("generated", len(files))} == {"postmaster"}
