"""Clients and peers from Debian: swaks, msmtp, our own sendmail, aiosmtpd, smtp-sink and NSD."""
import os
import pathlib
import socket
import subprocess
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import conftest  # noqa: E402
from conftest import postroad, remote  # noqa: E402,F401

ZONE = {"remote.test": {"MX": [[10, "mx.remote.test"]]}, "mx.remote.test": {"A": ["127.0.0.1"]}}


def run(*words, text=None, env=None):
    result = subprocess.run(words, input=text, capture_output=True, text=True, timeout=60, env=env)
    assert result.returncode == 0, (words, result.stdout, result.stderr)
    return result.stdout


def test_swaks(postroad):
    server = postroad()
    run("swaks", "--server", f"{server.address}:{server.port}", "--from", "a@client.test", "--to", "alice@example.org",
        "--header", "Subject: by swaks", "--pipeline")
    assert b"Subject: by swaks" in server.mail("alice")[0]


def test_msmtp(postroad, tmp_path):
    server = postroad()
    run("msmtp", f"--host={server.address}", f"--port={server.port}", "--from=a@client.test", "--tls=off", "--auth=off",
        "alice@example.org", text="Subject: by msmtp\n\n.dot\n")
    assert server.mail("alice")[0].endswith(b"\n\n.dot\n")


def test_sendmail(postroad):
    server = postroad()
    message = "From: alice@example.org\nTo: Bob <bob@example.org>,\n alice@example.org\nBcc: bob@example.org\n\nHi\n.\nmore\n"
    said = server.run("send", "-t", "-i", "-v", "-f", "alice@example.org", text=message).stdout
    assert said.startswith("250 2.0.0")
    [mail] = server.mail("bob")
    assert b"Bcc" not in mail and mail.endswith(b"Hi\n.\nmore\n")
    assert b"Message-ID:" in mail and b"Date:" in mail
    server.mail("alice")
    assert server.run("send", "nobody@example.org", text="x\n", check=False).returncode == 67
    server.stop()
    assert server.run("send", "alice@example.org", text="x\n", check=False).returncode == 75


class Dialogue:
    """sendmail -bs on pipes."""

    def __init__(self, server):
        self.process = subprocess.Popen([conftest.PROGRAM, "send", "-c", str(server.conf), "-bs"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def hear(self):
        """The code of the next reply."""
        while (line := self.process.stdout.readline())[3:4] == b"-":
            pass
        return int(line[:3])

    def say(self, words):
        self.process.stdin.write(words.encode() + b"\r\n")
        self.process.stdin.flush()
        return self.hear()


def test_sendmail_speaks_smtp(postroad):
    server = postroad()
    talk = Dialogue(server)
    assert talk.hear() == 220
    assert talk.say("EHLO client.test") == 250
    assert talk.say("MAIL FROM:<alice@example.org>") == 250
    assert talk.say("RCPT TO:<nobody@example.org>") == 550
    assert talk.say("RCPT TO:<bob@example.org>") == 250
    assert talk.say("DATA") == 354
    assert talk.say("Subject: by -bs\r\n\r\n..dot\r\n.") == 250
    assert talk.say("NONSENSE") == 500
    assert talk.say("QUIT") == 221
    # The server has ended the session: our input stays open, and it ends all the same.
    assert talk.process.wait(conftest.PATIENCE_S) == 0
    assert talk.process.stdout.read() == b""
    assert server.mail("bob")[0].endswith(b"\n\n.dot\n")
    conftest.until(lambda: any(line.get("user") == f"uid {os.getuid()}" for line in server.log()), "the user in the log")


def test_sendmail_speaks_smtp_to_a_client_that_goes_away(postroad):
    server = postroad()
    talk = Dialogue(server)
    assert talk.hear() == 220
    assert talk.say("HELO client.test") == 250
    assert talk.say("MAIL FROM:<alice@example.org>") == 250
    talk.process.stdin.close()
    assert talk.process.wait(conftest.PATIENCE_S) == 0
    assert server.queue_is_empty()


def test_sendmail_takes_a_batch_of_smtp(postroad):
    """All commands at once, as a program does that writes first and reads afterwards."""
    server = postroad()
    said = server.run("send", "-bs", text="EHLO client.test\r\n" + "".join(
        f"MAIL FROM:<>\r\nRCPT TO:<{user}@example.org>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\n"
        for user in ("alice", "bob")) + "QUIT\r\n").stdout
    assert said.count("250 2.0.0 Ok: queued as ") == 2 and said.splitlines()[-1].startswith("221 ")
    server.mail("alice")
    server.mail("bob")
    server.stop()
    assert server.run("send", "-bs", text="QUIT\r\n", check=False).returncode == 75


def run_on(connection, words):
    """As inetd does: the connection is standard input and output."""
    assert subprocess.run(words, stdin=connection, stdout=connection, timeout=conftest.PATIENCE_S).returncode == 0


def test_msmtp_by_way_of_sendmail(postroad):
    """msmtp speaks to sendmail -bs, which serves one connection as inetd has it."""
    server = postroad()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        msmtp = subprocess.Popen(["msmtp", "--host=127.0.0.1", f"--port={listener.getsockname()[1]}", "--tls=off",
                                  "--auth=off", "--from=alice@example.org", "bob@example.org"], stdin=subprocess.PIPE)
        msmtp.stdin.write(b"Subject: by msmtp\n\n.dot\n")
        msmtp.stdin.close()
        connection, _ = listener.accept()
        with connection:
            run_on(connection, [conftest.PROGRAM, "send", "-c", str(server.conf), "-bs"])
        assert msmtp.wait(conftest.PATIENCE_S) == 0
    assert server.mail("bob")[0].endswith(b"\n\n.dot\n")


def test_sendmail_by_its_own_name(postroad, tmp_path):
    server = postroad()
    link = tmp_path / "sendmail"
    link.symlink_to(pathlib.Path(conftest.PROGRAM).resolve())
    run(str(link), "-oi", "-f", "a@client.test", "alice@example.org", text="Subject: s\n\nx\n",
        env={"POSTROAD_CONFIG": str(server.conf), "PATH": "/usr/bin:/bin"})
    server.mail("alice")


def test_smtp_sink(postroad):
    port = conftest.free_port()
    sink = subprocess.Popen(["/usr/sbin/smtp-sink", "-u", "nobody", f"127.0.0.1:{port}", "100"])
    try:
        server = postroad(zone=ZONE, outbound_port=port)
        for _ in range(20):
            with server.smtp() as client:
                client.sendmail("alice@example.org", ["carol@remote.test"], "Subject: x\r\n\r\nx\r\n")
        conftest.until(server.queue_is_empty, "an empty queue")
        conftest.until(lambda: sum(event["event"] == "delivered" for event in server.log()) == 20, "twenty log lines")
    finally:
        sink.terminate()
        sink.wait()


def test_aiosmtpd(postroad):
    aiosmtpd = pytest.importorskip("aiosmtpd.controller")
    got, arrived = [], threading.Event()

    class Handler:
        async def handle_DATA(self, server, session, envelope):
            got.append(envelope)
            arrived.set()
            return "250 OK"

    controller = aiosmtpd.Controller(Handler(), hostname="127.0.0.1", port=conftest.free_port())
    controller.start()
    try:
        server = postroad(zone=ZONE, outbound_port=controller.port)
        with server.smtp() as client:
            client.sendmail("alice@example.org", ["carol@remote.test"], "Subject: x\r\n\r\n..x\r\n")
        assert arrived.wait(conftest.PATIENCE_S)
        assert got[0].rcpt_tos == ["carol@remote.test"]
        assert got[0].content.endswith(b"\r\n\r\n..x\r\n")
    finally:
        controller.stop()


def test_nsd_answers_the_dns(postroad, remote, tmp_path):
    mx = remote()
    port = conftest.free_port()
    (tmp_path / "zone").write_text(
        "$ORIGIN remote.test.\n@ 60 IN SOA ns root 1 60 60 60 60\n@ 60 IN NS ns\nns 60 IN A 127.0.0.1\n"
        "@ 60 IN MX 10 dead\n@ 60 IN MX 20 mx\nmx 60 IN A 127.0.0.1\nalias 60 IN CNAME remote.test.\n"
        "null 60 IN MX 0 .\n")
    (tmp_path / "nsd.conf").write_text(
        f'server:\n ip-address: 127.0.0.1@{port}\n username: ""\n chroot: ""\n pidfile: "{tmp_path}/nsd.pid"\n'
        f' database: ""\n zonelistfile: "{tmp_path}/list"\n xfrdfile: "{tmp_path}/xfrd"\n xfrdir: "{tmp_path}"\n'
        f'remote-control:\n control-enable: no\nzone:\n name: remote.test\n zonefile: {tmp_path}/zone\n')
    nsd = subprocess.Popen(["/usr/sbin/nsd", "-d", "-c", str(tmp_path / "nsd.conf")], stderr=subprocess.DEVNULL)
    try:
        server = postroad(dns=f'dns {{ server = {{"127.0.0.1@{port}"}} }}', outbound_port=mx.port)
        for to in ("x@remote.test", "x@alias.remote.test", "x@null.remote.test", "x@absent.remote.test"):
            with server.smtp() as client:
                client.sendmail("alice@example.org", [to], "Subject: x\r\n\r\nx\r\n")
        conftest.until(lambda: len(mx.messages) == 2, "two messages")
        bounces = b"".join(server.mail("alice", count=2))
        assert b"5.1.10" in bounces and b"5.1.2" in bounces
        conftest.until(server.queue_is_empty, "an empty queue")
    finally:
        nsd.terminate()
        nsd.wait()
