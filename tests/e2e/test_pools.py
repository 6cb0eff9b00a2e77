"""Pools of addresses that mail leaves from."""
import json

import conftest

LETTER = "From: alice@example.org\r\nTo: carol@remote.test\r\nSubject: Hello\r\n\r\nHello.\r\n"
POOLS = '''
pool "news" { addresses = {"127.0.0.5"} hostname = "news.example.org" }
pool "usual" { addresses = {"127.0.0.6"} }
'''


def zone(*names, address="127.0.0.1"):
    return {f"{name}.test": {"MX": [[10, f"mx.{name}.test"]]} for name in names} | {
        f"mx.{name}.test": {"A": [address]} for name in names}


def send(server, *recipients, sender="alice@example.org"):
    with server.smtp() as client:
        client.sendmail(sender, recipients, LETTER)


def test_the_route_decides_whence_mail_leaves(postroad, remote):
    """One host, three ways to it: that of everybody, that of a route for a sender, and that of a smarthost's route."""
    mx = remote()
    server = postroad(zone=zone("remote"), outbound_port=mx.port, outbound='pool = "usual"', conf=POOLS + f'''
route "remote.test" {{ from = {{"news@example.org"}} pool = "news" }}
route "via.test" {{ via = {{"127.0.0.1:{mx.port}"}} pool = "news" }}
''')
    send(server, "carol@remote.test")
    send(server, "carol@remote.test", sender="news@example.org")
    send(server, "carol@via.test")
    conftest.until(lambda: len(mx.messages) == 3 and server.queue_is_empty(), "three messages")
    assert {(event["from"], event["to"]): event["source"] for event in server.told("delivered", 3)} == {
        ("alice@example.org", "carol@remote.test"): "127.0.0.6", ("news@example.org", "carol@remote.test"): "127.0.0.5",
        ("alice@example.org", "carol@via.test"): "127.0.0.5"}
    assert sorted(mx.peers) == ["127.0.0.5", "127.0.0.5", "127.0.0.6"]
    assert sorted(line for line in mx.commands if line.startswith("EHLO")) == [
        "EHLO mail.example.org", "EHLO news.example.org", "EHLO news.example.org"]

    def told(*words):
        return server.ask("explain", *words)["destinations"][0]

    assert told("carol@remote.test")["rule"] == "MX of remote.test, from pool usual"
    assert told("carol@remote.test")["pool"] == "usual"
    assert told("carol@remote.test", "--from", "news@example.org")["destination"] == "remote.test, from pool news"
    assert told("carol@via.test")["rule"] == f'route "via.test" via 127.0.0.1:{mx.port}, from pool news'
    assert "pool:   news" in server.run("explain", "carol@via.test").stdout
    assert "pool news greets as news.example.org" in server.run("check").stdout
    assert "127.0.0.5" in server.run("trace", "carol@via.test").stdout


def test_a_destination_keeps_its_address(postroad, remote):
    """Whatever connection it is; and destinations are spread."""
    mx, names = remote(), [f"d{i}" for i in range(12)]
    pool = 'pool "two" { addresses = {"127.0.0.5", "127.0.0.6", "2001:db8::1"} }\n'
    server = postroad(zone=zone(*names), outbound_port=mx.port, outbound='pool = "two" idle = 0s', conf=pool)
    for _ in range(3):
        for name in names:
            send(server, f"carol@{name}.test")
        conftest.until(server.queue_is_empty, "an empty queue")
    sources = {}
    for event in server.told("delivered", 3 * len(names)):
        sources.setdefault(event["to"], set()).add(event["source"])
    assert len(sources) == len(names) and all(len(found) == 1 for found in sources.values())
    assert set().union(*sources.values()) == set(mx.peers) == {"127.0.0.5", "127.0.0.6"}


def test_mail_that_cannot_leave_from_its_pool_waits(postroad, remote):
    """There is no address of the family, or it is not this machine's; a reload mends it."""
    mx, domains = remote(), zone("strange", "far", address="192.0.2.9")
    domains["mx.strange.test"] = {"AAAA": ["2001:db8::9"]}
    lost = 'pool "lost" { addresses = {"192.0.2.77"} }\nroute "far.test" { pool = "lost" }\n'
    server = postroad(zone=domains, outbound_port=mx.port, outbound='pool = "usual"', retry=("1s",), conf=POOLS + lost)
    send(server, "carol@strange.test", "carol@far.test")
    strange, far = (conftest.until(lambda: [line for line in server.log() if line["event"] == "deferred" and line["to"] == to],
                                   f"{to} to wait")[0] for to in ("carol@strange.test", "carol@far.test"))
    assert "no address of the host's family" in strange["reply"] and "source" not in strange
    assert far["source"] == "192.0.2.77"

    server.set_zone(domains | {"mx.far.test": {"A": ["127.0.0.1"]}})
    server.write_conf(POOLS + 'route "far.test" { pool = "news" }\n')
    server.run("reload")
    conftest.until(lambda: mx.messages, "what can leave now")
    assert mx.peers == ["127.0.0.5"]
    assert "strange.test" in json.dumps(server.queue())


def test_a_mistake_is_told(postroad):
    server = postroad(start=False, conf='route "x.test" { pool = "news" }\n')
    said = server.run("check", check=False)
    assert said.returncode != 0 and 'route pool = "news" is not there' in said.stdout + said.stderr
