"""What one client may take, in all its connections together: limits, early talk, slow replies to mistakes."""
import smtplib
import socket
import ssl
import time

import pytest

import conftest
from certificates import Authority

HELLO = "Subject: Hello\r\n\r\nHello.\r\n"
LIMITS = """client { connections = 3 connects = "8/1h" handshakes = "5/1h" messages = "4/1h" recipients = "6/1h" errors = "6/1h" unknown = "5/1h"
                     logins = "2/1h" tarpit = 0s }
            lanes = 2\n"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Trusts 127.0.0.1; every test is a stranger with an address of its own."""
    home = tmp_path_factory.mktemp("clients")
    authority = Authority(home / "authority")
    certificate, key = authority.issue("mail", "DNS:mail.example.org", "IP:127.0.0.1")
    made = conftest.Postroad(home / "org", relay_from='"127.0.0.1"', users=(),
                             conf=f'tls {{ certificate = "{certificate}" key = "{key}" }}\n' + LIMITS)
    made.submission = conftest.free_port()
    made.base += f'listen "127.0.0.1:{made.submission}" {{ role = submission }}\n'
    made.write_conf(f'tls {{ certificate = "{certificate}" key = "{key}" }}\n' + LIMITS)
    made.run("user", "add", "alice", text="pencil\n")
    made.authority = authority
    yield made.start()
    made.stop()


class Client:
    """Talks a line at a time from an address of its own."""

    def __init__(self, server, source, port=None):
        self.socket = socket.create_connection((server.address, port or server.port), conftest.PATIENCE_S, (source, 0))
        self.lines = self.socket.makefile("rb")

    def hear(self):
        while (line := self.lines.readline().decode()) and line[3:4] == "-":
            pass
        return line.rstrip("\r\n")

    def ask(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.hear()

    def close(self):
        self.lines.close()
        self.socket.close()


def greeting(server, source):
    """Said to a client that is gone, also for the server, when this returns."""
    client = Client(server, source)
    try:
        said = client.hear()
        if said.startswith("220 "):
            client.ask("QUIT")
        assert client.lines.read() == b""
        return said
    finally:
        client.close()


def counter(server, name):
    return server.ask("stats")["counters"][name]


def test_connections_at_one_time(server):
    before = counter(server, "limited")
    clients = [Client(server, "127.0.1.1") for _ in range(3)]
    assert all(client.hear().startswith("220 ") for client in clients)
    assert greeting(server, "127.0.1.1") == "421 Too many connections at one time from your address, try again later"
    assert greeting(server, "127.0.1.2").startswith("220 ")
    assert counter(server, "limited") > before
    clients.pop().close()
    conftest.until(lambda: greeting(server, "127.0.1.1").startswith("220 "), "room for another")
    for client in clients:
        client.close()


def test_connections_in_a_while(server):
    greetings = [greeting(server, "127.0.2.1") for _ in range(10)]
    assert [said[:3] for said in greetings] == ["220"] * 8 + ["421"] * 2
    assert "in a short time" in greetings[-1]
    # Who may relay has no limit.
    assert all(greeting(server, "127.0.0.1").startswith("220 ") for _ in range(12))


def test_handshakes_in_a_while(server):
    context = ssl.create_default_context(cafile=server.authority.path)
    said = []
    for _ in range(7):
        with smtplib.SMTP(server.address, server.port, "client.test", conftest.PATIENCE_S, ("127.0.8.1", 0)) as client:
            client.ehlo()
            code, words = client.docmd("STARTTLS")
            said.append((code, words.decode()))
            client.close()
    assert [code for code, _ in said] == [220] * 5 + [421] * 2, "broken off or not, a handshake counts"
    assert said[-1][1] == "4.7.0 Too many handshakes from your address, try again later"
    assert counter(server, "limited") >= 2
    # Others are served, and so is it without TLS.
    with smtplib.SMTP(server.address, server.port, "client.test", conftest.PATIENCE_S, ("127.0.8.2", 0)) as client:
        assert client.starttls(context=context)[0] == 220
    assert greeting(server, "127.0.8.1").startswith("220 ")


def test_unknown_recipients_are_remembered(server):
    client = Client(server, "127.0.3.1")
    client.hear()
    client.ask("EHLO harvester.test")
    assert client.ask("MAIL FROM:<a@client.test>").startswith("250")
    assert all(client.ask(f"RCPT TO:<x{i}@example.org>").startswith("550 5.1.1") for i in range(5))
    assert client.ask("RCPT TO:<alice@example.org>") == \
        "421 4.7.0 Too many unknown recipients from your address, try again later"
    assert client.lines.read() == b""
    client.close()
    assert greeting(server, "127.0.3.1").startswith("421 Too many")
    assert greeting(server, "127.0.3.2").startswith("220 ")


def test_errors_are_remembered(server):
    for _ in range(2):
        client = Client(server, "127.0.4.1")
        client.hear()
        assert all(client.ask("WHAT").startswith("500") for _ in range(3))
        client.close()
    conftest.until(lambda: greeting(server, "127.0.4.1").startswith("421 Too many errors"), "errors to count")


def test_messages_and_recipients_in_a_while(server):
    with smtplib.SMTP(server.address, server.port, "client.test", conftest.PATIENCE_S, ("127.0.5.1", 0)) as client:
        for _ in range(4):
            client.sendmail("a@client.test", ["alice@example.org"], HELLO)
        code, words = client.mail("a@client.test")
        assert code == 451 and words.startswith(b"4.7.0 Too many messages")
    with smtplib.SMTP(server.address, server.port, "client.test", conftest.PATIENCE_S, ("127.0.5.2", 0)) as client:
        client.ehlo()
        client.mail("a@client.test")
        codes = [client.rcpt("alice@example.org") for _ in range(7)]
        assert [code for code, _ in codes] == [250] * 6 + [451]
        assert codes[-1][1].startswith(b"4.7.0 Too many recipients")


def test_failed_logins_are_remembered(server):
    context = ssl.create_default_context(cafile=server.authority.path)

    def login(source, password):
        with smtplib.SMTP("127.0.0.1", server.submission, "client.test", conftest.PATIENCE_S, (source, 0)) as client:
            client.starttls(context=context)
            client.ehlo()
            client.user, client.password = "alice", password
            try:
                return client.auth("PLAIN", client.auth_plain)[0]
            except smtplib.SMTPAuthenticationError as error:
                return error.smtp_code

    conftest.until(lambda: login("127.0.6.1", "pencil") == 235, "the auth role to be there")
    refused = counter(server, "logins-refused")
    assert [login("127.0.6.2", "wrong") for _ in range(2)] == [535, 535]
    assert login("127.0.6.2", "pencil") == 454
    assert login("127.0.6.3", "pencil") == 235
    conftest.until(lambda: counter(server, "logins-refused") > refused, "the refusal to count")
    conftest.until(lambda: [e for e in server.log() if e["event"] == "login-refused" and "127.0.6.2" in e["client"]],
                   "the log to tell")


def test_early_talkers_and_slow_replies(postroad):
    server = postroad(relay_from='"127.0.0.1"', conf="client { greet-delay = 1s tarpit = 200ms }\n")
    early, patient = Client(server, "127.0.7.1"), Client(server, "127.0.7.2")
    assert early.ask("EHLO spammer.test").startswith("554 You spoke before you were greeted")
    assert early.lines.read() == b""
    assert patient.hear().startswith("220 ")
    # Three mistakes are answered at once; then the replies wait, and what was said behind them with them.
    patient.socket.sendall(b"WHAT\r\n" * 5 + b"NOOP\r\n")
    began = time.monotonic()
    assert [patient.hear()[:3] for _ in range(6)] == ["500"] * 5 + ["250"]
    assert time.monotonic() - began >= 0.35
    # Nobody who may relay waits.
    with server.smtp() as trusted:
        trusted.sendmail("a@client.test", ["alice@example.org"], HELLO)
    assert [event["code"] for event in server.told("rejected")] == [554]
