"""Fallback relays: for mail whose hosts cannot be reached, and for no other."""
import conftest

LETTER = "From: alice@example.org\r\nTo: carol@remote.test\r\nSubject: Hello\r\n\r\nHello.\r\n"
ZONE = {f"{name}.test": {"MX": [[10, f"mx.{name}.test"]]} for name in ("gone", "busy", "never", "no")} | {
    "mx.gone.test": {"A": ["127.0.0.9"]}, "mx.busy.test": {"A": ["127.0.0.11"]}, "mx.never.test": {"A": ["127.0.0.12"]},
    "mx.no.test": {"A": ["127.0.0.13"]}, "relay.test": {"A": ["127.0.0.20"]}}


def send(server, *recipients):
    with server.smtp() as client:
        client.sendmail("alice@example.org", recipients, LETTER)


def facts(server, kind):
    return {event["to"]: event for event in server.log() if event["event"] == kind and event["to"] != "alice@example.org"}


def test_a_relay_is_for_what_cannot_be_reached(postroad, remote):
    """Nobody listens; 421; 554 as greeting; 550 for a recipient. The first two are a relay's, the others are answers."""
    port = conftest.free_port("127.0.0.11")
    remote(address="127.0.0.11", port=port, greeting="421 4.3.2 busy")
    remote(address="127.0.0.12", port=port, greeting="554 5.3.2 never")
    remote(address="127.0.0.13", port=port, script={"RCPT": "550 5.1.1 no such user"})
    relay = remote(address="127.0.0.20")
    server = postroad(zone=ZONE, outbound_port=port, outbound=f'fallback = {{"relay.test:{relay.port}"}}', retry=("1h",))

    send(server, "a@gone.test", "b@busy.test", "c@never.test", "d@no.test")
    conftest.until(lambda: len(facts(server, "delivered")) == 2 and facts(server, "deferred") and facts(server, "bounced"), "outcomes")
    delivered = facts(server, "delivered")
    assert sorted(delivered) == ["a@gone.test", "b@busy.test"]
    assert all(event["host"] == "relay.test[127.0.0.20]" for event in delivered.values())
    assert "refused" in delivered["a@gone.test"]["fallback"] and "busy" in delivered["b@busy.test"]["fallback"]
    assert len(relay.messages) == 2
    deferred, bounced = facts(server, "deferred")["c@never.test"], facts(server, "bounced")["d@no.test"]
    assert "never" in deferred["reply"] and "fallback" not in deferred
    assert "no such user" in bounced["reply"] and "fallback" not in bounced

    dead, used = server.ask("explain", "a@gone.test")["destinations"][0]["known_hosts"]
    assert "refused" in dead["trouble"] and dead["rests_until"] and "heard" not in dead
    assert used["endpoint"] == f"127.0.0.20:{relay.port}" and used["heard"] and "rests_until" not in used
    assert "rests until" in server.run("explain", "a@gone.test").stdout


def test_a_route_has_relays_of_its_own(postroad, remote):
    relay, usual = remote(address="127.0.0.20"), remote(address="127.0.0.20")
    dead = conftest.free_port("127.0.0.9")
    server = postroad(zone=ZONE, outbound_port=dead, outbound=f'fallback = {{"relay.test:{usual.port}"}}', retry=("1h",), conf=f'''
route "gone.test" {{ via = {{"127.0.0.9:{dead}"}} fallback = {{"relay.test:{dead}", "relay.test:{relay.port}"}} }}
route "busy.test" {{ via = {{"127.0.0.9:{dead}"}} }}
''')
    send(server, "a@gone.test", "b@busy.test", "c@never.test")
    conftest.until(lambda: len(facts(server, "delivered")) == 2 and facts(server, "deferred"), "outcomes")
    assert sorted(facts(server, "delivered")) == ["a@gone.test", "c@never.test"]
    assert len(relay.messages) == len(usual.messages) == 1
    assert list(facts(server, "deferred")) == ["b@busy.test"]  # A route of its own, and no relay in it.

    told = server.ask("explain", "a@gone.test")["destinations"][0]
    assert told["rule"].endswith(f"else relay.test:{dead}, relay.test:{relay.port}")
    assert [host.get("fallback", False) for host in told["hosts"]] == [False, True, True]
    assert "else:" in server.run("explain", "a@gone.test").stdout


def test_a_relay_is_no_way_round_a_policy(postroad, remote):
    """The domain has TLSA records: a relay that cannot show who it is gets nothing, and neither does one where TLS is what fails."""
    relay = remote(address="127.0.0.20")
    open_host = remote(address="127.0.0.11")
    digest = "00" * 32
    zone = dict(ZONE)
    for name in ("gone", "busy"):
        zone[f"{name}.test"] = {"secure": True, "MX": [[10, f"mx.{name}.test"]]}
        zone[f"mx.{name}.test"] = {"secure": True, **ZONE[f"mx.{name}.test"]}
        zone[f"_{open_host.port}._tcp.mx.{name}.test"] = {"secure": True, "TLSA": [f"3 1 1 {digest}"]}
    server = postroad(zone=zone, outbound_port=open_host.port, outbound=f'fallback = {{"relay.test:{relay.port}"}}', retry=("1h",))
    send(server, "a@gone.test", "b@busy.test")
    conftest.until(lambda: len(facts(server, "deferred")) == 2, "outcomes")
    deferred = facts(server, "deferred")
    assert "TLS is demanded" in deferred["a@gone.test"]["reply"] and deferred["a@gone.test"]["host"] == "relay.test[127.0.0.20]"
    assert "TLS is demanded" in deferred["b@busy.test"]["reply"] and deferred["b@busy.test"]["host"] == "mx.busy.test[127.0.0.11]"
    assert not relay.messages and not open_host.messages
    hosts = server.ask("explain", "a@gone.test")["destinations"][0]["hosts"]
    assert (hosts[1]["tls"], hosts[1]["tls_by"]) == ("verified", "DANE of the domain")
