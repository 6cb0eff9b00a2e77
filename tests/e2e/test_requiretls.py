"""Messages that want TLS all the way, or do not care (RFC 8689): REQUIRETLS of MAIL, and the field TLS-Required."""
import smtplib
import ssl

import pytest

import conftest
from certificates import Authority
from test_dane import OTHER, Keys, secure

BODY = "Subject: hello\r\n\r\nThe secret of it.\r\n"


@pytest.fixture
def world(postroad, tmp_path):
    """Two servers of ours, one that does not know REQUIRETLS, one that does not know TLS. `near` hands on, `far` takes."""
    controllers = pytest.importorskip("aiosmtpd.controller")
    certificate, key = Authority(tmp_path / "authority").issue("mx", "DNS:mx.example.org")
    conf = f'tls {{ certificate = "{certificate}" key = "{key}" }}\n'
    leaf = Keys(certificate).record(3, 1, 1)
    far = postroad("far", hostname="far.test", domains=("far.test", "open.test", "old.test", "both.test", "clear.test", "wrong.test"),
                   address="127.0.0.2", conf=conf)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    taker = conftest.Taker()
    old = controllers.Controller(taker, hostname="127.0.0.3", port=far.port, tls_context=tls)
    clear = controllers.Controller(taker, hostname="127.0.0.4", port=far.port)
    old.start()
    clear.start()
    hosts = {"far": "127.0.0.2", "old": "127.0.0.3", "clear": "127.0.0.4", "wrong": "127.0.0.2"}
    zone = {f"mx.{name}.test": secure(A=[address]) for name, address in hosts.items()}
    zone |= {f"{name}.test": secure(MX=[[10, f"mx.{name}.test"]]) for name in hosts}
    zone |= {f"_{far.port}._tcp.mx.{name}.test": secure(TLSA=[leaf]) for name in ("far", "old", "clear")}
    zone[f"_{far.port}._tcp.mx.wrong.test"] = secure(TLSA=[f"3 1 1 {OTHER}"])
    zone["both.test"] = secure(MX=[[10, "mx.old.test"], [20, "mx.far.test"]])
    zone["open.test"] = {"MX": [[10, "mx.far.test"]]}
    near = postroad(outbound_port=far.port, zone=zone, retry=("1h",), conf=conf)
    near.far, near.taker = far, taker
    yield near
    old.stop()
    clear.stop()


def hand_in(server, domain, options=("REQUIRETLS",), body=BODY):
    with smtplib.SMTP("127.0.0.1", server.port, timeout=conftest.PATIENCE_S) as client:
        client.ehlo()
        assert not client.has_extn("requiretls")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client.starttls(context=context)
        client.ehlo()
        assert client.has_extn("requiretls")
        assert client.mail("alice@example.org", list(options))[0] == 250
        assert client.rcpt(f"bob@{domain}")[0] == 250
        assert client.data(body)[0] == 250


def outcome(server, domain):
    return conftest.until(lambda: [event for event in server.log() if event.get("to") == f"bob@{domain}" and
                                   event["event"] in ("delivered", "deferred", "bounced")], f"an outcome of {domain}")[-1]


def test_all_the_way_or_not_at_all(world):
    for domain in ("far.test", "both.test", "old.test", "clear.test", "open.test"):
        hand_in(world, domain, options=("REQUIRETLS", "RET=FULL"))
    for domain in ("far.test", "both.test"):
        assert outcome(world, domain)["event"] == "delivered" and "(DANE)" in outcome(world, domain)["tls"]
    for domain, words in (("old.test", "which the host does not promise"), ("clear.test", "the host does not offer it"),
                          ("open.test", "neither DNSSEC nor an MTA-STS policy vouches")):
        event = outcome(world, domain)
        assert event["event"] == "bounced" and event["status"] in ("5.7.30", "5.7.10") and words in event["reply"], event
    assert world.taker.got == []
    arrived = conftest.until(lambda: len(lines := [event for event in world.far.log() if event["event"] == "received"]) == 2 and lines,
                             "both to be there")
    assert all(event["demands"] == "REQUIRETLS" for event in arrived)
    # What is returned shows no more than the header, whatever RET said.
    reports = world.mail("alice", count=3)
    assert all(b"Subject: hello" in report and b"The secret of it" not in report for report in reports)
    assert world.ask("stats")["counters"]["dane"] >= 2


def test_a_message_that_does_not_care_goes_where_policies_would_stop_it(world):
    hand_in(world, "wrong.test", options=())
    assert outcome(world, "wrong.test")["event"] == "deferred"
    hand_in(world, "clear.test", options=(), body="TLS-Required: No\r\n" + BODY)
    assert outcome(world, "clear.test")["event"] == "delivered"
    hand_in(world, "wrong.test", options=(), body="TLS-Required: No\r\n" + BODY)
    conftest.until(lambda: outcome(world, "wrong.test")["event"] == "delivered", "the careless one to be delivered")
    [waiting] = world.queue()
    assert "demands" not in waiting


def test_the_queue_shows_what_a_message_demands(world):
    world.run("queue", "pause", "--domain", "far.test")
    hand_in(world, "far.test")
    [waiting] = world.queue()
    assert waiting["demands"] == "REQUIRETLS"
    world.stop()
    world.start()
    world.run("queue", "resume", "--domain", "far.test")
    assert outcome(world, "far.test")["event"] == "delivered"
    received = conftest.until(lambda: [event for event in world.far.log() if event["event"] == "received"], "it to be there")
    assert received[0]["demands"] == "REQUIRETLS"
