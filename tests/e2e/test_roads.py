"""Which road mail takes: routes for some senders."""
import conftest

ZONE = {"remote.test": {"MX": [[10, "mx.remote.test"]]}, "mx.remote.test": {"A": ["127.0.0.1"]}}
LETTER = "From: someone@example.org\r\nTo: carol@remote.test\r\nSubject: Hello\r\n\r\nHello.\r\n"


def send(server, sender="alice@example.org", to="carol@remote.test"):
    with server.smtp() as client:
        client.sendmail(sender, [to], LETTER)


def test_the_sender_decides(postroad, remote):
    """One recipient, four roads: for everybody, for a domain, for a person, and around all of them to the MX hosts."""
    mx, everybody, sales, bob = remote(), remote(), remote(), remote()
    server = postroad(zone=ZONE, outbound_port=mx.port, conf=f'''
route "*" {{ via = {{"127.0.0.1:{everybody.port}"}} }}
route "*" {{ via = {{"127.0.0.1:{sales.port}"}} from = {{"@sales.example.org"}} }}
route "*" {{ via = {{"127.0.0.1:{bob.port}"}} from = {{"bob@sales.example.org", "bob@example.org"}} }}
route "remote.test" {{ from = {{"direct@example.org"}} }}
''')
    roads = {"alice@example.org": everybody, "x@sales.example.org": sales, "bob+tag@sales.example.org": bob,
             "BOB@example.org": bob, "direct@example.org": mx}
    for sender in roads:
        send(server, sender)
    conftest.until(server.queue_is_empty, "an empty queue")
    for host in (mx, everybody, sales, bob):
        got = sorted(message["from"] for message in host.messages)
        assert [sender for sender in sorted(roads) if roads[sender] is host] == [line.split("<")[1].split(">")[0] for line in got]

    def rule(*words):
        return server.ask("explain", "carol@remote.test", *words)["destinations"][0]["rule"]

    assert rule() == f'route "*" via 127.0.0.1:{everybody.port}'
    assert rule("--from", "a@sales.example.org") == f'route "*" from @sales.example.org via 127.0.0.1:{sales.port}'
    assert rule("--from", "direct@example.org") == 'MX of remote.test (route "remote.test" from direct@example.org)'
    assert rule("--from=<>") == rule()
    assert server.run("explain", "carol@remote.test", "--from", "a b", check=False).returncode == 64
