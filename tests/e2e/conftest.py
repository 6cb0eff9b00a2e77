"""Servers for end-to-end tests: real processes, real sockets, on loopback."""
import json
import os
import pathlib
import signal
import smtplib
import socket
import subprocess
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import servers  # noqa: E402
from servers import PATIENCE_S, PROGRAM, free_port, until  # noqa: E402,F401


# What takes longest, by far; of interop, too.
LONG = ("test_disk_faults", "test_slow", "test_remote", "test_tls", "test_web", "test_web_page", "test_roles", "test_logins", "test_doctor",
        "test_descriptors", "test_smarthost_peers", "test_smarthost", "test_memory", "test_pipe", "test_socks5", "test_manual")


def pytest_collection_modifyitems(items):
    """Workers share out whole files: the long ones come first, so that none is left with one when the others have ended."""
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG)))


def group_lives(group):
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(") ", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            return True
    return False


# Without sanitizers: they have an allocator and much address space of their own.
PLAIN = os.environ.get("POSTROAD_PLAIN", str(servers.ROOT / "build" / "postroad"))


def preload(folder, name):
    """The environment that puts a library of tests/preload before a program."""
    library = pathlib.Path(folder) / f"{name}.so"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library,
                    servers.ROOT / "tests" / "preload" / f"{name}.c", "-ldl", "-pthread"], check=True)
    # The address sanitizer wants to come first, and does not have to.
    return {"LD_PRELOAD": str(library),
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


class Postroad(servers.Server):
    """One server with a folder of its own; `conf` is added to a small configuration."""

    def __init__(self, home, conf="", hostname="mail.example.org", domains=("example.org",), users=("alice", "bob"),
                 aliases=None, address="127.0.0.1", zone=None, retry=("1s", "1s", "2s"), dns=None, outbound_port=None, outbound="",
                 relay_from='"127.0.0.0/8"'):
        super().__init__(home, address, free_port(address))
        self.write_users(users)
        if aliases is not None:
            (self.home / "aliases").write_text(aliases)
        self.set_zone(zone or {})
        bracketed = f"[{address}]" if ":" in address else address
        quoted = ", ".join(f'"{domain}"' for domain in domains)
        self.base = "\n".join(filter(None, [
            f'hostname = "{hostname}"',
            f"domains = {{{quoted}}}",
            f'listen "{bracketed}:{self.port}" {{ role = mx }}',
            'users = "users"',
            'aliases = "aliases"' if aliases is not None else None,
            'mailbox { path = "mail/%d/%u" }',
            f"relay-from = {{{relay_from}}}",
            dns or 'dns { zone = "zone.json" }',
            f"outbound {{ port = {outbound_port or self.port} {outbound} }}",
            "queue { retry = {%s} }" % ", ".join(f'"{gap}"' for gap in retry),
            'spool { path = "spool" }',
            'control = "control.sock"',
            'log { to = "log" format = json }',
            'run-as = ""',
        ])) + "\n"
        self.write_conf(conf)

    def set_zone(self, zone):
        (self.home / "zone.json").write_text(json.dumps(zone))

    def write_conf(self, more=""):
        self.conf.write_text(self.base + more)

    def stop(self):
        code = super().stop()
        assert code in (None, 0), self.said()
        said = self.said() if code is not None else ""
        assert "Sanitizer" not in said and "broken truth" not in said and "may not call" not in said, said

    def kill(self):
        """All roles at once, as a power cut of the machine's mind would."""
        if self.process:
            group = self.process.pid
            os.killpg(group, signal.SIGKILL)
            self.process.wait()
            self.process = None
            until(lambda: not group_lives(group), "the roles to be gone")

    def ask(self, *words):
        return json.loads(self.run(*words, "--json").stdout)

    def control(self, request):
        """One question to the control socket, past the command line."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE_S)
            s.connect(str(self.home / "control.sock"))
            s.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(s.makefile("rb").readline())

    def smtp(self):
        return smtplib.SMTP(self.address, self.port, local_hostname="client.test", timeout=PATIENCE_S)

    def smtp_code(self):
        """Of the greeting."""
        with socket.create_connection((self.address, self.port), PATIENCE_S) as s:
            return int(s.recv(3))

    def queue(self):
        return self.ask("queue", "list")

    def queue_is_empty(self):
        """Asked again and again, and so without a process for each time where somebody listens."""
        try:
            answer = self.control({"do": "queue list"})
            return not answer["messages"] and not answer.get("next")
        except (OSError, ValueError, KeyError):
            return self.queue() == []

    def mailbox(self, user, domain="example.org"):
        return sorted((self.home / "mail" / domain / user / "new").glob("*"))

    def mail(self, user, domain="example.org", count=1):
        """The bytes of the `count` messages that a mailbox is to hold."""
        paths = until(lambda: len(self.mailbox(user, domain)) >= count and self.mailbox(user, domain),
                      f"{count} messages for {user}")
        assert len(paths) == count
        return [path.read_bytes() for path in paths]

    def log(self):
        lines = (self.home / "log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def told(self, kind, count=1, **fields):
        """The lines of a kind that the log has, and is to have `count` of: each is written a moment after what it tells."""
        def found():
            lines = [line for line in self.log() if line["event"] == kind and fields.items() <= line.items()]
            return len(lines) >= count and lines
        lines = until(found, f"{count} lines that tell {kind}")
        assert len(lines) == count, lines
        return lines


@pytest.fixture
def postroad(tmp_path):
    """A maker of servers, stopped (and checked) at the end."""
    made = []

    def make(name="org", start=True, **settings):
        server = Postroad(tmp_path / name, **settings)
        made.append(server)
        return server.start() if start else server

    yield make
    for server in made:
        server.stop()


class Remote:
    """A scripted SMTP server: `script` maps a verb, GREETING or END (the final dot) to what it answers, or to a
    function that says so; None stands for the usual answer.

    BODY is asked before a body, or a piece of it, is read: the answer DEAF reads no more until the end of the test.
    The answer DROP ends the connection, SILENCE waits until the other side does. With `dribble` every byte of an answer
    goes out by itself."""

    def __init__(self, address="127.0.0.1", port=None, script=None, ehlo=("remote.test",), greeting="220 remote.test",
                 dribble=False, listener=None):
        self.script, self.ehlo, self.greeting, self.dribble = script or {}, ehlo, greeting, dribble
        self.messages, self.commands, self.peers, self.connections = [], [], [], 0
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = listener or socket.create_server((address, port or free_port(address)), family=family, reuse_port=False)
        self.address, self.port = self.listener.getsockname()[:2]
        self.closing = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.closing.set()
        self.listener.close()

    def accept(self):
        while not self.closing.is_set():
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            self.peers.append(peer[0])
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def answer(self, verb, line, default):
        reply = self.script.get(verb)
        reply = reply(line) if callable(reply) else reply
        return default if reply is None else reply

    def serve(self, connection):
        with connection:
            try:
                self.talk(connection, connection.makefile("rb"))
            except OSError:
                pass

    def talk(self, connection, lines):
        def say(reply):
            if reply == "SILENCE":
                lines.read()
            if reply in ("DROP", "SILENCE"):
                raise OSError(f"{reply} by script")
            line = reply.encode() + b"\r\n"
            for at in range(0, len(line), 1 if self.dribble else len(line)):
                connection.sendall(line[at:at + 1] if self.dribble else line)

        def listen_to_body(text):
            if self.answer("BODY", text, None) == "DEAF":
                self.closing.wait()
                raise OSError("DEAF by script")

        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        say(self.answer("GREETING", "", self.greeting))
        envelope = {}
        while True:
            line = lines.readline()
            if not line:
                return
            text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            verb = text.split(" ")[0].upper()
            self.commands.append(text)
            if verb == "EHLO":
                features = "".join(f"250-{word}\r\n" for word in self.ehlo[:-1]) + f"250 {self.ehlo[-1]}"
                say(self.answer(verb, text, features))
            elif verb == "MAIL":
                envelope = {"from": text, "to": []}
                say(self.answer(verb, text, "250 2.1.0 ok"))
            elif verb == "RCPT":
                reply = self.answer(verb, text, "250 2.1.5 ok")
                if reply.startswith("2"):
                    envelope["to"].append(text)
                say(reply)
            elif verb == "DATA":
                reply = self.answer(verb, text, "354 go on" if envelope.get("to") else "554 5.5.1 no recipients")
                say(reply)
                if reply.startswith("354"):
                    listen_to_body(text)
                    body = bytearray()
                    while (line := lines.readline()) != b".\r\n":
                        if not line:
                            return
                        body += line[1:] if line.startswith(b".") else line
                    self.finish(say, envelope, bytes(body))
            elif verb == "BDAT":
                words = text.split()
                listen_to_body(text)
                envelope["body"] = envelope.get("body", b"") + lines.read(int(words[1]))
                if words[-1].upper() == "LAST":
                    self.finish(say, envelope, envelope.pop("body"))
                else:
                    say("250 2.0.0 go on")
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                return
            else:
                say(self.answer(verb, text, "250 2.0.0 ok" if verb in ("RSET", "HELO", "NOOP") else "500 5.5.1 what?"))

    def finish(self, say, envelope, body):
        reply = self.answer("END", body, "250 2.0.0 taken")
        if reply.startswith("2"):
            self.messages.append({**envelope, "body": body})
        say(reply)


@pytest.fixture
def remote():
    made = []

    def make(**settings):
        server = Remote(**settings)
        made.append(server)
        return server

    yield make
    for server in made:
        server.close()


class Taker:
    """What aiosmtpd hands messages to: remembers for whom they were, and whether they came under TLS."""

    def __init__(self):
        self.got = []

    async def handle_DATA(self, server, session, envelope):
        self.got += [(recipient, session.ssl is not None) for recipient in envelope.rcpt_tos]
        return "250 OK"
