"""A provider as most of them are: Postfix takes the mail, Dovecot checks the passwords."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import conftest  # noqa: E402
from conftest import postroad  # noqa: E402,F401
from test_dovecot import dovecot  # noqa: E402,F401
from test_logins import authority, events  # noqa: E402,F401
from test_tls_peers import serve_postfix  # noqa: E402

# Dovecot can compare it, and no more: SCRAM needs more than a hash of crypt(3).
HASHED = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"


@pytest.fixture
def provider(authority, dovecot, tmp_path):  # noqa: F811
    """The port of a Postfix that takes mail from who has logged in; and the file of Dovecot's log."""
    (tmp_path / "passwords").write_text(f"carol:{{PLAIN}}crayon\ndave:{HASHED}\n")
    checker = dovecot(tmp_path / "passwords")
    for folder in (checker.home, checker.home / "base"):
        folder.chmod(0o755)  # Postfix is another user.
    for port in serve_postfix(authority, "smtpd_sasl_auth_enable = yes", "smtpd_sasl_type = dovecot",
                              f"smtpd_sasl_path = {checker.socket}", "smtpd_tls_auth_only = yes",
                              "smtpd_relay_restrictions = permit_sasl_authenticated, reject"):
        yield port


def client(postroad, authority, port, user, password):  # noqa: F811
    conf = f'tls {{ ca = "{authority.path}" }}\n' \
        f'route "*" {{ via = {{"mx.postfix.test:{port}"}} tls = required user = "{user}" password-file = "password" }}\n'
    server = postroad(zone={"mx.postfix.test": {"A": ["127.0.0.1"]}}, conf=conf, start=False)
    set_password(server, password)
    server.start()
    with server.smtp() as session:
        session.sendmail("alice@example.org", ["bob@remote.test"], "Subject: x\r\n\r\nx\r\n")
    return server


def set_password(server, password):
    (server.home / "password").write_text(password)
    (server.home / "password").chmod(0o600)


@pytest.mark.parametrize("user, password", [("carol", "crayon"), ("dave", "password")], ids=["scram", "a hash for PLAIN alone"])
def test_postfix_and_dovecot(provider, postroad, authority, user, password):  # noqa: F811
    server = client(postroad, authority, provider, user, password)
    [line] = conftest.until(lambda: events(server, "delivered"), "the log line")
    assert "queued as" in line["reply"] and line["attempts"] == 1
    assert server.ask("stats")["counters"]["host-logins-failed"] == 0


def test_a_password_that_dovecot_refuses(provider, postroad, authority):  # noqa: F811
    server = client(postroad, authority, provider, "carol", "pencil")
    [line] = conftest.until(lambda: events(server, "host-login-failed"), "the log line")
    assert 'the login as "carol" was refused: 535 5.7.8 ' in line["reason"]
    set_password(server, "crayon")
    server.run("reload")
    conftest.until(lambda: events(server, "delivered"), "the message to arrive")
    assert events(server, "bounced") == []
