"""TLS in both roles, with the peers that everybody has: openssl(1), Python's smtplib, aiosmtpd."""
import smtplib
import socket
import ssl
import subprocess

import pytest

import conftest
from certificates import Authority

ZONE = {"remote.test": {"MX": [[10, "mx.remote.test"]]}, "mx.remote.test": {"A": ["127.0.0.1"]}}
HELLO = "From: alice@example.org\r\nTo: carol@remote.test\r\nSubject: Hello\r\n\r\nHello.\r\n"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def secure(postroad, authority):
    """A maker of servers with a certificate for mail.example.org and 127.0.0.1."""
    def make(conf="", tls="", **settings):
        certificate, key = authority.issue("mail", "DNS:mail.example.org", "IP:127.0.0.1")
        return postroad(conf=f'tls {{ certificate = "{certificate}" key = "{key}" {tls} }}\n{conf}', **settings)
    return make


def context(authority):
    return ssl.create_default_context(cafile=authority.path)


def s_client(port, *words, text="QUIT\n"):
    result = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-crlf", "-ign_eof", *words], input=text,
                            capture_output=True, text=True, timeout=conftest.PATIENCE_S)
    return result.stdout + result.stderr


def serial_of(port, authority):
    with smtplib.SMTP("127.0.0.1", port, timeout=conftest.PATIENCE_S) as client:
        client.starttls(context=context(authority))
        return client.sock.getpeercert()["serialNumber"]


def received(server):
    return [event for event in server.log() if event["event"] == "received"]


def count(server, name):
    return server.ask("stats")["counters"][name]


# -- Clients that come to us


def test_starttls(secure, authority):
    server = secure()
    with server.smtp() as client:
        client.ehlo()
        assert client.has_extn("starttls")
        client.starttls(context=context(authority))
        assert not client.has_extn("starttls")
        client.sendmail("carol@remote.test", ["alice@example.org"], HELLO)
    message = server.mail("alice")[0].decode()
    assert "\n\twith ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384) id " in message
    [line] = conftest.until(lambda: received(server), "the log line")
    assert line["tls"] == "TLSv1.3 TLS_AES_256_GCM_SHA384" and line["protocol"] == "ESMTPS"
    steps = server.ask("trace", "alice@example.org")[0]["steps"]
    assert steps[0]["tls"].startswith("TLSv1.3")
    assert count(server, "tls-in") == 1


def test_implicit_and_required(secure, authority):
    implicit, required = conftest.free_port(), conftest.free_port()
    server = secure(f'listen "127.0.0.1:{implicit}" {{ role = submission tls = implicit }}\n'
                    f'listen "127.0.0.1:{required}" {{ role = submission tls = required }}\n')
    with smtplib.SMTP_SSL("127.0.0.1", implicit, context=context(authority), timeout=conftest.PATIENCE_S) as client:
        client.sendmail("bob@example.org", ["alice@example.org"], HELLO)
    with smtplib.SMTP("127.0.0.1", required, timeout=conftest.PATIENCE_S) as client:
        client.ehlo()
        assert client.mail("bob@example.org")[0] == 530
        client.starttls(context=context(authority))
        client.sendmail("bob@example.org", ["alice@example.org"], HELLO)
    server.mail("alice", count=2)


def test_a_batch_and_the_end_of_the_clients_side(secure, authority):
    """Who says all at once and closes its half gets its answers to the end, inside TLS as well."""
    port = conftest.free_port()
    server = secure(f'listen "127.0.0.1:{port}" {{ role = submission tls = implicit }}\n')
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context(authority).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    batch = ("EHLO client.test\r\nMAIL FROM:<bob@example.org>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n"
             + HELLO + ".\r\n").encode()
    with socket.create_connection(("127.0.0.1", port), conftest.PATIENCE_S) as client:
        def drive(step):
            """As often as it takes, with the bytes of the other side."""
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    if outgoing.pending:
                        client.sendall(outgoing.read())
                    piece = client.recv(65536)
                    incoming.write(piece) if piece else incoming.write_eof()

        drive(session.do_handshake)
        session.write(batch)
        with pytest.raises(ssl.SSLWantReadError):
            session.unwrap()  # Only says that no more will come.
        client.sendall(outgoing.read())
        client.shutdown(socket.SHUT_WR)
        heard = b""
        while b"queued as" not in heard:
            piece = drive(lambda: session.read(65536))
            assert piece, heard
            heard += piece
    server.mail("alice")


def test_versions(secure):
    server = secure()
    for version, good in (("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
        said = s_client(server.port, "-starttls", "smtp", version, "-cipher", "DEFAULT:@SECLEVEL=0")
        assert ("Cipher is (NONE)" not in said and "\n221 " in said) == good, said


def test_certificates_by_name_and_by_kind_of_key(postroad, authority):
    files = [authority.issue("rsa", "DNS:mail.example.org", kind="rsa"), authority.issue("ec", "DNS:mail.example.org"),
             authority.issue("other", "DNS:*.example.net")]
    lists = [", ".join(f'"{each[part]}"' for each in files) for part in (0, 1)]
    server = postroad(conf="tls { certificate = {%s} key = {%s} }\n" % tuple(lists))

    def subject(*words):
        said = s_client(server.port, "-starttls", "smtp", *words)
        return said.split("subject=CN = ")[1].split("\n")[0]

    assert subject("-servername", "mail.example.org", "-sigalgs", "RSA-PSS+SHA256") == "rsa"
    assert subject("-servername", "mail.example.org", "-sigalgs", "ECDSA+SHA256") == "ec"
    assert subject("-servername", "smtp.example.net") == "other"
    assert subject("-servername", "unknown.test", "-sigalgs", "RSA-PSS+SHA256") == "rsa"
    assert subject("-noservername", "-sigalgs", "ECDSA+SHA256") == "ec"


def test_clear_text_behind_starttls(secure):
    server = secure()
    with socket.create_connection((server.address, server.port), conftest.PATIENCE_S) as client:
        lines = client.makefile("rb")
        lines.readline()
        client.sendall(b"EHLO client.test\r\n")
        while lines.readline()[3:4] != b" ":
            pass
        client.sendall(b"STARTTLS\r\nMAIL FROM:<a@client.test>\r\nRCPT TO:<alice@example.org>\r\n")
        assert lines.readline().startswith(b"554 5.5.1")
        assert lines.readline() == b""


def test_noise_in_a_handshake_is_logged(secure):
    server = secure()
    with socket.create_connection((server.address, server.port), conftest.PATIENCE_S) as client:
        lines = client.makefile("rb")
        lines.readline()
        client.sendall(b"EHLO client.test\r\n")
        while lines.readline()[3:4] != b" ":
            pass
        client.sendall(b"STARTTLS\r\n")
        assert lines.readline().startswith(b"220")
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while client.recv(1000):
            pass
    [line] = conftest.until(lambda: [event for event in server.log() if event["event"] == "handshake-failed"], "the line")
    assert line["client"].endswith("[127.0.0.1]") and line["reason"]
    assert count(server, "tls-in-failed") == 1


def test_a_silent_handshake_ends(secure):
    implicit = conftest.free_port()
    server = secure(f'listen "127.0.0.1:{implicit}" {{ role = submission tls = implicit }}\nlimits {{ idle = 1s }}\n')
    with socket.create_connection((server.address, implicit), conftest.PATIENCE_S) as client:
        assert client.recv(1000) == b""
    conftest.until(lambda: [event for event in server.log() if event.get("reason") == "timed out"], "the line")


def test_sessions_are_resumed_in_every_lane(secure, authority):
    server = secure("lanes = 2\n")
    trust, session = context(authority), None
    trust.maximum_version = ssl.TLSVersion.TLSv1_2  # Python gives the session at once.
    for attempt in range(6):
        with socket.create_connection((server.address, server.port), conftest.PATIENCE_S) as plain:
            plain.recv(1000)
            plain.sendall(b"EHLO client.test\r\n")
            plain.recv(1000)
            plain.sendall(b"STARTTLS\r\n")
            plain.recv(1000)
            with trust.wrap_socket(plain, server_hostname="mail.example.org", session=session) as client:
                assert client.session_reused == (attempt > 0)
                session = client.session


def test_new_certificates_come_without_a_pause(secure, authority):
    server = secure()
    first = serial_of(server.port, authority)
    with server.smtp() as old:
        old.starttls(context=context(authority))
        authority.issue("mail", "DNS:mail.example.org", "IP:127.0.0.1")
        second = conftest.until(lambda: serial_of(server.port, authority) not in (first, None)
                                and serial_of(server.port, authority), "the new certificate")
        (authority.folder / "mail.key").write_text("no key\n")
        conftest.until(lambda: b"stay" in (server.home / "stderr").read_bytes(), "the complaint")
        assert serial_of(server.port, authority) == second
        assert server.run("reload", check=False).returncode in (0, 1)
        authority.issue("mail", "DNS:mail.example.org", "IP:127.0.0.1")
        server.run("reload")
        conftest.until(lambda: serial_of(server.port, authority) not in (first, second), "the third certificate")
        old.sendmail("carol@remote.test", ["alice@example.org"], HELLO)
    server.mail("alice")


def test_client_certificates(secure, authority):
    certificate, key = authority.issue("client", "email:alice@example.org")
    stranger, strange_key = Authority(authority.folder / "strangers").issue("mallory", "email:alice@example.org")
    server = secure(tls=f'client-ca = "{authority.path}"')
    seen = 0
    for files, name in (((certificate, key), "alice@example.org"), ((stranger, strange_key), None), (None, None)):
        trust = context(authority)
        if files:
            trust.load_cert_chain(*files)
        with server.smtp() as client:
            client.starttls(context=trust)
            client.sendmail("carol@remote.test", ["bob@example.org"], HELLO)
        seen += 1
        events = conftest.until(lambda: len(received(server)) == seen and received(server), "the log line")
        assert events[-1].get("certificate") == name


def test_check_tells_what_is_wrong(secure, authority):
    server = secure(f'listen "127.0.0.1:{conftest.free_port()}" {{ role = mx tls = required }}\n')
    assert "warning: servers without TLS cannot send" in server.run("check").stdout
    (authority.folder / "mail.key").write_text("no key\n")
    result = server.run("check", check=False)
    assert result.returncode == 1 and "mail.key: cannot be used" in result.stdout + result.stderr


# -- Servers that we go to


class Taker:
    """What aiosmtpd hands its messages to."""

    def __init__(self):
        self.got = []

    async def handle_DATA(self, server, session, envelope):
        self.got.append((session.ssl is not None, envelope))
        return "250 OK"


@pytest.fixture
def taker():
    """A maker of servers with TLS; `taker.got` says of each message whether it came under TLS."""
    aiosmtpd = pytest.importorskip("aiosmtpd.controller")
    made = []

    def make(files=None, implicit=False):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if files else None
        if tls:
            tls.load_cert_chain(*files)
        taker = Taker()
        how = {"ssl_context": tls} if implicit else {"tls_context": tls}
        controller = aiosmtpd.Controller(taker, hostname="127.0.0.1", port=conftest.free_port(), **how)
        controller.start()
        made.append(controller)
        taker.port = controller.port
        return taker

    yield make
    for controller in made:
        controller.stop()


def send(server, to="carol@remote.test"):
    with server.smtp() as client:
        client.sendmail("alice@example.org", [to], HELLO)


def delivered(server):
    return conftest.until(lambda: [event for event in server.log() if event["event"] == "delivered"], "the log line")[0]


def test_tls_where_it_is_offered(postroad, taker, authority):
    mx = taker(authority.issue("nobody", "DNS:somebody.else.test"))
    server = postroad(zone=ZONE, outbound_port=mx.port)
    send(server)
    assert delivered(server)["tls"].startswith("TLSv1.3 ")
    assert mx.got[0][0]
    assert count(server, "tls-out") == 1
    steps = server.ask("trace", "carol@remote.test")[0]["steps"]
    assert [step["tls"] for step in steps if step["event"] == "delivered"][0].startswith("TLSv1.3 ")


def test_no_tls_where_it_is_not_wanted(postroad, taker, authority):
    mx = taker(authority.issue("mx", "DNS:mx.remote.test"))
    server = postroad(zone=ZONE, outbound_port=mx.port, outbound="tls = none")
    send(server)
    assert delivered(server)["tls"] == "none"
    assert not mx.got[0][0]


@pytest.mark.parametrize("tls", ["required", "implicit"])
def test_a_verified_route(postroad, taker, authority, tls):
    right = taker(authority.issue("mx", "DNS:mx.remote.test"), implicit=tls == "implicit")
    address = taker(authority.issue("address", "IP:127.0.0.1"), implicit=tls == "implicit")
    server = postroad(zone=ZONE, conf=f'tls {{ ca = "{authority.path}" }}\n'
                      f'route "remote.test" {{ via = {{"mx.remote.test:{right.port}"}} tls = {tls} }}\n'
                      f'route "address.test" {{ via = {{"127.0.0.1:{address.port}"}} tls = {tls} }}\n')
    send(server)
    send(server, "carol@address.test")
    conftest.until(lambda: right.got and address.got, "both messages")
    conftest.until(server.queue_is_empty, "an empty queue")
    assert count(server, "tls-out") == 2


def test_a_route_that_cannot_be_verified_waits(postroad, taker, authority):
    wrong_name = taker(authority.issue("other", "DNS:other.test"))
    stranger = taker(Authority(authority.folder / "strangers").issue("mx", "DNS:mx.remote.test"))
    none = taker()
    server = postroad(zone=ZONE, retry=("1h",), conf=f'tls {{ ca = "{authority.path}" }}\n' + "".join(
        f'route "{name}.test" {{ via = {{"mx.remote.test:{each.port}"}} tls = required }}\n'
        for name, each in (("wrong", wrong_name), ("stranger", stranger), ("none", none))))
    for name, words in (("wrong", "4.7.5 TLS cannot be had: hostname mismatch"), ("stranger", "4.7.5 TLS cannot be had: "),
                        ("none", "4.7.4 TLS is demanded")):
        send(server, f"carol@{name}.test")
        [event] = conftest.until(lambda name=name: [event for event in server.log() if event["event"] == "deferred"
                                                    and event["to"] == f"carol@{name}.test"], "the deferral")
        assert words.split(" ", 1)[1] in event["reply"] and event["status"] == words.split(" ")[0]
    assert not wrong_name.got + stranger.got + none.got
    assert server.ask("explain", "carol@none.test")["destinations"][0]["destination"].endswith(", TLS required")


class Broken(conftest.Remote):
    """Offers STARTTLS, and cannot."""

    def serve(self, connection):
        self.connection = connection
        super().serve(connection)

    def answer(self, verb, line, default):
        if verb != "STARTTLS":
            return super().answer(verb, line, default)
        self.connection.sendall(b"220 go\r\n")
        self.connection.recv(10000)
        self.connection.sendall(b"sorry, no\r\n")
        return "DROP"


def test_clear_text_when_a_handshake_fails(postroad):
    mx = Broken(ehlo=("remote.test", "STARTTLS"))
    try:
        server = postroad(zone=ZONE, outbound_port=mx.port)
        send(server)
        conftest.until(lambda: mx.messages, "the message")
        assert mx.connections == 2
        assert delivered(server)["tls"].startswith("none (TLS cannot be had: ")
        assert count(server, "tls-out-failed") == 1
    finally:
        mx.close()
