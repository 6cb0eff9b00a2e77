"""Dovecot beside us, as docs/manual/dovecot.md sets it up: it reads our Maildirs, and takes mail by LMTP."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "e2e"), str(pathlib.Path(__file__).resolve().parents[2] / "tools")]
import conftest  # noqa: E402
import manual  # noqa: E402
from conftest import postroad  # noqa: E402,F401

# What it needs to run beside another one, in a folder of its own.
ALONE = """
base_dir = {home}/base
state_dir = {home}/base
log_path = {home}/log
protocols = lmtp
ssl = no
default_internal_user = root
default_internal_group = root
default_login_user = nobody
postmaster_address = postmaster@example.org
first_valid_uid = {uid}
"""
NOBODY = 65534


def pieces(home):
    """What the manual says, with the folders and users of this machine."""
    text = "".join(block.text for block in manual.blocks(manual.FOLDER / "dovecot.md") if block.words == ["text", "dovecot"])
    for theirs, ours in (("/etc/postroad/users", f"{home}/users"), ("/var/mail", f"{home}/mail"), ("uid=postroad gid=postroad", f"uid={NOBODY} gid={NOBODY}"),
                         ("user = postroad-auth", "user = root"), ("user = postroad", "user = root")):
        assert theirs in text
        text = text.replace(theirs, ours)
    return text


@pytest.fixture
def dovecot():
    if os.geteuid() != 0:
        pytest.skip("needs root, to write mailboxes of somebody else")
    # A socket's path has at most 107 bytes, and somebody else has to reach the mailboxes.
    with tempfile.TemporaryDirectory(prefix="dovecot.") as folder:
        home = pathlib.Path(folder)
        home.chmod(0o755)
        (home / "base").mkdir()
        (home / "mail").mkdir()
        os.chown(home / "mail", NOBODY, NOBODY)
        (home / "users").write_text(f"alice:{{PLAIN}}pencil:{NOBODY}:{NOBODY}\nbob:{{PLAIN}}eraser:{NOBODY}:{NOBODY}\n")
        (home / "dovecot.conf").write_text(ALONE.format(home=home, uid=NOBODY) + pieces(home))
        process = subprocess.Popen(["dovecot", "-F", "-c", home / "dovecot.conf"], start_new_session=True)
        try:
            conftest.until((home / "base" / "lmtp").exists, "Dovecot's socket")
            yield home
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def subjects(home, user):
    """What Dovecot finds in the mailbox."""
    found = subprocess.run(["doveadm", "-c", home / "dovecot.conf", "fetch", "-u", user, "hdr.subject", "mailbox", "INBOX"], capture_output=True, text=True,
                           timeout=conftest.PATIENCE_S)
    return [line.split(": ", 1)[1] for line in found.stdout.splitlines() if line.startswith("hdr.subject: ")]


def send(server, recipient, subject):
    with server.smtp() as client:
        client.sendmail("carol@example.net", [recipient], f"Subject: {subject}\r\n\r\nhello\r\n")


def made(postroad, home, mailbox):  # noqa: F811
    server = postroad(start=False)
    server.base = server.base.replace('users = "users"', f'users = "{home}/users"').replace('mailbox { path = "mail/%d/%u" }', mailbox)
    server.write_conf()
    return server.start()


def test_dovecot_reads_our_maildirs(postroad, dovecot):  # noqa: F811
    server = made(postroad, dovecot, f'mailbox {{ path = "{dovecot}/mail/%d/%u" }}')
    send(server, "alice@example.org", "by Maildir")
    conftest.until(lambda: subjects(dovecot, "alice@example.org") == ["by Maildir"], "Dovecot to find it")


def test_dovecot_takes_mail_by_lmtp(postroad, dovecot):  # noqa: F811
    server = made(postroad, dovecot, f'mailbox {{ lmtp = "unix:{dovecot}/base/lmtp" }}')
    send(server, "bob@example.org", "by LMTP")
    conftest.until(lambda: subjects(dovecot, "bob@example.org") == ["by LMTP"], "Dovecot to have it")
    conftest.until(server.queue_is_empty, "an empty queue")
    assert server.told("delivered")[0]["code"] == 250
