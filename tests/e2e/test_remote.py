"""Mail for others: across DNS, through refusals, delays and broken connections."""
import email
import re
import smtplib
import threading
import urllib.request

import pytest

import conftest

ZONE = {"remote.test": {"MX": [[10, "mx.remote.test"]]}, "mx.remote.test": {"A": ["127.0.0.1"]}}
HELLO = "From: alice@example.org\r\nTo: carol@remote.test\r\nSubject: Hello\r\n\r\n.Hello.\r\n"


def send(server, to="carol@remote.test", sender="alice@example.org", body=HELLO, options=()):
    with server.smtp() as client:
        client.sendmail(sender, [to] if isinstance(to, str) else to, body, mail_options=options)


def test_crosses_dns(postroad, remote):
    mx = remote()
    server = postroad(zone=ZONE, outbound_port=mx.port)
    send(server)
    conftest.until(lambda: mx.messages, "the message")
    assert mx.messages[0]["body"].endswith(b"\r\n\r\n.Hello.\r\n")
    conftest.until(server.queue_is_empty, "an empty queue")


def test_every_extension_at_once(postroad, remote):
    mx = remote(ehlo=("remote.test", "PIPELINING", "SIZE 100000", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN"))
    server = postroad(zone=ZONE, outbound_port=mx.port)
    send(server)
    conftest.until(lambda: mx.messages, "the message")
    assert mx.messages[0]["body"].endswith(b"\r\n\r\n.Hello.\r\n")
    assert any(line.startswith("BDAT") for line in mx.commands)


def test_helo_only(postroad, remote):
    mx = remote(script={"EHLO": "502 5.5.1 no"})
    server = postroad(zone=ZONE, outbound_port=mx.port)
    send(server)
    conftest.until(lambda: mx.messages, "the message")


def test_temporary_refusal_then_delivery(postroad, remote):
    tries = []
    mx = remote(script={"RCPT": lambda line: tries.append(line) or ("450 4.2.0 later" if len(tries) < 3 else "250 ok")})
    server = postroad(zone=ZONE, outbound_port=mx.port)
    send(server)
    conftest.until(lambda: mx.messages, "the message")
    assert len(tries) == 3
    events = [step["event"] for step in server.ask("trace", "carol@remote.test")[0]["steps"]]
    assert events.count("deferred") == 2


def test_permanent_refusal_bounces(postroad, remote):
    mx = remote(script={"RCPT": "550 5.1.1 no such carol here"})
    server = postroad(zone=ZONE, outbound_port=mx.port)
    send(server)
    [bounce] = server.mail("alice")
    assert bounce.startswith(b"Return-Path: <>\n")
    parts = email.message_from_bytes(bounce)
    assert parts.get_content_type() == "multipart/report"
    status = parts.get_payload()[1].as_string()
    assert "Action: failed" in status and "5.1.1" in status and "no such carol here" in status
    assert "carol@remote.test" in status
    conftest.until(server.queue_is_empty, "an empty queue")


def test_one_of_two_recipients_refused(postroad, remote):
    mx = remote(ehlo=("remote.test", "PIPELINING"),
                script={"RCPT": lambda line: "550 5.1.1 no" if "bad@" in line else "250 ok"})
    server = postroad(zone=ZONE, outbound_port=mx.port)
    send(server, to=["bad@remote.test", "good@remote.test"])
    conftest.until(lambda: mx.messages, "the message")
    assert len(mx.messages[0]["to"]) == 1
    assert b"bad@remote.test" in server.mail("alice")[0]


def test_drops_at_every_step(postroad, remote):
    for step in ("EHLO", "MAIL", "RCPT", "DATA", "END"):
        first = []
        mx = remote(script={step: lambda line, step=step, first=first: (
            (first.append(1), "DROP")[1] if not first else {"DATA": "354 go"}.get(step, "250 remote.test"))})
        server = postroad(name="drop-" + step, zone=ZONE, outbound_port=mx.port)
        send(server)
        conftest.until(lambda: mx.messages, f"the message after a drop at {step}")
        server.stop()


def test_double_bounces_go_to_postmaster(postroad, remote):
    mx = remote(script={"RCPT": "550 5.1.1 no"})
    server = postroad(zone=ZONE, outbound_port=mx.port)
    send(server, sender="carol@remote.test")
    [bounce] = server.mail("postmaster")
    assert b"carol@remote.test" in bounce
    conftest.until(server.queue_is_empty, "an empty queue")


def test_null_mx_and_nxdomain_bounce(postroad):
    server = postroad(zone={"null.test": {"MX": [[0, "."]]}})
    send(server, to="x@null.test")
    send(server, to="x@absent.test")
    bounces = b"".join(server.mail("alice", count=2))
    assert b"5.1.10" in bounces and b"5.1.2" in bounces


def test_servfail_waits(postroad):
    server = postroad(zone={"slow.test": "SERVFAIL"}, retry=("1h",))
    send(server, to="x@slow.test")
    conftest.until(lambda: server.queue()[0]["recipients"][0]["attempts"] == 1, "the first attempt")
    assert "4.4.3" in server.queue()[0]["recipients"][0]["last"]


def test_destinations_tell_what_waits_where(postroad):
    server = postroad(zone={"slow.test": "SERVFAIL", "slower.test": "SERVFAIL"}, retry=("1h",))
    assert server.run("queue", "destinations").stdout == "The queue is empty.\n"
    with server.smtp() as client:
        client.sendmail("alice@example.org", ["a@slow.test", "b@slow.test", "c@slower.test"], "Subject: hello\r\n\r\nHello.\r\n")
    conftest.until(lambda: server.run("queue", "destinations").stdout.count("451 4.4.3") == 2, "the attempts")
    answer = server.ask("queue", "destinations")
    assert answer["complete"] and [(d["domain"], d["recipients"]) for d in answer["destinations"]] == [("slow.test", 2), ("slower.test", 1)]
    server.run("queue", "hold", "--domain", "slow.test")
    said = server.run("queue", "destinations").stdout
    assert said.startswith("     2  slow.test, the oldest since ") and ", 2 held\n" in said and ", next try " in said



def test_queue_commands(postroad, remote):
    tries = []
    mx = remote(script={"RCPT": lambda line: tries.append(line) or ("450 4.2.0 later" if len(tries) < 2 else "250 ok")})
    server = postroad(zone=ZONE, outbound_port=mx.port, retry=("1h",))
    send(server)
    conftest.until(lambda: server.queue() and server.queue()[0]["recipients"][0]["attempts"] == 1, "the first attempt")
    queue_id = server.queue()[0]["id"]
    server.run("queue", "hold", queue_id)
    assert server.queue()[0]["recipients"][0]["state"] == "held"
    server.run("queue", "release", queue_id)
    conftest.until(lambda: mx.messages, "the message")
    conftest.until(server.queue_is_empty, "an empty queue")
    events = [step["event"] for step in server.ask("trace", queue_id)[0]["steps"]]
    assert "held" in events and "released" in events and events[-1] in ("delivered", "finished")


def test_delete(postroad):
    server = postroad(zone={"slow.test": "TIMEOUT"}, retry=("1h",))
    send(server, to="x@slow.test")
    queue_id = conftest.until(server.queue, "the message")[0]["id"]
    server.run("queue", "delete", queue_id)
    assert server.queue_is_empty()


def test_the_rest_goes_on_after_a_restart(postroad, remote):
    server = postroad(zone=ZONE, outbound_port=conftest.free_port(), retry=("1s",))
    send(server)
    conftest.until(lambda: server.queue()[0]["recipients"][0]["attempts"] >= 1, "an attempt")
    port = int(re.search(r"outbound \{ port = (\d+)", server.base)[1])
    server.stop()
    mx = remote(port=port)
    server.start()
    conftest.until(lambda: mx.messages, "the message")
    conftest.until(server.queue_is_empty, "an empty queue")
    assert len(mx.messages) == 1


def test_explain(postroad, remote):
    server = postroad(zone=ZONE, aliases="sales: carol@remote.test\n", outbound_port=remote().port)
    answer = server.ask("explain", "sales@example.org")
    kinds = [destination["kind"] for destination in answer["destinations"]]
    assert kinds == ["alias", "smtp"]
    assert answer["destinations"][1]["hosts"][0]["name"] == "mx.remote.test"


def needs(address):
    """Skips, saying so, where this machine has no such address."""
    try:
        conftest.free_port(address)
    except OSError as error:
        pytest.skip(f"{address} cannot be used here: {error.strerror}")


def test_ip6_from_end_to_end(postroad, remote):
    """A listener on [::1], a remote by its AAAA record, and address literals."""
    needs("::1")
    mx = remote(address="::1")
    server = postroad(address="::1", outbound_port=mx.port,
                      zone={"remote.test": {"MX": [[10, "mx.remote.test"]]}, "mx.remote.test": {"AAAA": ["::1"]}},
                      relay_from='"::1"')
    with server.smtp() as client:
        client.ehlo("[IPv6:::1]")
        client.mail("alice@example.org")
        assert client.rcpt("carol@remote.test")[0] == 250
        code, text = client.rcpt("carol@[IPv6:::1]")
        assert (code, text[:5]) == (550, b"5.1.2"), "mail for a loopback address would come back"
        assert client.data(HELLO)[0] == 250
    conftest.until(server.queue_is_empty, "an empty queue")
    [message] = mx.messages
    assert message["body"].startswith(b"Received: from [IPv6:::1] ([IPv6:::1])\r\n")
    assert set(mx.peers) == {"::1"}
    [destination] = server.ask("explain", "carol@[IPv6:2001:db8::1]")["destinations"]
    assert [host["name"] for host in destination["hosts"]] == ["[ipv6:2001:db8::1]"]
    hosts = {step["host"] for step in server.ask("trace", "carol@remote.test")[0]["steps"] if step["event"] == "delivered"}
    assert "mx.remote.test[::1]" in hosts


def test_of_two_families_the_other_one_serves_too(postroad, remote):
    """Nobody listens at the AAAA address: the A address takes the mail in the same attempt."""
    mx = remote()
    server = postroad(outbound_port=mx.port, outbound="prefer-ip6 = yes", zone={
        "remote.test": {"MX": [[10, "mx.remote.test"]]}, "mx.remote.test": {"A": ["127.0.0.1"], "AAAA": ["::1"]}})
    send(server)
    conftest.until(server.queue_is_empty, "an empty queue")
    assert len(mx.messages) == 1
    assert "deferred" not in [step["event"] for step in server.ask("trace", "carol@remote.test")[0]["steps"]]


def test_source_address(postroad, remote):
    needs("127.0.0.2")
    mx = remote()
    server = postroad(zone=ZONE, outbound_port=mx.port, outbound='source = {"127.0.0.2"}')
    send(server)
    conftest.until(lambda: mx.messages, "the message")
    assert set(mx.peers) == {"127.0.0.2"}


def test_operators_see_what_the_queue_knows_of_a_dead_host(postroad):
    """Whichever lane its mail belongs to."""
    zone = {f"dead{i}.test": {"A": ["127.0.0.1"]} for i in range(4)}
    server = postroad(zone=zone, outbound_port=conftest.free_port(), retry=("1h",), conf="lanes = 3\n")

    def state(domain):
        [destination] = server.ask("explain", f"carol@{domain}")["destinations"]
        return destination.get("state")

    for domain in zone:
        assert state(domain) is None
        send(server, f"carol@{domain}")
        known = conftest.until(lambda: state(domain) and state(domain)["trouble"] and state(domain), f"trouble with {domain}")
        assert known["gate"] == "paused" and known["paused_until"].endswith("Z")
        assert "4.4.1" in known["last_trouble"] and "refused" in known["last_trouble"]
    queue = conftest.until(lambda: server.ask("stats")["queue"]["deliveries"] == 0 and server.ask("stats")["queue"], "the attempts' end")
    assert queue["in_trouble"] == 4
    assert {(d["destination"], d["gate"]) for d in queue["trouble"]} == {(domain, "paused") for domain in zone}

    [said] = [line for line in server.run("explain", "carol@dead0.test").stdout.splitlines() if "state:" in line]
    assert "paused until 2" in said and "0 of at most 1 under way" in said
    assert "dead3.test: paused until 2" in server.run("stats").stdout


def test_limits_that_are_fixed_for_a_provider(postroad, remote):
    """They hold for all domains at his hosts together, and explain tells of them."""
    all_handed_in, under_way, most = threading.Event(), [], []

    def begin(line):
        under_way.append(line)
        most.append(len(under_way))
        all_handed_in.wait(conftest.PATIENCE_S)

    mx = remote(script={"MAIL": begin, "END": lambda body: under_way.pop() and None})
    zone = {name: {"MX": [[10, "mx.remote.test"]]} for name in ("one.test", "two.test")}
    server = postroad(zone={**ZONE, **zone}, outbound_port=mx.port, conf='''lanes = 1
        destination "big" { mx = {".remote.test"} connections = 1 messages-per-connection = 2 rate = "9000/1m" }\n''')
    for _ in range(3):
        for domain in zone:
            send(server, f"carol@{domain}")

    def states():
        return [server.ask("explain", f"carol@{domain}")["destinations"][0].get("state", {}) for domain in zone]

    conftest.until(lambda: all(state.get("site") == "provider big" and state["gate"] == "full" for state in states()), "a full site")
    limits = {"by": "big", "connections": 1, "messages_per_connection": 2, "rate": "9000 messages in 60 s"}
    assert [(state["deliveries"], state["concurrency"], state["limits"]) for state in states()] == [(1, 1, limits)] * 2
    said = server.run("explain", "carol@two.test").stdout
    assert "limits shared by all mail to provider big" in said
    assert 'fixed by destination "big": 1 connections, 2 messages of a connection, 9000 messages in 60 s' in said
    all_handed_in.set()
    conftest.until(server.queue_is_empty, "an empty queue")
    assert len(mx.messages) == 6 and mx.connections >= 3 and max(most) == 1


def test_a_rate_that_runs_out(postroad, remote):
    """What is beyond it waits, is in no trouble, and is told of; without the rate it leaves."""
    mx, web_port = remote(), conftest.free_port()
    zone = {name: {"MX": [[10, "mx.remote.test"]]} for name in ("one.test", "two.test")}
    fixed = 'destination "big" { mx = {".remote.test"} rate = "1/1h" }\n'
    server = postroad(zone={**ZONE, **zone}, outbound_port=mx.port, conf=f'lanes = 1\nweb {{ listen = "127.0.0.1:{web_port}" }}\n' + fixed)
    send(server, "carol@one.test")
    conftest.until(server.queue_is_empty, "the one message of this hour")
    send(server, "carol@one.test")
    send(server, "carol@two.test")
    conftest.until(lambda: server.ask("stats")["queue"]["paced"] == 2, "two domains that wait")
    stats = server.ask("stats")
    assert len(mx.messages) == 1 and stats["counters"]["paced"] == 1 and stats["queue"]["in_trouble"] == 0
    assert stats["counters"]["attempts"] == 1 and stats["counters"]["deferred"] == 0
    [told] = server.told("paced")
    assert told["reason"] == "1 messages in 3600 s, fixed by destination big" and told["host"] == "provider big"
    conftest.until(lambda: all("state" in row for row in server.ask("queue", "destinations")["destinations"]), "both to be known")
    state = server.ask("explain", "carol@two.test")["destinations"][0]["state"]
    assert (state["gate"], state["trouble"], state["paced_until"][:13]) == ("paced", False, told["next"][:13])
    assert "paced (its rate is used up) until 2" in server.run("explain", "carol@two.test").stdout
    rows = server.ask("queue", "destinations")["destinations"]
    assert [row["state"]["limits"]["rate"] for row in rows] == ["1 messages in 3600 s"] * 2
    assert {row["state"]["gate"] for row in rows} == {"paced"} and {row["state"]["same_hosts"] for row in rows} == {2}
    assert "paced (its rate is used up) until 2" in server.run("queue", "destinations").stdout
    assert re.search(r"  one\.test  waits for its rate", server.run("top", "--once").stdout)
    with urllib.request.urlopen(f"http://127.0.0.1:{web_port}/metrics") as page:
        metrics = page.read().decode()
    assert "postroad_paced_total 1\n" in metrics and "postroad_queue_paced 2\n" in metrics

    server.write_conf("lanes = 1\n")
    server.run("reload")
    conftest.until(server.queue_is_empty, "an empty queue")
    assert len(mx.messages) == 3


def test_paused_by_an_operator(postroad, remote):
    """A pause outlives the server; its mail can be sent another way, and goes on when it is over."""
    mx, other = remote(), remote()
    server = postroad(zone=ZONE, outbound_port=mx.port)
    server.run("queue", "pause", "--domain", "remote.test")
    server.stop()
    server.start()
    send(server)
    send(server, to="dave@remote.test")
    conftest.until(lambda: len(server.ask("queue", "list", "--state", "paused")) == 2, "both to be paused")
    assert "domain remote.test, since" in server.run("queue", "pauses").stdout
    server.run("queue", "reroute", "--recipient", "dave@remote.test", "--via", f"127.0.0.1:{other.port}")
    assert not mx.messages and not other.messages
    assert server.ask("queue", "resume", "--domain", "remote.test") == {"messages": 2, "recipients": 2}
    conftest.until(server.queue_is_empty, "an empty queue")
    assert len(mx.messages) == 1 and len(other.messages) == 1
    events = [step["event"] for step in server.ask("trace", "dave@remote.test")[0]["steps"]]
    assert events[:5] == ["received", "paused", "rerouted", "released", "delivered"]


def test_returned_by_an_operator(postroad, remote):
    mx = remote(script={"RCPT": "450 4.2.0 later"})
    server = postroad(zone=ZONE, outbound_port=mx.port, retry=("1h",))
    send(server)
    conftest.until(lambda: server.ask("queue", "list", "--error", "4.2.0 LATER"), "a refusal")
    assert server.ask("queue", "bounce", "--host", "127.0.0.1") == {"messages": 1, "recipients": 1}
    [bounce] = server.mail("alice")
    assert b"returned to you by the operators" in bounce
    conftest.until(server.queue_is_empty, "an empty queue")


def test_held_until_later(postroad, remote):
    """FUTURERELEASE (RFC 4865): it is taken, waits, and an operator may send it now."""
    mx = remote()
    port = conftest.free_port()
    server = postroad(zone=ZONE, outbound_port=mx.port,
                      conf=f'listen "127.0.0.1:{port}" {{ role = submission tls = none }}\n')
    with smtplib.SMTP("127.0.0.1", port, timeout=conftest.PATIENCE_S) as client:
        client.ehlo()
        assert client.has_extn("futurerelease")
        client.sendmail("alice@example.org", ["carol@remote.test"], HELLO, mail_options=["HOLDFOR=3600"])
    [message] = server.ask("queue", "list")
    assert message["held_until"] == message["recipients"][0]["next"]
    server.run("queue", "retry", "all")
    conftest.until(lambda: mx.messages, "the message")
