"""Mail that leaves by a SOCKS5 proxy (RFC 1928): the proxy is told addresses, and the hosts stand at ones that only it gets to."""
import socket
import struct
import threading

import pytest

import conftest

LETTER = "From: alice@example.org\r\nTo: carol@remote.test\r\nSubject: Hello\r\n\r\nHello.\r\n"


class Proxy:
    """Gets to `hosts` ("192.0.2.1": port on loopback), or says what `refusals` has for an address: the code of a reply, bytes that it
    says instead, or None to hang up. With `login` (user, password) it lets nobody else in (RFC 1929)."""

    def __init__(self, hosts, refusals=None, login=None, port=None):
        self.hosts, self.refusals, self.login = hosts, refusals or {}, login
        self.asked, self.logins = [], []
        self.listener = socket.create_server(("127.0.0.1", port or conftest.free_port()))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client:
            stream = client.makefile("rb")
            _, count = stream.read(2)
            methods = stream.read(count)
            wanted = 2 if self.login else 0
            client.sendall(bytes([5, wanted if wanted in methods else 255]))
            if wanted not in methods or (self.login and not self.log_in(client, stream)):
                return
            head = stream.read(4)
            if len(head) < 4:
                return
            family = head[3]
            address = socket.inet_ntop(*((socket.AF_INET, stream.read(4)) if family == 1 else (socket.AF_INET6, stream.read(16))))
            self.asked.append((address, struct.unpack("!H", stream.read(2))[0]))
            answer = self.refusals.get(address, 0)
            if answer == 0:
                client.sendall(b"\5\0\0\1\0\0\0\0\0\0")
                with socket.create_connection(("127.0.0.1", self.hosts[address])) as host:
                    threading.Thread(target=self.copy, args=(host, client), daemon=True).start()
                    self.copy(client, host)
            elif answer is not None:
                client.sendall(answer if isinstance(answer, bytes) else bytes([5, answer, 0, 1]) + bytes(6))

    def log_in(self, client, stream):
        stream.read(1)
        self.logins.append(tuple(stream.read(stream.read(1)[0]).decode() for _ in "up"))
        client.sendall(bytes([1, self.logins[-1] != self.login]))
        return self.logins[-1] == self.login

    @staticmethod
    def copy(source, sink):
        try:
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@pytest.fixture
def proxy():
    made = []

    def make(*words, **settings):
        made.append(Proxy(*words, **settings))
        return made[-1]

    yield make
    for one in made:
        try:
            one.close()
        except OSError:
            pass


def zone(**addresses):
    return {f"{name}.test": {"MX": [[10, f"mx.{name}.test"]]} for name in addresses} | {
        f"mx.{name}.test": {"AAAA" if ":" in each else "A": [each]} for name, each in addresses.items()}


def send(server, *recipients):
    with server.smtp() as client:
        client.sendmail("alice@example.org", recipients, LETTER)


def events(server, kind):
    return {event["to"]: event for event in server.log() if event["event"] == kind and "to" in event}


def test_mail_leaves_by_the_proxy(postroad, remote, proxy):
    """Over IPv4 and IPv6 that this machine has no way to; a host at home is called without it."""
    mx, home = remote(), remote()
    way = proxy({"192.0.2.1": mx.port, "2001:db8::1": mx.port})
    server = postroad(zone=zone(four="192.0.2.1", six="2001:db8::1"), outbound_port=mx.port, outbound='pool = "far" idle = 1m', conf=f'''
pool "far" {{ socks5 = "127.0.0.1:{way.port}" hostname = "far.example.org" }}
route "home.test" {{ via = {{"127.0.0.1:{home.port}"}} }}
''')
    send(server, "carol@four.test", "carol@six.test", "carol@home.test")
    conftest.until(lambda: len(mx.messages) == 2 and home.messages and server.queue_is_empty(), "three messages")
    assert sorted(way.asked) == [("192.0.2.1", mx.port), ("2001:db8::1", mx.port)]
    assert "EHLO far.example.org" in mx.commands
    delivered = {event["to"]: event for event in server.told("delivered", 3)}
    assert delivered["carol@four.test"]["source"] == delivered["carol@six.test"]["source"] == f"socks5 127.0.0.1:{way.port}"
    assert delivered["carol@four.test"]["host"] == "mx.four.test[192.0.2.1]"
    assert "source" not in delivered["carol@home.test"]

    told = server.ask("explain", "carol@four.test")["destinations"][0]
    assert (told["pool"], told["socks5"]) == ("far", f"127.0.0.1:{way.port}")
    assert f"pool:   far, by the SOCKS5 proxy 127.0.0.1:{way.port}" in server.run("explain", "carol@four.test").stdout
    assert f"SOCKS5 proxy 127.0.0.1:{way.port}" in server.run("check").stdout

    # What is open is used again.
    send(server, "carol@four.test")
    conftest.until(lambda: len(mx.messages) == 3, "one more")
    assert len(way.asked) == 2


def test_the_proxy_may_want_a_login(postroad, remote, proxy):
    mx = remote()
    way = proxy({"192.0.2.1": mx.port}, login=("mail", "sésame"))
    server = postroad(zone=zone(remote="192.0.2.1"), outbound_port=mx.port, outbound='pool = "far"', start=False, conf=f'''
pool "far" {{ socks5 = "127.0.0.1:{way.port}" user = "mail" password-file = "proxy.password" }}
''')
    secret = server.home / "proxy.password"
    secret.write_text("wrong\n")
    secret.chmod(0o600)
    server.start()
    send(server, "carol@remote.test")
    conftest.until(lambda: events(server, "deferred"), "a refused login")
    assert "does not take our user and password" in events(server, "deferred")["carol@remote.test"]["reply"]
    secret.write_text("sésame\n")
    server.run("reload")
    conftest.until(lambda: mx.messages, "the message")
    assert way.logins[0] == ("mail", "wrong") and way.logins[-1] == ("mail", "sésame")
    secret.chmod(0o644)
    assert "pool password-file" in server.run("check", check=False).stderr


def test_while_the_proxy_is_gone_mail_waits(postroad, remote, proxy):
    """Nothing is bounced, and the host is not taken to be dead: it was not asked."""
    mx, gone = remote(), conftest.free_port()
    server = postroad(zone=zone(remote="192.0.2.1"), outbound_port=mx.port, outbound='pool = "far"', retry=("1s",), conf=f'''
pool "far" {{ socks5 = "127.0.0.1:{gone}" }}
''')
    send(server, "carol@remote.test")
    conftest.until(lambda: len([event for event in server.log() if event["event"] == "deferred"]) >= 2, "two attempts")
    reply = events(server, "deferred")["carol@remote.test"]["reply"]
    assert f"our SOCKS5 proxy 127.0.0.1:{gone} cannot be used: connection refused" in reply
    proxy({"192.0.2.1": mx.port}, port=gone)
    conftest.until(lambda: mx.messages and server.queue_is_empty(), "the message")
    assert not [event for event in server.log() if event["event"] == "hosts-down"]


def test_the_proxy_says_where_it_does_not_get(postroad, remote, proxy):
    """The next host is asked; and who is blamed for it rests, others do not."""
    mx = remote()
    way = proxy({"192.0.2.1": mx.port}, refusals={"192.0.2.2": 5, "192.0.2.3": 1, "192.0.2.4": b"HTTP/1.0 400 Bad Request\r\n",
                                                  "192.0.2.5": None})
    names = zone(dead="192.0.2.2", lost="192.0.2.3", mad="192.0.2.4", mute="192.0.2.5")
    names |= {"two.test": {"MX": [[10, "mx.lost.test"], [20, "mx.two.test"]]}, "mx.two.test": {"A": ["192.0.2.1"]}}
    server = postroad(zone=names, outbound_port=mx.port, outbound='pool = "far"', retry=("1s",), conf=f'''
pool "far" {{ socks5 = "127.0.0.1:{way.port}" }}
''')
    troubled = ("dead", "lost", "mad", "mute")
    send(server, "carol@two.test", *(f"carol@{name}.test" for name in troubled))
    conftest.until(lambda: mx.messages and len(events(server, "deferred")) == 4, "one that comes, four that wait")
    replies = {name: events(server, "deferred")[f"carol@{name}.test"]["reply"] for name in troubled}
    name = f"our SOCKS5 proxy 127.0.0.1:{way.port}"
    assert f"by {name}: connection refused" in replies["dead"]
    assert f"{name} does not get to mx.lost.test[192.0.2.3]: it failed" in replies["lost"]
    assert f"{name} cannot be used: what it says is no SOCKS5" in replies["mad"]
    assert f"{name} cannot be used: " in replies["mute"]

    def tries(domain):
        return len([event for event in server.log() if event["event"] == "deferred" and event["to"] == f"carol@{domain}.test"])

    conftest.until(lambda: min(map(tries, troubled)) >= 3, "attempts that are enough to call a host dead")
    [down] = server.told("hosts-down")
    assert "mx.dead.test" in down["host"]


def test_a_proxy_that_gets_nowhere_in_time(postroad, proxy, remote):
    """That it answers us, and not whether it gets there, is the host's silence; one that does not even answer us is its own."""
    silence = threading.Event()

    class Slow(dict):
        def get(self, address, default):
            silence.wait(conftest.PATIENCE_S)

    way, mute = proxy({}, refusals=Slow({"192.0.2.1": 0})), socket.create_server(("127.0.0.1", conftest.free_port()))
    server = postroad(zone=zone(slow="192.0.2.1", mute="192.0.2.2", more="192.0.2.3"), outbound_port=25, outbound="connect-timeout = 1s",
                      retry=("1h",), conf=f'''lanes = 1
pool "slow" {{ socks5 = "127.0.0.1:{way.port}" }}
pool "mute" {{ socks5 = "127.0.0.1:{mute.getsockname()[1]}" }}
route "slow.test" {{ pool = "slow" }}
route "mute.test" {{ pool = "mute" }}
route "more.test" {{ pool = "mute" }}
''')
    send(server, "carol@slow.test", "carol@mute.test")
    conftest.until(lambda: len(events(server, "deferred")) == 2, "two that wait")
    deferred = events(server, "deferred")
    assert "it has not reached the host in time" in deferred["carol@slow.test"]["reply"]
    assert deferred["carol@slow.test"]["host"] == "mx.slow.test[192.0.2.1]"
    assert "cannot be used: it does not answer in time" in deferred["carol@mute.test"]["reply"]
    assert "host" not in deferred["carol@mute.test"]

    # From now on one at a time finds out whether it answers again.
    send(server, "dave@mute.test", "dave@more.test")
    conftest.until(lambda: {"dave@mute.test", "dave@more.test"} <= set(events(server, "deferred")), "two more that wait")
    assert all("does not answer in time" in events(server, "deferred")[f"dave@{name}.test"]["reply"] for name in ("mute", "more"))
    mute.settimeout(0)
    assert mute.accept() and mute.accept()
    with pytest.raises(BlockingIOError):
        mute.accept()
    silence.set()
    mute.close()
