"""Routes that log in: our own server, aiosmtpd and scripted servers as providers."""
import smtplib
import ssl

import pytest

import conftest
from certificates import Authority
from conftest import Remote

HELLO = "From: carol@provider.test\r\nTo: bob@provider.test\r\nSubject: Hello\r\n\r\nHello.\r\n"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def provider(postroad, authority):
    """It takes mail from who logs in as carol with the password pencil, and from nobody else."""
    certificate, key = authority.issue("provider", "IP:127.0.0.1")
    ports = conftest.free_port(), conftest.free_port()
    made = postroad("provider", hostname="smtp.provider.test", domains=("provider.test",), users=(), relay_from="", start=False,
                    conf=f'tls {{ certificate = "{certificate}" key = "{key}" }}\n'
                    f'listen "127.0.0.1:{ports[0]}" {{ role = submission tls = required }}\n'
                    f'listen "127.0.0.1:{ports[1]}" {{ role = submission tls = implicit }}\n')
    for name, password in (("carol", "pencil"), ("bob", "eraser")):
        made.run("user", "add", name, text=f"{password}\n")
    made.start()
    made.submission, made.implicit = ports

    def offers():
        context = ssl.create_default_context(cafile=authority.path)
        with smtplib.SMTP_SSL("127.0.0.1", made.implicit, context=context, timeout=conftest.PATIENCE_S) as client:
            client.ehlo()
            return client.has_extn("auth")
    conftest.until(offers, "the auth role of the provider to be there")
    return made


@pytest.fixture
def client(postroad, authority):
    """A maker of servers that send all mail by a provider, with a login."""
    def make(port, password="pencil", tls="required", user="carol", **settings):
        conf = f'tls {{ ca = "{authority.path}" }}\n' \
            f'route "*" {{ via = {{"127.0.0.1:{port}"}} tls = {tls} user = "{user}" password-file = "password" }}\n'
        server = postroad("client", start=False, conf=conf, **settings)
        set_password(server, password)
        return server.start()
    return make


def set_password(server, password, mode=0o600):
    (server.home / "password").write_text(password)
    (server.home / "password").chmod(mode)


def send(server, sender="carol@provider.test"):
    with server.smtp() as session:
        session.sendmail(sender, ["bob@provider.test"], HELLO)


def events(server, kind):
    return [event for event in server.log() if event["event"] == kind]


def counter(server, name):
    return server.ask("stats")["counters"][name]


def waiting_because(server, words):
    """The last answer that stands in the queue."""
    return conftest.until(lambda: words in server.run("queue", "list").stdout and server.run("queue", "list").stdout,
                          f"mail that waits because: {words}")


@pytest.mark.parametrize("tls", ["required", "implicit"])
def test_mail_goes_by_a_provider(provider, client, tls):
    server = client(provider.implicit if tls == "implicit" else provider.submission, "pencil\n", tls)
    send(server)
    [message] = provider.mail("bob", "provider.test")
    assert b"with ESMTPSA (TLSv1.3 " in message
    conftest.until(server.queue_is_empty, "the message to leave")
    [line] = provider.told("received")
    assert line["user"] == "carol"
    assert counter(server, "host-logins") == 1 and counter(server, "host-logins-failed") == 0
    [destination] = server.ask("explain", "bob@provider.test")["destinations"]
    assert destination["login"] == "carol" and destination["rule"].endswith(", logs in as carol")
    assert ", logs in as carol" in server.run("explain", "bob@provider.test").stdout
    assert "logs in as carol" in server.run("check").stdout


def test_a_wrong_password_waits_for_the_right_one(provider, client):
    server = client(provider.submission, "Crayon-1")
    send(server)
    waiting_because(server, 'the login as "carol" was refused: 535 5.7.8')
    conftest.until(lambda: counter(server, "host-logins-failed") >= 2, "another attempt")
    [line] = server.told("host-login-failed")  # Once.
    assert line["user"] == "carol" and line["host"].startswith("127.0.0.1:") and '"carol" was refused: 535' in line["reason"]
    assert events(server, "bounced") == [] and events(provider, "received") == []

    set_password(server, "pencil")
    server.run("reload")
    provider.mail("bob", "provider.test")
    conftest.until(server.queue_is_empty, "the message to leave")
    [line] = server.told("host-login-works")
    assert line["user"] == "carol"
    # Nowhere is the password told.
    told = (server.home / "log").read_text() + server.said() + server.run("trace", "bob@provider.test").stdout
    assert "pencil" not in told and "Crayon" not in told


def test_no_password_lies_in_the_spool(provider, client):
    server = client(provider.submission, "pencil")
    send(server)
    provider.mail("bob", "provider.test")
    conftest.until(server.queue_is_empty, "the message to leave")
    assert not any(b"pencil" in path.read_bytes() for path in (server.home / "spool").iterdir() if path.is_file())


def test_no_auth_offered(client, authority):
    certificate, key = authority.issue("bare", "IP:127.0.0.1")
    remote = Remote(ehlo=("bare.test",))
    server = client(remote.port, tls="none")
    send(server)
    waiting_because(server, 'we are to log in as "carol", and the host does not offer AUTH without TLS')
    assert not any(command.upper().startswith(("MAIL", "AUTH")) for command in remote.commands)
    [line] = server.told("host-login-failed")
    assert "does not offer AUTH" in line["reason"]
    remote.close()


def test_no_password_in_clear_text(client):
    remote = Remote(ehlo=("clear.test", "AUTH PLAIN LOGIN"))
    server = client(remote.port, tls="starttls")
    send(server)
    waiting_because(server, "the host offers no mechanism that we use without TLS")
    assert not any(command.upper().startswith(("MAIL", "AUTH")) for command in remote.commands)
    remote.close()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_aiosmtpd(client, authority, mechanism):
    controller = pytest.importorskip("aiosmtpd.controller")
    smtp = pytest.importorskip("aiosmtpd.smtp")
    certificate, key = authority.issue("aio", "IP:127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    logins, messages = [], []

    def authenticate(_server, _session, _envelope, how, data):
        logins.append((how, data.login, data.password))
        return smtp.AuthResult(success=data.password == b"pencil")

    class Handler:
        async def handle_DATA(self, _server, _session, envelope):
            messages.append(envelope.content)
            return "250 Ok"

    class Provider(controller.Controller):
        def factory(self):
            other = {"PLAIN": ["LOGIN"], "LOGIN": ["PLAIN"]}[mechanism]
            return smtp.SMTP(self.handler, tls_context=context, require_starttls=True, auth_required=True,
                             authenticator=authenticate, auth_exclude_mechanism=other)

    aio = Provider(Handler(), hostname="127.0.0.1", port=conftest.free_port())
    aio.start()
    try:
        server = client(aio.port)
        send(server)
        conftest.until(lambda: messages, "the message")
        assert logins == [(mechanism, b"carol", b"pencil")]
        conftest.until(server.queue_is_empty, "the message to leave")
    finally:
        aio.stop()


def test_reroute_takes_the_login_of_the_route(provider, client, postroad, authority):
    """Mail that waits elsewhere goes by the provider when an operator says so, and as the provider wants it."""
    conf = f'tls {{ ca = "{authority.path}" }}\nroute "provider.test" {{ via = {{"127.0.0.1:1"}} }}\n' \
        f'route "*" {{ via = {{"127.0.0.1:{provider.submission}"}} tls = required user = "carol" password-file = "password" }}\n'
    server = postroad("client", start=False, conf=conf)
    set_password(server, "pencil")
    server.start()
    send(server)
    waiting_because(server, "refused")
    server.run("queue", "reroute", "all", "--via", f"127.0.0.1:{provider.submission}")
    provider.mail("bob", "provider.test")
    conftest.until(server.queue_is_empty, "the message to leave")


def test_what_check_says(postroad, authority):
    server = postroad("client", start=False)
    route = 'route "*" {{ via = {{"smtp.provider.test"}} {} }}\n'
    login = 'user = u password-file = "password"'

    def complaints(options):
        server.write_conf(route.format(options))
        result = server.run("check", check=False)
        return result.returncode, result.stdout + result.stderr

    code, said = complaints(f"tls = required {login}")
    assert code == 1 and 'route password-file "' in said and "cannot be used: No such file" in said
    set_password(server, "pencil\n", 0o644)
    code, said = complaints(f"tls = required {login}")
    assert code == 1 and "everybody on this machine may read or change it (hint: chmod o= FILE)" in said
    set_password(server, "\npencil\n")
    code, said = complaints(f"tls = required {login}")
    assert code == 1 and "its first line is empty" in said
    set_password(server, "p" * 1025)
    code, said = complaints(f"tls = required {login}")
    assert code == 1 and "too long for a password" in said
    set_password(server, "pencil\r\nand some remark\n", 0o640)
    assert complaints(f"tls = required {login}")[0] == 0
    code, said = complaints(login)
    assert code == 1 and "logs in where others may listen (hint: tls = required" in said
    code, said = complaints("tls = required user = u")
    assert code == 1 and "has half of a login (hint: user and password-file)" in said
