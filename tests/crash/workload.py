"""A server under the watched disk, and everybody who makes it work: clients, a remote site, an operator."""
import os
import pathlib
import random
import re
import smtplib
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tests/disk")]
import conftest  # noqa: E402
import disk as disks  # noqa: E402
import servers  # noqa: E402

ALIASES = "team: alice, bob, carol@remote.test\n"
IDENTITY = re.compile(rb"SMTP id (\w{13})|^Message-ID: <(\w{13})@", re.M)


def identity(mail):
    """The queue ID that a message shows in its header."""
    match = IDENTITY.search(re.split(rb"\r?\n\r?\n", mail, maxsplit=1)[0])
    return (match[1] or match[2]).decode() if match else None


class Remote(conftest.Remote):
    """refuse.test: never; later.test: not now; remote.test: every fourth recipient is told to come back. What is taken
    is noted before the 250 is sent: from then on it is this site's."""

    def __init__(self, note):
        self.note, self.count, self.taken = note, 0, []
        super().__init__(ehlo=("remote.test", "PIPELINING", "CHUNKING"), script={"RCPT": self.rcpt})

    def rcpt(self, line):
        self.count += 1
        if "@refuse.test" in line:
            return "550 5.1.1 nobody"
        if "@later.test" in line or ("@remote.test" in line and self.count % 4 == 0):
            return "450 4.2.0 later"
        return "250 2.1.5 ok"

    def finish(self, say, envelope, body):
        addresses = [re.search(r"<(.*?)>", line)[1].lower() for line in envelope["to"]]
        name = identity(body)
        self.taken += [(name, address) for address in addresses]
        self.note(f"taken {name} {' '.join(addresses)}")
        say("250 2.0.0 taken")


class Server(conftest.Postroad):
    """With the disk preloaded, but not for the commands that ask it."""

    def __init__(self, home, disk, remote, build, lifetime="4s"):
        routes = "".join(f'route "{domain}" {{ via = {{"127.0.0.1:{remote.port}"}} }}\n'
                         for domain in ("remote.test", "refuse.test", "later.test"))
        super().__init__(home, conf=routes, aliases=ALIASES, users=("alice", "bob", "dora"), retry=("1s", "1s"))
        self.disk, self.build = disk, build
        self.base = self.base.replace("queue { ", f'queue {{ lifetime = "{lifetime}" warn-after = "2s" ')
        self.write_conf(routes)

    def start(self):
        more = self.disk.environment(self.build) if self.disk else {}
        before = {name: os.environ.get(name) for name in more}
        os.environ.update(more)
        try:
            return super().start()
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


LOCAL = ("alice@example.org", "bob@example.org", "dora@example.org")
KINDS = (
    lambda dice: ([dice.choice(LOCAL)], dice.randint(10, 6000)),
    lambda dice: ([dice.choice(LOCAL)], dice.randint(30000, 160000)),
    lambda dice: (list(LOCAL), 3000),
    lambda dice: (["carol@remote.test"], dice.randint(10, 70000)),
    lambda dice: (["carol@remote.test", "dan@remote.test", "alice@example.org"], 2000),
    lambda dice: (["nobody@refuse.test"], 500),
    lambda dice: (["nobody@refuse.test", "carol@remote.test"], 40000),
    lambda dice: (["team@example.org"], 900),
    lambda dice: (["eve@later.test"], 1200),
)


def send(server, note, dice, sender="alice@example.org", kinds=KINDS, count=1, accepted=None):
    """Messages of one session; stops when the server goes away."""
    try:
        with server.smtp() as client:
            client.ehlo()
            for _ in range(count):
                recipients, size = dice.choice(kinds)(dice)
                line = "%032x" % dice.getrandbits(128) + "\r\n"
                client.mail(sender)
                for recipient in recipients:
                    client.rcpt(recipient)
                code, reply = client.data(f"Subject: {recipients[0]}\r\n\r\n" + line * (size // len(line) + 1))
                if code == 250:
                    name = reply.split()[-1].decode()
                    note(f"accepted {name} {' '.join(recipients)}")
                    if accepted is not None:
                        accepted.append((name, recipients))
    except (OSError, smtplib.SMTPException):
        pass


def operate(server, note, stop):
    """Holds, releases and deletes what waits for later.test."""
    turn = 0
    while not stop.wait(0.15):
        for entry in server.queue()[:6]:
            name = entry["id"]
            turn += 1
            if turn % 3 == 0:
                note(f"deleting {name}")
            server.run("queue", ("hold", "release", "delete")[turn % 3 - 1], name, check=False)


def hold_and_delete(server, note):
    """Whatever the hurry made of the operator's other orders, these are carried out."""
    accepted = []
    send(server, note, random.Random(1), kinds=[lambda dice: (["eve@later.test"], 900)], count=2, accepted=accepted)
    (held, _), (deleted, _) = accepted
    server.run("queue", "hold", held)
    note(f"deleting {deleted}")
    server.run("queue", "delete", deleted)


def record(home, build, messages, seed, orders=(), sessions=6, program=None, kinds=KINDS, operator=True):
    """Runs the whole; gives the disk whose log has it."""
    home = pathlib.Path(home)
    disk = disks.Disk(home / "disk", home / "root")
    servers.PROGRAM = str(program or ROOT / build / "postroad")
    remote = Remote(disk.note)
    server = Server(home / "root", disk, remote, ROOT / build)
    disk.order(disks.SLEEP, (disks.FLUSH,), "spool/data.mdb", parameter=2)
    for order in orders:
        disk.order(*order)
    try:
        server.start()
        stop = threading.Event()
        hands = [threading.Thread(target=send, args=(server, disk.note, random.Random(f"{seed}.{number}")),
                                  kwargs={"count": messages // sessions, "kinds": kinds}) for number in range(sessions)]
        boss = threading.Thread(target=operate, args=(server, disk.note, stop))
        for hand in hands:
            hand.start()
        if operator:
            boss.start()
        for hand in hands:
            hand.join()
        stop.set()
        if operator:
            boss.join()
            hold_and_delete(server, disk.note)
            server.run("queue", "release", "all", check=False)
        end = time.monotonic() + 10
        while operator and server.queue() and time.monotonic() < end:
            time.sleep(0.05)
        server.stop()
    finally:
        server.kill()
        remote.close()
        disk.close()
    return disk
