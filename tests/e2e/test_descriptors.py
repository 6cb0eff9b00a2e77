"""The mail role has no descriptor left: it waits, says so once, and goes on by itself."""
import pathlib
import resource
import socket

import conftest
from test_roles import HELLO, role_pid

ZONE = {"remote.test": {"MX": [[10, "mx.remote.test"]]}, "mx.remote.test": {"A": ["127.0.0.1"]}}


def descriptors(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def greeted(server):
    """A connection that got its greeting; None: it waits in the backlog."""
    client = socket.create_connection((server.address, server.port), conftest.PATIENCE_S)
    client.settimeout(0.5)
    try:
        return client, client.recv(3) == b"220"
    except TimeoutError:
        return client, False


def troubles(server, event, part="sockets"):
    return [e for e in server.log() if e["event"] == event and e["part"] == part]


def deferred(server, words, to):
    return [e for e in server.log() if e["event"] == "deferred" and e["to"] == to and words in e["reply"]]


def test_no_descriptor_left(postroad, remote):
    mx = remote()
    server = postroad(zone=ZONE, outbound_port=mx.port, retry=("1s",))
    pid = role_pid(server, "mail")
    with server.smtp() as early:
        early.ehlo()
        limit = descriptors(pid) + 5
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))
        clients = [greeted(server) for _ in range(12)]
        assert [said for _, said in clients].count(False) >= 7
        conftest.until(lambda: troubles(server, "trouble"), "the trouble to be told")

        # Who is in already goes on; what takes a descriptor waits in the queue.
        early.sendmail("a@client.test", ["bob@example.org"], HELLO)
        early.sendmail("a@client.test", ["alice@example.org"], HELLO + "a large one takes a descriptor\r\n" * 1000)
        early.sendmail("a@client.test", ["carol@remote.test"], HELLO)
        conftest.until(lambda: len(deferred(server, "descriptor", "alice@example.org")) >= 2, "deferral of local mail")
        server.mail("bob")
        conftest.until(lambda: len(deferred(server, "descriptor", "carol@remote.test")) >= 1, "deferral of remote mail")
        assert deferred(server, "descriptor", "carol@remote.test")[0]["status"] == "4.3.2"
        assert role_pid(server, "mail") == pid
        assert len(troubles(server, "trouble")) == 1
        assert troubles(server, "trouble-over") == []
        for client, _ in clients:
            client.close()
    server.mail("alice")
    conftest.until(server.queue_is_empty, "an empty queue")
    assert len(mx.messages) == 1
    conftest.until(lambda: troubles(server, "trouble-over"), "the end of the trouble")
    assert len(troubles(server, "trouble")) == 1
    counters = server.ask("stats")["counters"]
    assert counters["troubles"] == counters["troubles-over"] == 1
