"""rspamd behind us, as docs/manual/rspamd.md sets it up: Dovecot's Sieve asks it, and spam is put aside."""
import os
import signal
import smtplib
import subprocess

import pytest
from test_tls_peers import authority, serve_postfix  # noqa: F401
from test_dovecot_mailboxes import conftest, dovecot, made, manual, postroad, subjects  # noqa: F401

SPAM = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"  # It is spam to every filter, by agreement.

# One process without modules: it knows this text and little else, and starts at once.
RSPAMD = """
options {{ pidfile = "{home}/pid"; filters = ""; url_tld = "{home}/tld"; dns {{ nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; }} }}
logging {{ type = "file"; filename = "{home}/log"; level = "info"; }}
actions {{ reject = 15; add_header = 6; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
worker "rspamd_proxy" {{ bind_socket = "127.0.0.1:{milter}"; count = 1; milter = yes; upstream "local" {{ default = yes; self_scan = yes; }} }}
"""


def block(words):
    [found] = [block.text for block in manual.blocks(manual.FOLDER / "rspamd.md") if block.words == words]
    return found


@pytest.fixture
def rspamd(tmp_path):
    home, port, milter = tmp_path / "rspamd", conftest.free_port(), conftest.free_port()
    home.mkdir()
    (home / "tld").write_text("org\nnet\n")
    (home / "rspamd.conf").write_text(RSPAMD.format(home=home, port=port, milter=milter))
    process = subprocess.Popen(["rspamd", "-f", "-i", "-c", home / "rspamd.conf"], start_new_session=True, stdout=subprocess.DEVNULL)
    try:
        conftest.until(lambda: b"Action: no action" in subprocess.run(["rspamc", "-h", f"127.0.0.1:{port}"], input=b"Subject: x\n\nx\n", capture_output=True).stdout,
                       "rspamd to answer")
        yield home, port, milter
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def filtering(dovecot, rspamd):  # noqa: F811
    """Dovecot reads its configuration again, with what the chapter adds to it."""
    filters, script = dovecot / "filter", dovecot / "spam.sieve"
    filters.mkdir()
    script.write_text(block(["text", "sieve"]))
    (filters / "rspamd").write_text(block(["text", "script"]).replace("rspamc ", f"rspamc -h 127.0.0.1:{rspamd[1]} "))
    (filters / "rspamd").chmod(0o755)
    added = block(["text", "dovecot"])
    for theirs, ours in (("/usr/local/lib/dovecot-filter", filters), ("/etc/dovecot/spam.sieve", script)):
        assert theirs in added
        added = added.replace(theirs, str(ours))
    with open(dovecot / "dovecot.conf", "a") as conf:
        conf.write(added)
    for command in (["sievec", "-c", dovecot / "dovecot.conf", script], ["doveadm", "-c", dovecot / "dovecot.conf", "reload"]):
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    return dovecot


def send(server, subject, text):
    with server.smtp() as client:
        client.sendmail("carol@example.net", ["alice@example.org"], f"From: carol@example.net\r\nSubject: {subject}\r\n\r\n{text}\r\n")


def junk(home):
    return subprocess.run(["doveadm", "-c", home / "dovecot.conf", "fetch", "-u", "alice@example.org", "hdr.subject", "mailbox", "Junk"],
                          capture_output=True, text=True).stdout


def test_spam_is_put_aside(postroad, filtering, rspamd):  # noqa: F811
    server = made(postroad, filtering, f'mailbox {{ lmtp = "unix:{filtering}/base/lmtp" }}')
    send(server, "buy", SPAM)
    send(server, "lunch", "At noon.")
    conftest.until(server.queue_is_empty, "both to be taken")
    assert "buy" in junk(filtering) and "lunch" not in junk(filtering), (filtering / "log").read_text()
    assert subjects(filtering, "alice@example.org") == ["lunch"]
    # It was told of the envelope.
    log = conftest.until(lambda: (text := (rspamd[0] / "log").read_text()).count("rspamd_task_write_log") > 2 and text, "its log")
    assert "carol@example.net" in log and "alice@example.org" in log


@pytest.fixture
def in_front(postroad, rspamd, authority):  # noqa: F811
    """Postfix, which has its mail looked at by rspamd and hands on what is good: the port of it, and our server."""
    server = postroad(relay_from='"127.0.0.1"')
    text = block(["text", "postfix"])
    for theirs, ours in (("10025", server.port), ("11332", rspamd[2])):
        assert theirs in text
        text = text.replace(theirs, str(ours))
    for port in serve_postfix(authority, *text.splitlines(), "smtpd_tls_security_level = may", "address_verify_poll_delay = 1s"):
        yield port, server


def refusal(client, recipient, text):
    with pytest.raises((smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused)) as refused:
        client.sendmail("carol@example.net", [recipient], f"From: carol@example.net\r\nSubject: buy\r\n\r\n{text}\r\n")
    answer = refused.value
    return (answer.smtp_code, answer.smtp_error) if isinstance(answer, smtplib.SMTPDataError) else answer.recipients[recipient]


def test_spam_is_refused_at_the_door_of_a_server_in_front(in_front):
    port, server = in_front
    with smtplib.SMTP("127.0.0.1", port, timeout=conftest.PATIENCE_S) as client:
        client.sendmail("carol@example.net", ["alice@example.org"], "From: carol@example.net\r\nSubject: lunch\r\n\r\nAt noon.\r\n")
        code, words = refusal(client, "alice@example.org", SPAM)
        assert code == 554 and b"5.7.1" in words, words
        code, words = refusal(client, "nobody@example.org", "x")
        assert code == 550 and b"5.1.1" in words, words
        code, words = refusal(client, "dave@elsewhere.test", "x")
        assert code == 554 and b"Relay access denied" in words, words
    [mail] = server.mail("alice")
    assert b"Subject: lunch" in mail
