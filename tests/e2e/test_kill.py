"""kill -9 in mid-load: everything that was acknowledged arrives."""
import re
import smtplib
import threading

import conftest

ZONE = {"remote.test": {"MX": [[10, "mx.remote.test"]]}, "mx.remote.test": {"A": ["127.0.0.1"]}}


def sender(server, number, acknowledged, stop):
    serial = 0
    while not stop.is_set():
        try:
            with server.smtp() as client:
                while not stop.is_set():
                    serial += 1
                    name = f"m{number}-{serial}"
                    to = "alice@example.org" if serial % 2 else "carol@remote.test"
                    client.sendmail("a@client.test", [to], f"Subject: {name}\r\n\r\nx\r\n")
                    acknowledged.append(name)
        except (OSError, smtplib.SMTPException):
            return


def test_nothing_acknowledged_is_lost(postroad, remote):
    mx = remote(ehlo=("remote.test", "PIPELINING"))
    server = postroad(zone=ZONE, outbound_port=mx.port)
    acknowledged = []
    for round_number in range(3):
        stop = threading.Event()
        before = len(acknowledged)
        threads = [threading.Thread(target=sender, args=(server, f"{round_number}{i}", acknowledged, stop))
                   for i in range(8)]
        for thread in threads:
            thread.start()
        conftest.until(lambda: len(acknowledged) >= before + 100, "a hundred acknowledged messages")
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        server.start()
    conftest.until(server.queue_is_empty, "an empty queue")
    arrived = [m["body"] for m in mx.messages] + [path.read_bytes() for path in server.mailbox("alice")]
    names = [re.search(rb"Subject: (\S+)", mail)[1].decode() for mail in arrived]
    assert set(acknowledged) - set(names) == set()
