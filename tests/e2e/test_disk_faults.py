"""Disks that are full, broken or slow: clients are told to come back, the queue is kept, all goes on by itself."""
import errno
import os
import sys
import threading

import conftest
import pytest

sys.path.insert(0, str(conftest.servers.ROOT / "tests" / "disk"))
import disk as disks  # noqa: E402

BUILD = os.environ.get("POSTROAD_BUILD", str(conftest.servers.ROOT / "build"))
WRITES = (disks.WRITE, disks.WRITE_SYNC)
FLUSHES = (disks.FLUSH, disks.FLUSH_ALL)
ZONE = {"remote.test": {"MX": [[10, "mx.remote.test"]]}, "mx.remote.test": {"A": ["127.0.0.1"]}}
FULL, BROKEN = (452, b"4.3.1"), (451, b"4.3.0")


@pytest.fixture
def faulty(postroad, tmp_path):
    """A server on a disk that takes orders: (server, disk)."""
    made = []

    def make(edit=None, **settings):
        server = postroad(start=False, **settings)
        disk = disks.Disk(tmp_path / "disk", server.home, record=False)
        server.environment.update(disk.environment(BUILD))
        if edit:
            server.base = server.base.replace(*edit)
            server.write_conf()
        made.append(disk)
        return server.start(), disk

    yield make
    for disk in made:
        disk.clear()


def send(client, name, to="alice@example.org", lines=1):
    """The reply to the final dot."""
    client.mail("a@client.test")
    client.rcpt(to)
    return client.data(f"Subject: {name}\r\n\r\n" + ("x" * 70 + "\r\n") * lines)


def troubles(server, event="trouble", part="spool"):
    return [e for e in server.log() if e["event"] == event and e["part"] == part]


def subjects(mails):
    return sorted(line.split(b" ")[1].decode() for mail in mails for line in mail.splitlines()
                  if line.startswith(b"Subject: "))


@pytest.mark.parametrize("kinds,number,expected", [
    ((disks.WRITE,), errno.ENOSPC, FULL),
    ((disks.WRITE,), errno.EIO, BROKEN),
    ((disks.FLUSH,), errno.EIO, BROKEN),
    ((disks.FLUSH,), errno.ENOSPC, FULL),
    ((disks.WRITE_SYNC,), errno.EIO, BROKEN),
    (WRITES + FLUSHES, errno.EIO, BROKEN),
], ids=["full", "write", "flush", "full-at-flush", "root", "everything"])
def test_the_spool_cannot_write(faulty, remote, kinds, number, expected):
    mx = remote(script={"RCPT": "450 4.2.0 later"})
    server, disk = faulty(zone=ZONE, outbound_port=mx.port, retry=("1h",))
    with server.smtp() as client:
        client.ehlo()
        assert send(client, "queued", "carol@remote.test")[0] == 250
        assert send(client, "before")[0] == 250
        server.mail("alice")
        conftest.until(lambda: [one["attempts"] for message in server.queue() for one in message["recipients"]] == [1],
                       "the first attempt, and the other message to be settled")
        queued = server.queue()
        disk.order(disks.FAIL, kinds, "spool/data.mdb", parameter=number)
        for lines in (1, 1, 3000, 1):  # Small ones, and one whose chunks go ahead.
            code, words = send(client, "refused", lines=lines)
            assert (code, words[:5]) == expected
            assert client.noop()[0] == 250
        assert server.queue() == queued
        [trouble] = conftest.until(lambda: troubles(server), "the trouble to be told")
        assert trouble["reason"]
        assert troubles(server, "trouble-over") == []
        disk.clear()

        def taken():
            return send(client, "after")[0] == 250
        conftest.until(taken, "the spool to take mail again")
    assert len(conftest.until(lambda: troubles(server, "trouble-over"), "the end of the trouble")) == 1
    assert len(troubles(server)) == 1
    assert subjects(server.mail("alice", count=2)) == ["after", "before"]
    assert server.ask("stats")["counters"]["troubles"] == 1
    server.stop()
    server.start()
    assert [m["id"] for m in server.queue()] == [queued[0]["id"]]
    mx.script.clear()
    server.run("queue", "retry", "all")
    conftest.until(server.queue_is_empty, "an empty queue")
    assert subjects(m["body"] for m in mx.messages) == ["queued"]


def test_settling_waits_for_the_disk(faulty, remote):
    """What was delivered while the spool cannot write is not delivered twice."""
    mx = remote()
    server, disk = faulty(zone=ZONE, outbound_port=mx.port)
    answered = threading.Event()

    def slow(body):
        disk.order(disks.FAIL, WRITES, "spool/data.mdb", parameter=errno.EIO)
        answered.set()
        return "250 2.0.0 taken"

    mx.script["END"] = slow
    with server.smtp() as client:
        client.ehlo()
        assert send(client, "once", "carol@remote.test")[0] == 250
    assert answered.wait(conftest.PATIENCE_S)
    conftest.until(lambda: troubles(server), "the failed settling")
    del mx.script["END"]
    disk.clear()
    conftest.until(server.queue_is_empty, "an empty queue")
    assert subjects(m["body"] for m in mx.messages) == ["once"]
    conftest.until(lambda: troubles(server, "trouble-over"), "the end of the trouble")


def test_slow_flushes(faulty):
    """One slow flush serves all who wait; nobody is told 250 before it."""
    server, disk = faulty()
    slot = disk.order(disks.SLEEP, (disks.FLUSH,), "spool/data.mdb", parameter=2000)
    codes = []

    def one(number):
        with server.smtp() as client:
            client.ehlo()
            codes.append(send(client, f"m{number}")[0])

    threads = [threading.Thread(target=one, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [250] * 20
    assert 1 <= disk.hits(slot) <= 10
    disk.clear()
    assert len(server.mail("alice", count=20)) == 20
    conftest.until(server.queue_is_empty, "an empty queue")


@pytest.mark.parametrize("kinds,number", [
    ((disks.WRITE, disks.WRITE_SYNC), errno.ENOSPC),
    ((disks.WRITE, disks.WRITE_SYNC), errno.EIO),
    (FLUSHES, errno.EIO),
    ((disks.CREATE,), errno.ENOSPC),
    ((disks.LINK, disks.RENAME), errno.ENOSPC),
], ids=["full", "write", "flush", "create", "name"])
def test_a_mailbox_cannot_be_written(faulty, kinds, number):
    server, disk = faulty(retry=("1s",))
    with server.smtp() as client:
        client.ehlo()
        send(client, "before")
        server.mail("alice")
        conftest.until(server.queue_is_empty, "its flush")
        disk.order(disks.FAIL, kinds, "mail*", parameter=number)
        assert send(client, "during")[0] == 250
    [deferred] = conftest.until(lambda: [e for e in server.log() if e["event"] == "deferred"][:1], "the deferral")
    assert deferred["code"] in (451, 452) and deferred["reply"]
    conftest.until(lambda: server.queue()[0]["recipients"][0]["attempts"] >= 2, "another attempt")
    assert len(server.mailbox("alice")) == 1
    disk.clear()
    assert subjects(server.mail("alice", count=2)) == ["before", "during"]
    conftest.until(server.queue_is_empty, "an empty queue")
    assert not list((server.home / "mail/example.org/alice/tmp").iterdir())
    assert not [e for e in server.log() if e["event"] == "bounced"]


def test_the_log_is_on_a_full_disk(faulty):
    server, disk = faulty()
    disk.order(disks.FAIL, (disks.WRITE,), "log", parameter=errno.ENOSPC)
    with server.smtp() as client:
        client.ehlo()
        assert send(client, "unlogged")[0] == 250
        server.mail("alice")
        conftest.until(server.queue_is_empty, "an empty queue")
        conftest.until(lambda: server.ask("stats")["counters"]["log-lines-lost"] > 0, "lost lines")
        disk.clear()
        assert send(client, "logged")[0] == 250
    server.mail("alice", count=2)
    conftest.until(lambda: [e for e in server.log() if e["event"] == "log-lost" and e["lines"] > 0], "the gap to be told")


def test_the_spool_is_full(faulty, remote):
    """The size that the configuration allows: refused for now, and taken again when something was delivered."""
    mx = remote(script={"RCPT": "450 4.2.0 later"})
    server, _ = faulty(edit=('spool { path = "spool" }', 'spool { path = "spool" size = "2M" }'), zone=ZONE,
                       outbound_port=mx.port, retry=("1h",))
    taken = 0
    with server.smtp() as client:
        client.ehlo()
        for i in range(200):
            code, words = send(client, f"m{i}", "carol@remote.test", lines=800)
            if code != 250:
                break
            taken += 1
        assert (code, words[:5]) == FULL and taken > 5
        assert send(client, "more", "carol@remote.test", lines=800)[0] == 452
        conftest.until(lambda: troubles(server), "the trouble to be told")
        conftest.until(lambda: all(m["recipients"][0]["attempts"] >= 1 for m in server.queue()), "the attempts")
        mx.script.clear()
        server.run("queue", "retry", "all")
        conftest.until(server.queue_is_empty, "an empty queue")
        assert len(mx.messages) == taken
        assert send(client, "again", "carol@remote.test", lines=800)[0] == 250
    conftest.until(lambda: troubles(server, "trouble-over"), "the end of the trouble")
