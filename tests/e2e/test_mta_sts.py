"""MTA-STS (RFC 8461): policies from a web server of the test, mail to hosts that keep to them and hosts that do not."""
import ssl

import pytest

import conftest
from certificates import Authority
from policies import Web, may_serve

pytestmark = pytest.mark.skipif(not may_serve(), reason="policies come from port 443")

# Each with mail hosts mx.DOMAIN; TLS mail servers have certificates for some of these.
GOOD = ("match", "wild", "changing", "none", "cached")
UNTRUSTED = ("wrongname", "testing")
DOMAINS = GOOD + UNTRUSTED + ("mismatch", "clear", "notfound", "redirect", "large", "html", "webname")


def zone(web, ids=None):
    names = {}
    for domain in DOMAINS:
        names[f"{domain}.test"] = {"MX": [[10, f"mx.{domain}.test"]]}
        names[f"mx.{domain}.test"] = {"A": ["127.0.0.2" if domain in ("clear", "notfound", "large") else "127.0.0.1"]}
        names[f"_mta-sts.{domain}.test"] = {"TXT": [[f"v=STSv1; id={(ids or {}).get(domain, '1')};"]]}
        names[f"mta-sts.{domain}.test"] = {"A": [web.address]}
    return names


@pytest.fixture
def world(postroad, remote, tmp_path):
    """A web server, a mail server with TLS and one without, and a postroad that sends to both."""
    controllers = pytest.importorskip("aiosmtpd.controller")
    authority = Authority(tmp_path / "authority")
    web = Web(authority.issue("web", *(f"DNS:mta-sts.{domain}.test" for domain in DOMAINS if domain != "webname")))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue("mx", *(f"DNS:mx.{domain}.test" for domain in GOOD)))
    taker = conftest.Taker()
    controller = controllers.Controller(taker, hostname="127.0.0.1", port=conftest.free_port(), tls_context=tls)
    controller.start()
    clear = remote(address="127.0.0.2", port=controller.port)
    for domain in DOMAINS:
        web.serve(f"{domain}.test", "enforce", f"mx.{domain}.test")
    server = postroad(zone=zone(web), retry=("1h",), outbound_port=controller.port, conf=f'tls {{ ca = "{authority.path}" }}\n',
                      start=False)
    server.web, server.taker, server.clear = web, taker, clear
    yield server
    controller.stop()
    web.close()


def send(server, *domains):
    with server.smtp() as client:
        for domain in domains:
            client.sendmail("alice@example.org", [f"carol@{domain}.test"], "Subject: Hello\r\n\r\nHello.\r\n")


def outcome(server, domain, count=1):
    def found():
        events = [event for event in server.log() if event.get("to") == f"carol@{domain}.test"
                  and event["event"] in ("delivered", "deferred", "bounced")]
        return len(events) >= count and events
    return conftest.until(found, f"{count} outcomes of {domain}")[-1]


def told(server, domain):
    return [event for event in server.log() if event.get("domain") == f"{domain}.test"]


def test_what_policies_do(world):
    web = world.web
    web.serve("wild.test", "enforce", "*.wild.test")
    web.serve("mismatch.test", "enforce", "other.mismatch.test")
    web.serve("testing.test", "testing", "other.testing.test")
    web.serve("none.test", "none")
    web.serve("notfound.test", "enforce", "mx.notfound.test", status=404)
    web.pages["mta-sts.redirect.test"] = 301, "text/plain", "mta-sts.match.test"
    web.serve("large.test", "enforce", "mx.large.test" + " " * (64 << 10))
    web.serve("html.test", "enforce", "mx.html.test", kind="text/html")
    world.start()
    send(world, *DOMAINS)

    for domain in ("match", "wild", "changing"):
        assert outcome(world, domain)["tls"].startswith("TLSv1.3 ")
        assert [event["event"] for event in told(world, domain)] == ["policy-fetched"]
    for domain, status, words in (("mismatch", "4.7.5", "its MTA-STS policy names none of its mail hosts"),
                                  ("wrongname", "4.7.5", "TLS cannot be had: hostname mismatch"),
                                  ("clear", "4.7.4", "TLS is demanded")):
        event = outcome(world, domain)
        assert event["event"] == "deferred" and event["status"] == status and words in event["reply"], event
    for domain in ("testing", "none", "notfound", "redirect", "large", "html", "webname"):
        assert outcome(world, domain)["event"] == "delivered"
    for domain, words in (("notfound", "answers 404"), ("redirect", "answers 301"), ("large", "too large"),
                          ("html", "not text/plain"), ("webname", "certificate")):
        [event] = told(world, domain)
        assert event["event"] == "policy-failed" and words in event["reason"], event
    assert {to for to, _ in world.taker.got} | {to.split("<")[1].rstrip(">") for m in world.clear.messages for to in m["to"]} == {
        f"carol@{domain}.test" for domain in DOMAINS if domain not in ("mismatch", "wrongname", "clear")}
    counters = world.ask("stats")["counters"]
    assert counters["policies-fetched"] == len(DOMAINS) - 5 and counters["policies-failed"] == 5

    # The operator sees the same.
    shown = world.run("explain", "carol@mismatch.test").stdout
    assert "MTA-STS enforce" in shown and "other.mismatch.test" in shown
    policy = world.ask("explain", "carol@match.test")["destinations"][0]["mta-sts"]
    assert policy["mode"] == "enforce" and policy["mx"] == ["mx.match.test"] and policy["fetched"] < policy["renewed"] < policy["ends"]


def test_a_policy_outlives_its_web_server_and_ours(world):
    world.start()
    send(world, "cached", "changing", "clear")
    assert outcome(world, "cached")["event"] == "delivered"
    outcome(world, "changing")
    outcome(world, "clear")
    asked = len(world.web.asked)
    world.kill()
    # Somebody who commands DNS and the way to the web: no policy is to be had, and the mail host is his.
    names = zone(world.web, {"changing": "2"})
    names["mx.cached.test"] = {"A": ["127.0.0.2"]}
    del names["_mta-sts.cached.test"], names["mta-sts.cached.test"]
    world.web.serve("changing.test", "enforce", "other.changing.test")
    world.set_zone(names)
    world.start()
    send(world, "cached", "changing")
    assert outcome(world, "cached", 2)["status"] == "4.7.4"
    # Who changes the policy tells so by its id.
    assert outcome(world, "changing", 2)["status"] == "4.7.5"
    assert [event["event"] for event in told(world, "changing")] == ["policy-fetched", "policy-changed"]
    assert world.web.asked[asked:] == ["mta-sts.changing.test"]
    assert not world.clear.messages


def test_a_message_may_waive_the_policy(world):
    """RFC 8689, section 5: its sender would rather have it there. One from before still waits."""
    world.start()
    send(world, "clear", "mismatch")
    assert outcome(world, "clear")["event"] == "deferred"
    with world.smtp() as client:
        client.sendmail("alice@example.org", ["carol@clear.test"], "TLS-Required: No\r\nSubject: Hello\r\n\r\nHello.\r\n")
    assert outcome(world, "clear", 2)["event"] == "delivered"
    [message] = world.clear.messages
    assert b"TLS-Required: No\r\n" in message["body"]
    assert len(world.queue()) == 2
