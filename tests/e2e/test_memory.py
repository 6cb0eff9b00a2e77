"""Memory is short: nobody dies of it, nothing acknowledged is lost, and what is refused is refused for now."""
import pathlib
import re
import resource
import smtplib
import struct
import threading

import conftest
import pytest
from test_roles import role_pid

ZONE = {"remote.test": {"MX": [[10, "mx.remote.test"]]}, "mx.remote.test": {"A": ["127.0.0.1"]}}
RECIPIENTS = ("alice@example.org", "carol@remote.test", "all@example.org")


class Sender(threading.Thread):
    """Sends one message after the other; remembers what was acknowledged and what was wrong."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.server, self.number, self.serial = server, number, 0
        self.stop = threading.Event()
        self.acknowledged, self.refused, self.wrong = [], [], []

    def run(self):
        while not self.stop.is_set():
            try:
                with self.server.smtp() as client:
                    while not self.stop.is_set():
                        self.one(client)
            except (OSError, smtplib.SMTPServerDisconnected):
                continue  # Without memory a connection may be dropped.
            except smtplib.SMTPResponseException as error:
                self.note(error.smtp_code, error.smtp_error)

    def note(self, code, words):
        (self.refused if code // 100 == 4 else self.wrong).append((code, words))

    def one(self, client):
        self.serial += 1
        name = f"m{self.number}-{self.serial}"
        body = "x" * 60 + "\r\n"
        text = f"Subject: {name}\r\n\r\n" + body * (1 if self.serial % 5 else 1500)
        try:
            client.sendmail("a@client.test", [RECIPIENTS[self.serial % 3]], text)
            self.acknowledged.append(name)
        except smtplib.SMTPRecipientsRefused as error:
            for code, words in error.recipients.values():
                self.note(code, words)
        except smtplib.SMTPServerDisconnected:
            raise
        except smtplib.SMTPResponseException as error:
            self.note(error.smtp_code, error.smtp_error)


def plain(server):
    if not pathlib.Path(conftest.PLAIN).exists():
        pytest.skip("no build without sanitizers")
    server.program = conftest.PLAIN
    return server


def names(mails):
    return {re.search(rb"Subject: (\S+)", mail)[1].decode() for mail in mails if b"Subject: m" in mail}


@pytest.mark.parametrize("rate,libraries", [(6, 0), (100, 0), (30, 1)])
def test_allocations_fail(postroad, tmp_path, remote, rate, libraries):
    mx = remote(ehlo=("remote.test", "PIPELINING"))
    server = postroad(start=False, zone=ZONE, outbound_port=mx.port, retry=("1s",), aliases="all: alice, bob\n")
    orders = tmp_path / "starve"
    orders.write_bytes(struct.pack("=II", 0, libraries))
    server.environment.update(conftest.preload(tmp_path, "starve"), STARVE=str(orders))
    plain(server).start()
    pid = role_pid(server, "mail")
    with open(orders, "r+b") as file:
        file.write(struct.pack("=I", rate))
    senders = [Sender(server, i) for i in range(4)]
    for sender in senders:
        sender.start()
    conftest.until(lambda: sum(len(s.acknowledged) for s in senders) >= 300 or role_pid(server, "mail") != pid,
                   "three hundred acknowledged messages")
    for sender in senders:
        sender.stop.set()
    for sender in senders:
        sender.join(conftest.PATIENCE_S)
    with open(orders, "r+b") as file:
        file.write(struct.pack("=I", 0))
    assert role_pid(server, "mail") == pid, (server.home / "stderr").read_text()
    assert [wrong for s in senders for wrong in s.wrong] == []
    conftest.until(server.queue_is_empty, "an empty queue")
    arrived = names([m["body"] for m in mx.messages] + [p.read_bytes() for p in server.mailbox("alice")])
    assert {name for s in senders for name in s.acknowledged} - arrived == set()


def address_space(pid):
    [line] = [line for line in open(f"/proc/{pid}/status") if line.startswith("VmSize:")]
    return int(line.split()[1]) * 1024


def test_address_space_ends(postroad):
    """More messages at once than there is memory: some are refused for now, the sessions go on."""
    server = plain(postroad(start=False))
    # An arena of a thread is 64 MiB of addresses that are there already, whatever is in it.
    server.environment.update(MALLOC_ARENA_MAX="1")
    server.start()
    pid = role_pid(server, "mail")
    clients = []
    for _ in range(150):
        client = smtplib.SMTP(server.address, server.port, local_hostname="client.test", timeout=conftest.PATIENCE_S)
        client.ehlo()
        clients.append(client)
    limit = address_space(pid) + (1 << 20)
    resource.prlimit(pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    codes, open_ones = [], []
    for i, client in enumerate(clients):
        for command in ("MAIL FROM:<a@client.test>", "RCPT TO:<alice@example.org>", "DATA"):
            code, words = client.docmd(command)
            if code >= 400:
                break
        codes.append(code)
        if code == 354:
            client.send(f"Subject: m{i}-1\r\n\r\n" + ("y" * 70 + "\r\n") * 400)
            open_ones.append((f"m{i}-1", client))
    acknowledged = []
    for name, client in open_ones:
        code, words = client.docmd(".")
        codes.append(code)
        if code == 250:
            acknowledged.append(name)
        assert client.noop()[0] == 250
    assert set(codes) <= {354, 250, 452} and 452 in codes, codes
    resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for client in clients:
        client.rset()  # Who was refused at RCPT is still in a transaction.
        client.sendmail("a@client.test", ["alice@example.org"], "Subject: m-again\r\n\r\nx\r\n")
        client.quit()
    conftest.until(server.queue_is_empty, "an empty queue")
    assert role_pid(server, "mail") == pid
    assert set(acknowledged) <= names(path.read_bytes() for path in server.mailbox("alice"))
