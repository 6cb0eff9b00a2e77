"""What a client says of its password is not left in the memory of those who handled it."""
import base64
import socket
import ssl

import pytest

import conftest
from certificates import Authority
from test_roles import memory_holds, role_pid

SECRET = b"Unforgettable-" + 24 * b"x"


@pytest.fixture
def server(postroad, tmp_path):
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.issue("mail", "IP:127.0.0.1")
    port = conftest.free_port()
    server = postroad(users=(), start=False, conf=f'lanes = 1\ntls {{ certificate = "{certificate}" key = "{key}" }}\n'
                      f'listen "127.0.0.1:{port}" {{ role = submission tls = implicit }}\n')
    server.program = conftest.PLAIN  # The sanitizers keep what was freed, to look at it.
    server.run("user", "add", "alice", text=SECRET.decode() + "\n")
    server.start()
    server.submission, server.context = port, ssl.create_default_context(cafile=authority.path)
    return server


class Client:
    def __init__(self, server):
        raw = socket.create_connection(("127.0.0.1", server.submission), conftest.PATIENCE_S)
        self.socket = server.context.wrap_socket(raw, server_hostname="127.0.0.1")
        self.lines = self.socket.makefile("rb")
        self.hear()
        self.features = self.say("EHLO client.test")

    def hear(self):
        said = []
        while not said or said[-1][3:4] == b"-":
            said.append(self.lines.readline())
        return b"".join(said)

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.hear()

    def close(self):
        self.socket.close()


def plain(secret):
    return base64.b64encode(b"\0alice\0" + secret).decode()


def test_passwords_are_forgotten(server):
    def offers():
        client = Client(server)
        client.close()
        return b"250-AUTH " in client.features
    conftest.until(offers, "the auth role to be there")
    mail, auth = role_pid(server, "mail"), role_pid(server, "auth")
    marks = SECRET[3:-3], plain(SECRET)[16:-8].encode(), base64.b64encode(SECRET)[4:-4]

    def forgotten():
        return not any(memory_holds(pid, mark) for pid in (mail, auth) for mark in marks)

    clients = [Client(server) for _ in range(5)]
    # Half a line is held, and can be seen: the test knows where to look.
    line = f"AUTH PLAIN {plain(SECRET)}\r\n".encode()
    clients[0].socket.sendall(line[:-6])
    conftest.until(lambda: memory_holds(mail, marks[1]), "half a line to be held")
    clients[0].socket.sendall(line[-6:])
    assert clients[0].hear().startswith(b"235 ")
    assert clients[1].say(f"AUTH PLAIN {plain(SECRET)}").startswith(b"235 ")
    assert clients[2].say("AUTH LOGIN").startswith(b"334 ")
    assert clients[2].say(base64.b64encode(b"alice").decode()).startswith(b"334 ")
    assert clients[2].say(base64.b64encode(SECRET).decode()).startswith(b"235 ")
    assert clients[3].say(f"AUTH PLAIN {plain(SECRET + b'y')}").startswith(b"535 ")
    assert clients[4].say(f"AUTH PLAIN {plain(SECRET)}!").startswith(b"501 ")
    conftest.until(forgotten, "the passwords to be wiped")
    assert all(client.say("NOOP").startswith(b"250 ") for client in clients)
