"""Logins by the clients people have: swaks, msmtp, curl, git send-email, nodemailer, gsasl and Python's smtplib."""
import os
import pathlib
import smtplib
import ssl
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import conftest  # noqa: E402
from certificates import Authority  # noqa: E402
from conftest import postroad  # noqa: E402,F401

HELLO = "From: alice@example.org\r\nTo: bob@example.org\r\nSubject: Hello\r\n\r\nHello.\r\n"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


def serve(postroad, authority, passwords=(), users="", conf=""):  # noqa: F811
    """A server that trusts nobody for his address; ready when somebody can log in. `users` begins the users file."""
    certificate, key = authority.issue("mail", "DNS:localhost", "IP:127.0.0.1")
    ports = conftest.free_port(), conftest.free_port()
    made = postroad(users=(), relay_from="", start=False,
                    conf=f'tls {{ certificate = "{certificate}" key = "{key}" }}\n'
                    f'listen "127.0.0.1:{ports[0]}" {{ role = submission }}\n'
                    f'listen "127.0.0.1:{ports[1]}" {{ role = submission tls = implicit }}\n' + conf)
    (made.home / "users").write_text(users)
    for name, password in passwords:
        made.run("user", "add", name, text=f"{password}\n")
    made.start()
    made.submission, made.implicit = ports

    def offers():
        with smtplib.SMTP_SSL("127.0.0.1", made.implicit, context=context(authority), timeout=conftest.PATIENCE_S) as client:
            client.ehlo()
            return client.has_extn("auth")
    conftest.until(offers, "the auth role to be there")
    return made


@pytest.fixture
def server(postroad, authority):  # noqa: F811
    return serve(postroad, authority, passwords=(("alice", "pencil"), ("bob", "eraser")))


def context(authority):
    return ssl.create_default_context(cafile=authority.path)


def run(*words, text=None, good=True):
    result = subprocess.run(list(map(str, words)), input=text, capture_output=True, text=True, timeout=60, env=os.environ)
    assert (result.returncode == 0) == good, (words, result.stdout, result.stderr)
    return result.stdout + result.stderr


def arrived(server, count=1):
    messages = server.mail("bob", count=count)
    return all(b"with ESMTPSA (TLSv1.3 " in message for message in messages)


def events(server, kind):
    return [event for event in server.log() if event["event"] == kind]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks(server, authority, mechanism):
    common = ("--from", "alice@example.org", "--to", "bob@example.org", "--auth", mechanism, "--auth-user", "alice",
              "--tls-verify", "--tls-ca-path", authority.path)
    run("swaks", "--server", f"127.0.0.1:{server.submission}", "--tls", "--auth-password", "pencil", *common)
    run("swaks", "--server", f"127.0.0.1:{server.implicit}", "--tls-on-connect", "--auth-password", "pencil", *common)
    assert arrived(server, 2)
    said = run("swaks", "--server", f"127.0.0.1:{server.submission}", "--tls", "--auth-password", "wrong", *common, good=False)
    assert "535 5.7.8 " in said


@pytest.mark.parametrize("mechanism", ["scram-sha-256", "plain", "login"])
def test_msmtp(server, authority, tmp_path, mechanism):
    def send(password, good=True):
        return run("msmtp", "--host=localhost", f"--port={server.submission}", "--from=alice@example.org", f"--auth={mechanism}",
                   "--user=alice", f"--passwordeval=echo {password}", "--tls=on", "--tls-starttls=on",
                   f"--tls-trust-file={authority.path}", "bob@example.org", text="Subject: one\n\none\n", good=good)
    send("pencil")
    assert arrived(server)
    send("wrong", good=False)


def test_curl(server, authority, tmp_path):
    (tmp_path / "message").write_text(HELLO)
    run("curl", "-sS", f"smtps://localhost:{server.implicit}", "--cacert", authority.path, "--user", "alice:pencil",
        "--mail-from", "alice@example.org", "--mail-rcpt", "bob@example.org", "-T", tmp_path / "message")
    assert arrived(server)


def test_git_send_email(server, authority, tmp_path):
    (tmp_path / "0001-one.patch").write_text(f"From {'0' * 40} Mon Sep 17 00:00:00 2001\n{HELLO}")

    def send(port, encryption, password="pencil", good=True):
        run("git", "-C", tmp_path, "-c", "sendemail.confirm=never", "send-email", "--no-validate", "--quiet", "--smtp-server=localhost",
            f"--smtp-server-port={port}", f"--smtp-encryption={encryption}", "--smtp-user=alice", f"--smtp-pass={password}",
            f"--smtp-ssl-cert-path={authority.path}", "--smtp-domain=client.test", "--from=alice@example.org", "--to=bob@example.org",
            "0001-one.patch", good=good)
    send(server.submission, "tls")
    send(server.implicit, "ssl")
    assert arrived(server, 2)
    send(server.implicit, "ssl", password="wrong", good=False)


NODE = """
const [port, secure, password, ca] = process.argv.slice(1);
require('/usr/share/nodejs/nodemailer').createTransport({
    host: 'localhost', port: Number(port), secure: secure === 'true', requireTLS: true,
    auth: {user: 'alice', pass: password}, tls: {ca: require('fs').readFileSync(ca)},
}).sendMail({from: 'alice@example.org', to: 'bob@example.org', subject: 'Hello', text: 'Hello.'}).then(
    () => process.exit(0), (error) => { console.log(error.responseCode); process.exit(1); });
"""


def test_nodemailer(server, authority):
    def send(port, secure, password="pencil", good=True):
        return run("node", "-e", NODE, "--", port, secure, password, authority.path, good=good)
    send(server.submission, "false")
    send(server.implicit, "true")
    assert arrived(server, 2)
    assert send(server.implicit, "true", password="wrong", good=False).strip() == "535"


@pytest.mark.parametrize("password", ["pencil", "wrong"])
def test_gsasl(server, authority, password):
    """GNU SASL's client binds the login to the channel (RFC 9266); it sends no mail."""
    said = run("gsasl", "--client", "--smtp", "--verbose", "--connect", f"localhost:{server.submission}", "-m", "SCRAM-SHA-256-PLUS",
               "-a", "alice", "-z", "", "-p", password, f"--x509-ca-file={authority.path}", text="", good=password == "pencil")
    assert "AUTH SCRAM-SHA-256-PLUS" in said and ("235 2.7.0" in said) == (password == "pencil")
    assert "cD10bHMtZXhwb3J0ZXIs" in said  # p=tls-exporter,


def test_smtplib(server, authority):
    with smtplib.SMTP("127.0.0.1", server.submission, timeout=conftest.PATIENCE_S) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert client.docmd("AUTH", "PLAIN AGFsaWNlAHBlbmNpbA==")[0] == 538
        client.starttls(context=context(authority))
        client.ehlo()
        assert client.esmtp_features["auth"].split() == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"]
        assert client.mail("alice@example.org")[0] == 530
        client.login("alice", "pencil")
        client.sendmail("alice@example.org", ["bob@example.org"], HELLO)
    assert arrived(server)
    [line] = conftest.until(lambda: events(server, "received"), "the log line")
    assert line["user"] == "alice" and line["protocol"] == "ESMTPSA"
    assert server.ask("trace", "bob@example.org")[0]["steps"][0]["user"] == "alice"
    assert server.ask("stats")["counters"]["logins"] == 1


def test_failures(server, authority):
    """The unknown and the mistaken hear the same, and the log tells no secret."""
    said = []
    with smtplib.SMTP_SSL("127.0.0.1", server.implicit, context=context(authority), timeout=conftest.PATIENCE_S) as client:
        client.ehlo()
        for user in ("alice", "nobody"):
            client.user, client.password = user, "s3cret"
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                client.auth("PLAIN", client.auth_plain)
            said.append((refused.value.smtp_code, refused.value.smtp_error))
        assert client.docmd("AUTH", "PLAIN AGEAYg==")[0] == 535
        assert client.getreply()[0] == 421
    assert said[0] == said[1] and said[0][0] == 535
    lines = conftest.until(lambda: len(events(server, "login-failed")) == 3 and events(server, "login-failed"), "the log lines")
    assert lines[0]["mechanism"] == "PLAIN" and lines[0]["client"].endswith("[127.0.0.1]")
    log = (server.home / "log").read_text()
    assert "s3cret" not in log and "nobody" not in log
    assert server.ask("stats")["counters"]["logins-failed"] == 3
