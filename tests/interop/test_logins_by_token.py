"""Logins by tokens (OAUTHBEARER, RFC 7628): curl, and Python for what curl cannot do."""
import base64
import json
import pathlib
import smtplib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import conftest  # noqa: E402
from conftest import postroad  # noqa: E402,F401
from test_logins import HELLO, arrived, authority, context, events, run, serve  # noqa: E402,F401
from tokens import Provider  # noqa: E402


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    return Provider(tmp_path_factory.mktemp("provider"))


@pytest.fixture
def server(postroad, authority, provider):  # noqa: F811
    return serve(postroad, authority, users="alice\nbob\n", conf=provider.conf())


def bearer(client, token, name=""):
    said = f"n,{name},\1auth=Bearer {token}\1\1".encode()
    return client.docmd("AUTH", "OAUTHBEARER " + base64.b64encode(said).decode())


def connect(server, authority):  # noqa: F811
    client = smtplib.SMTP_SSL("127.0.0.1", server.implicit, context=context(authority), timeout=conftest.PATIENCE_S)
    client.ehlo()
    return client


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_curl(server, authority, provider, tmp_path, algorithm):
    (tmp_path / "message").write_text(HELLO)

    def send(token, good=True):
        return run("curl", "-sS", f"smtps://localhost:{server.implicit}", "--cacert", authority.path, "--user", "alice@example.org",
                   "--oauth2-bearer", token, "--mail-from", "alice@example.org", "--mail-rcpt", "bob@example.org", "-T",
                   tmp_path / "message", good=good)
    send(provider.token("alice@example.org", algorithm))
    assert arrived(server)
    send(provider.token("bob@example.org", algorithm), good=False)  # Who is not who he says.
    send(provider.token("alice@example.org", algorithm)[:-8] + "AAAAAAAA", good=False)


def test_refusals_say_why_to_both_sides(server, authority, provider):
    with connect(server, authority) as client:
        assert client.esmtp_features["auth"].split() == ["OAUTHBEARER"]  # Nobody has a password.
        code, challenge = bearer(client, provider.token("alice@example.org", exp=int(time.time()) - 3600))
        assert code == 334 and json.loads(base64.b64decode(challenge)) == {
            "status": "invalid_token", "openid-configuration": "https://idp.example.org/.well-known/openid-configuration"}
        assert client.docmd("AQ==")[0] == 535
        assert bearer(client, provider.token("stranger@example.org"))[0] == 334
        assert client.docmd("AQ==")[0] == 535
        code, said = bearer(client, provider.token("alice@example.org"), "a=alice")
        assert (code, said) == (235, b"2.7.0 Welcome")
        assert client.mail("alice@example.org")[0] == 250
    lines = conftest.until(lambda: len(events(server, "login-failed")) == 2 and events(server, "login-failed"), "the log lines")
    assert lines[0]["mechanism"] == "OAUTHBEARER" and lines[0]["reason"] == "the token has expired, or never does"
    assert "names no user here" in lines[1]["reason"]
    assert "stranger" not in (server.home / "log").read_text()


def test_a_wrong_set_of_keys_is_complained_of(server, provider):
    (server.home / "wrong.json").write_text('{"keys":[]}')
    server.write_conf(provider.conf().replace(str(provider.set), "wrong.json"))
    said = server.run("check", check=False)
    assert "wrong.json: there is no key for RS256 or ES256 (hint: " in said.stdout + said.stderr
