"""Servers for end-to-end tests: real processes, real sockets, on loopback.

Nothing here sleeps for a guessed time: `until` waits for a fact, and fails when it
does not come true within PATIENCE_S.
"""
import json
import os
import pathlib
import signal
import smtplib
import socket
import subprocess
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("POSTROAD", str(ROOT / "build" / "postroad"))
PATIENCE_S = 40


def until(condition, what):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.03)
    raise AssertionError(f"waited {PATIENCE_S} s in vain for {what}")


def free_port(address="127.0.0.1"):
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


def group_lives(group):
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(") ", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            return True
    return False


class Postroad:
    """One server with a folder of its own; `conf` is added to a small configuration."""

    def __init__(self, home, conf="", hostname="mail.example.org", domains=("example.org",), users=("alice", "bob"),
                 aliases=None, address="127.0.0.1", zone=None, retry=("1s", "1s", "2s"), dns=None, outbound_port=None, outbound="",
                 relay=True):
        self.home = pathlib.Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        self.address, self.port = address, free_port(address)
        self.process = None
        (self.home / "users").write_text("".join(f"{user}:{{PLAIN}}unused\n" for user in users))
        if aliases is not None:
            (self.home / "aliases").write_text(aliases)
        self.set_zone(zone or {})
        quoted = ", ".join(f'"{domain}"' for domain in domains)
        self.base = "\n".join(filter(None, [
            f'hostname = "{hostname}"',
            f"domains = {{{quoted}}}",
            f'listen "{address}:{self.port}" {{ role = mx }}',
            'users = "users"',
            'aliases = "aliases"' if aliases is not None else None,
            'mailbox { path = "mail/%d/%u" }',
            'relay-from = {"127.0.0.0/8"}' if relay else "relay-from = {}",
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
        self.conf = self.home / "postroad.conf"
        self.conf.write_text(self.base + more)

    def start(self):
        self.stderr = open(self.home / "stderr", "ab")
        self.process = subprocess.Popen([PROGRAM, "serve", "-c", str(self.conf)], stderr=self.stderr,
                                        start_new_session=True)
        until(self.listens, "the server to listen")
        return self

    def listens(self):
        assert self.process.poll() is None, (self.home / "stderr").read_text()
        try:
            with socket.create_connection((self.address, self.port), 2) as s:
                return s.recv(3) == b"220"
        except OSError:
            return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                code = self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            assert code == 0, (self.home / "stderr").read_text()
        self.process = None
        said = (self.home / "stderr").read_text()
        assert "Sanitizer" not in said and "broken truth" not in said, said

    def kill(self):
        """All roles at once, as a power cut of the machine's mind would."""
        if self.process:
            group = self.process.pid
            os.killpg(group, signal.SIGKILL)
            self.process.wait()
            self.process = None
            until(lambda: not group_lives(group), "the roles to be gone")

    def run(self, *words, text=None, check=True):
        result = subprocess.run([PROGRAM, words[0], "-c", str(self.conf), *words[1:]], input=text,
                                capture_output=True, text=not isinstance(text, bytes), timeout=PATIENCE_S)
        if check:
            assert result.returncode == 0, (words, result.returncode, result.stdout, result.stderr)
        return result

    def ask(self, *words):
        return json.loads(self.run(*words, "--json").stdout)

    def smtp(self):
        return smtplib.SMTP(self.address, self.port, local_hostname="client.test", timeout=PATIENCE_S)

    def queue(self):
        return self.ask("queue", "list")

    def queue_is_empty(self):
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
    """A scripted SMTP server: `script` maps a verb to what it answers, or to a function."""

    def __init__(self, address="127.0.0.1", port=None, script=None, ehlo=("remote.test",), greeting="220 remote.test"):
        self.script, self.ehlo, self.greeting = script or {}, ehlo, greeting
        self.messages, self.commands, self.peers, self.connections = [], [], [], 0
        self.listener = socket.create_server((address, port or 0), reuse_port=False)
        self.address, self.port = self.listener.getsockname()[:2]
        self.closing = False
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.closing = True
        self.listener.close()

    def accept(self):
        while not self.closing:
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            self.peers.append(peer[0])
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def answer(self, verb, line, default):
        reply = self.script.get(verb, default)
        return reply(line) if callable(reply) else reply

    def serve(self, connection):
        with connection:
            try:
                self.talk(connection, connection.makefile("rb"))
            except OSError:
                pass

    def talk(self, connection, lines):
        def say(reply):
            if reply == "DROP":
                raise OSError("dropped by script")
            connection.sendall(reply.encode() + b"\r\n")

        say(self.greeting)
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
                    body = b""
                    while (line := lines.readline()) != b".\r\n":
                        if not line:
                            return
                        body += line[1:] if line.startswith(b".") else line
                    self.finish(say, envelope, body)
            elif verb == "BDAT":
                words = text.split()
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
