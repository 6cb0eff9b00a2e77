"""Remote servers that answer slowly, or not at all."""
import socket

import pytest

import conftest

ZONE = {"remote.test": {"MX": [[10, "mx.remote.test"]]}, "mx.remote.test": {"A": ["127.0.0.1"]}}
HELLO = "From: alice@example.org\r\nTo: carol@remote.test\r\nSubject: Hello\r\n\r\nHello.\r\n"
IMPATIENT = "connect-timeout = 1s command-timeout = 1s final-timeout = 1s"


def send(server, to="carol@remote.test", body=HELLO):
    with server.smtp() as client:
        client.sendmail("alice@example.org", [to], body)


def first_time(reply):
    """The answer to the first one only."""
    asked = []
    return lambda line: asked.append(line) or (reply if len(asked) == 1 else None)


def deferrals(server, recipient="carol@remote.test"):
    [life] = server.ask("trace", recipient)
    return [step for step in life["steps"] if step["event"] == "deferred"]


@pytest.mark.parametrize("features", [(), ("PIPELINING", "CHUNKING", "DSN")], ids=["plain", "pipelining"])
def test_answers_that_dribble(postroad, remote, features):
    mx = remote(ehlo=("remote.test", *features), dribble=True)
    server = postroad(zone=ZONE, outbound_port=mx.port)
    send(server)
    conftest.until(server.queue_is_empty, "an empty queue")
    assert len(mx.messages) == 1 and mx.messages[0]["body"].endswith(b"\r\n\r\nHello.\r\n")
    assert deferrals(server) == []


@pytest.mark.parametrize("step", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "END"])
def test_an_answer_that_is_late_but_in_time(postroad, remote, step):
    """The remote answers when another message, handed in meanwhile, has reached its mailbox."""

    def answer(line):
        send(server, "bob@example.org")
        server.mail("bob")

    mx = remote(script={step: answer})
    server = postroad(zone=ZONE, outbound_port=mx.port)
    send(server)
    conftest.until(server.queue_is_empty, "an empty queue")
    assert len(mx.messages) == 1 and mx.connections == 1
    assert deferrals(server) == []


@pytest.mark.parametrize("step, words", [
    ("GREETING", "greeting"), ("EHLO", "EHLO"), ("MAIL", "MAIL"), ("RCPT", "RCPT"), ("DATA", "DATA")])
def test_an_answer_that_does_not_come(postroad, remote, step, words):
    mx = remote(script={step: first_time("SILENCE")})
    server = postroad(zone=ZONE, outbound_port=mx.port, outbound=IMPATIENT)
    send(server)
    conftest.until(server.queue_is_empty, "an empty queue")
    [deferral] = deferrals(server)
    assert deferral["status"] == "4.4.2" and "timed out" in deferral["reply"] and words in deferral["reply"]
    assert len(mx.messages) == 1 and mx.connections == 2


def test_an_end_that_is_not_answered_may_make_a_copy(postroad, remote):
    """The other side has taken it, but did not say so: the log tells why it came twice."""
    taken = []

    def answer(body):
        taken.append(body)
        return "SILENCE" if len(taken) == 1 else None

    mx = remote(script={"END": answer})
    server = postroad(zone=ZONE, outbound_port=mx.port, outbound=IMPATIENT)
    send(server)
    conftest.until(server.queue_is_empty, "an empty queue")
    assert len(taken) == 2 and taken[0] == taken[1]
    [deferral] = deferrals(server)
    assert (deferral["code"], deferral["status"]) == (451, "4.4.2")
    assert "timed out" in deferral["reply"]

    def outcomes():
        return [line for line in server.log() if line["event"] in ("deferred", "delivered")]

    conftest.until(lambda: len(outcomes()) == 2, "both lines of the log")
    assert [line["event"] for line in outcomes()] == ["deferred", "delivered"]
    assert outcomes()[0]["reply"] == deferral["reply"]


@pytest.mark.parametrize("features", [(), ("CHUNKING",)], ids=["data", "chunks"])
def test_a_host_that_stops_reading_in_mid_body(postroad, remote, features):
    """More than both sockets hold: it is our writing that gets nowhere."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # Those of its connections, too.
    listener.bind(("127.0.0.1", conftest.free_port()))
    listener.listen(16)
    mx = remote(ehlo=("remote.test", *features), script={"BODY": first_time("DEAF")}, listener=listener)
    server = postroad(zone=ZONE, outbound_port=mx.port, outbound=IMPATIENT)
    send(server, body=HELLO + ("x" * 900 + "\r\n") * 10000)
    conftest.until(server.queue_is_empty, "an empty queue")
    [deferral] = deferrals(server)
    assert deferral["status"] == "4.4.2" and "timed out" in deferral["reply"]
    assert len(mx.messages) == 1 and mx.connections == 2


def test_a_host_that_takes_no_connection(postroad, remote):
    """Its backlog is full: the kernel answers nothing to one more."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", conftest.free_port()))
    listener.listen(0)
    callers = [socket.socket() for _ in range(8)]
    for caller in callers:
        caller.setblocking(False)
        caller.connect_ex(listener.getsockname())
    server = postroad(zone=ZONE, outbound_port=listener.getsockname()[1], outbound=IMPATIENT)
    send(server)
    first = conftest.until(lambda: deferrals(server), "an attempt that is given up")[0]
    assert first["status"] == "4.4.1" and "timed out" in first["reply"]
    for caller in callers:
        caller.close()
    listener.listen(16)
    mx = remote(listener=listener)
    conftest.until(server.queue_is_empty, "an empty queue")
    assert len(mx.messages) == 1
