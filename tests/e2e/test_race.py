"""Two address families of one host: the one that does not answer costs no more than a moment, and nobody hears a second greeting."""
import contextlib
import socket

import conftest

LETTER = "From: alice@example.org\r\nTo: carol@remote.test\r\nSubject: Hello\r\n\r\nHello.\r\n"


@contextlib.contextmanager
def black_hole(address, port):
    """A listener that takes no connection and refuses none: its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET))
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(2):
            filler = stack.enter_context(socket.socket(listener.family))
            filler.setblocking(False)
            filler.connect_ex((address, port))
        yield


def deliver(postroad, remote, hole, good, outbound=""):
    """However long a connection may take to open, the other address gets the mail."""
    host = remote(address=good)
    zone = {"remote.test": {"MX": [[10, "mx.remote.test"]]}, "mx.remote.test": {"A": ["127.0.0.9"], "AAAA": ["::1"]}}
    with black_hole(hole, host.port):
        server = postroad(zone=zone, outbound_port=host.port, outbound=f'connect-timeout = "10m" {outbound}')
        with server.smtp() as client:
            client.sendmail("alice@example.org", ["carol@remote.test"], LETTER)
        conftest.until(server.queue_is_empty, "an empty queue")
        assert [event["host"] for event in server.told("delivered")] == [f"mx.remote.test[{good}]"]
        assert len(host.messages) == host.connections == 1
        assert sum(command.startswith("EHLO") for command in host.commands) == 1


def test_ipv4_leads_nowhere(postroad, remote):
    deliver(postroad, remote, "127.0.0.9", "::1")


def test_ipv6_leads_nowhere(postroad, remote):
    deliver(postroad, remote, "::1", "127.0.0.9", "prefer-ip6 = yes")
