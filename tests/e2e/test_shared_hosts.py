"""Domains whose mail goes to the same host: they share its connections, but never what is demanded of them."""
import conftest

LETTER = "From: alice@example.org\r\nTo: carol@remote.test\r\nSubject: Hello\r\n\r\nHello.\r\n"
NAMES = ("one", "two", "guarded")


def zone(port):
    names = {f"{name}.test": {"secure": name == "guarded", "MX": [[10, "mx.shared.test"]]} for name in NAMES}
    return {**names, "mx.shared.test": {"secure": True, "A": ["127.0.0.1"]},
            f"_{port}._tcp.mx.shared.test": {"secure": True, "TLSA": ["3 1 1 " + "00" * 32]}}


def send(server, recipient, kind):
    with server.smtp() as client:
        client.sendmail("alice@example.org", [recipient], LETTER)

    def found():
        return [event for event in server.log() if event["event"] == kind and event.get("to") == recipient]
    return conftest.until(found, f"{recipient} {kind}")[0]


def test_domains_share_connections_but_no_policy(postroad, remote):
    host = remote()
    server = postroad(zone=zone(host.port), outbound_port=host.port, outbound="idle = 1m", retry=("1h",), conf="lanes = 1")
    send(server, "a@one.test", "delivered")
    send(server, "b@two.test", "delivered")
    assert host.connections == 1 and len(host.messages) == 2

    deferred = send(server, "c@guarded.test", "deferred")  # DANE holds for this one: clear text is not for its mail.
    assert "TLS is demanded" in deferred["reply"]
    assert host.connections == 2 and len(host.messages) == 2
    send(server, "d@two.test", "delivered")
    assert host.connections == 2


def test_a_host_that_counts_domains_is_obeyed(postroad, remote):
    host = remote(ehlo=("remote.test", "LIMITS RCPTDOMAINMAX=1"))
    server = postroad(zone=zone(host.port), outbound_port=host.port, outbound="idle = 1m", retry=("1h",), conf="lanes = 1")
    for recipient in ("a@one.test", "b@two.test", "c@one.test", "d@two.test"):
        send(server, recipient, "delivered")
    assert host.connections == 2

    known = server.ask("explain", "a@one.test")["destinations"][0]["known_hosts"]
    assert [(each["endpoint"], each["tls"], each["offers"]) for each in known] == [(f"127.0.0.1:{host.port}", False, ["LIMITS"])]
    assert "rests_until" not in known[0]
    assert ", without TLS: LIMITS" in server.run("explain", "a@one.test").stdout
