#!/usr/bin/python3
"""Two postroads on loopback, and the road of three messages between them.

usage: story.py [--once]

Starts example.org and example.net with a zone between them, sends mail, takes one
server away and brings it back, and shows what happened. Then it leaves both running until Ctrl-C;
with --once it ends by itself. The exit code is 0 only if everything shown really happened.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import servers
from servers import PROGRAM, Trouble, until

BOLD, DIM, GREEN, RED, PLAIN = (
    ("\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m") if sys.stdout.isatty() else ("",) * 5)


def say(text=""):
    print(text, flush=True)


def chapter(number, text):
    say(f"\n{BOLD}{number}. {text}{PLAIN}")


def quote(text):
    for line in text.rstrip("\n").split("\n"):
        say(f"   {DIM}|{PLAIN} {line}")


def free_port():
    """A port that is free on both of the loopback addresses the story uses."""
    for port in range(2525, 2600):
        try:
            for address in ("127.0.0.1", "127.0.0.2"):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((address, port))
            return port
        except OSError:
            continue
    raise Trouble("no free port between 2525 and 2599")


class Server(servers.Server):
    """One of the two."""

    def __init__(self, home, domain, address, port, users):
        super().__init__(home / domain, address, port)
        self.domain = domain
        self.write_users(users)
        self.conf.write_text(f"""\
hostname   = "mail.{domain}"
domains    = {{"{domain}"}}
listen "{address}:{port}" {{ role = mx }}
users      = "users"
mailbox    {{ path = "mail/%d/%u" }}
relay-from = {{"127.0.0.0/8"}}
dns        {{ zone = "../zone.json" }}
outbound   {{ port = {port} }}
queue      {{ retry = {{"2s", "3s", "5s"}} }}
spool      {{ path = "spool" }}
control    = "control.sock"
log        {{ to = "log" }}
run-as     = ""
""")

    def output(self, *words, **settings):
        return self.run(*words, **settings).stdout

    def send(self, sender, recipient, subject):
        """Hand in a message with our sendmail; gives its queue ID."""
        said = self.output("send", "-v", "-f", sender, recipient,
                        text=f"From: {sender}\nTo: {recipient}\nSubject: {subject}\n\nHello from {sender}.\n")
        return said.split()[-1]

    def mail_of(self, user):
        return sorted((self.home / "mail" / self.domain / user / "new").glob("*"))

    def arrived(self, user, subject):
        for path in self.mail_of(user):
            if f"Subject: {subject}" in path.read_text(errors="replace"):
                return path
        return None


def show_mail(path, home):
    text = path.read_text(errors="replace")
    head = [line for line in text.split("\n\n")[0].split("\n")]
    quote(f"{path.relative_to(home)}\n" + "\n".join(head[:9]))


def tell(home, keep_running):
    port = free_port()
    (home / "zone.json").write_text(
        '{"example.org": {"MX": [[10, "mail.example.org"]]}, "mail.example.org": {"A": ["127.0.0.1"]},\n'
        ' "example.net": {"MX": [[10, "mail.example.net"]]}, "mail.example.net": {"A": ["127.0.0.2"]}}\n')
    org = Server(home, "example.org", "127.0.0.1", port, ["alice", "bob"])
    net = Server(home, "example.net", "127.0.0.2", port, ["carol"])
    try:
        say(f"{BOLD}Two mail servers on this machine{PLAIN}")
        for server in (org, net):
            server.start()
            say(f"   {server.domain} listens on {server.address}:{port}")

        chapter(1, "bob@example.org writes to alice@example.org: same domain, straight into her mailbox")
        org.send("bob@example.org", "alice@example.org", "Lunch?")
        show_mail(until(lambda: org.arrived("alice", "Lunch?"), "alice's mail"), org.home)

        chapter(2, "alice@example.org writes to carol@example.net: DNS says mail.example.net takes its mail")
        org.send("alice@example.org", "carol@example.net", "Across the road")
        show_mail(until(lambda: net.arrived("carol", "Across the road"), "carol's mail"), net.home)

        chapter(3, "The server of example.net goes away, and alice writes again: the mail waits")
        net.stop()
        queue_id = org.send("alice@example.org", "carol@example.net", "Patience")
        until(lambda: "attempt" in org.output("queue", "list") and "refused" in org.output("queue", "list"), "a first attempt")
        quote("$ postroad queue list\n" + org.output("queue", "list"))

        chapter(4, "It comes back, and the mail arrives by itself")
        net.start()
        show_mail(until(lambda: net.arrived("carol", "Patience"), "the mail that waited"), net.home)
        until(lambda: "empty" in org.output("queue", "list"), "an empty queue")

        chapter(5, "The life of that message, from the first byte to the last reply")
        life = until(lambda: (lambda out: "finished" in out and out)(org.output("trace", queue_id)),
                     "its end in the history")
        quote(f"$ postroad trace {queue_id}\n" + life)
        say(f"\n{GREEN}All of it happened: three messages handed in, three delivered, none lost.{PLAIN}")
        if keep_running:
            linger(org, net)
    finally:
        org.stop()
        net.stop()


def linger(org, net):
    program = os.path.relpath(PROGRAM)
    say(f"\nBoth servers go on running on {org.address}:{org.port} (example.org) and {net.address}:{net.port} "
        f"(example.net). Try:")
    say(f"   echo Hi | {program} send -c {org.conf} -f bob@example.org carol@example.net")
    say(f"   {program} trace -c {org.conf} carol@example.net")
    say(f"   {program} explain -c {org.conf} carol@example.net")
    say("Stop with Ctrl-C.")
    try:
        while all(server.process.poll() is None for server in (org, net)):
            time.sleep(0.2)
        raise Trouble("a server ended by itself")
    except KeyboardInterrupt:
        say("\nStopped.")


def main():
    words = sys.argv[1:]
    if words not in ([], ["--once"]):
        sys.exit(__doc__.split("\n\n")[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    home = pathlib.Path(tempfile.mkdtemp(prefix="postroad-demo-"))
    os.chmod(home, 0o755)
    try:
        tell(home, keep_running=not words)
    except (Trouble, subprocess.TimeoutExpired) as failure:
        say(f"\n{RED}That did not work: {failure}{PLAIN}")
        for log in sorted([*home.glob("*/stderr"), *home.glob("*/log")]):
            say(f"{log.relative_to(home)}:")
            quote("\n".join(log.read_text(errors="replace").split("\n")[-20:]))
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
