"""DANE (RFC 7672): for each kind of TLSA record, host and trouble, whether mail goes, how, or waits and is never sent in clear."""
import hashlib
import ssl
import subprocess

import pytest

import conftest
from certificates import Authority

OTHER = hashlib.sha256(b"somebody else's").hexdigest()


def openssl(*words, text=None):
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, input=text).stdout


class Keys:
    """What TLSA records can hold of a certificate: [selector][matching type]."""

    def __init__(self, path):
        whole = openssl("x509", "-in", path, "-outform", "DER")
        public = openssl("pkey", "-pubin", "-outform", "DER", text=openssl("x509", "-in", path, "-noout", "-pubkey"))
        self.data = [[part.hex(), hashlib.sha256(part).hexdigest(), hashlib.sha512(part).hexdigest()] for part in (whole, public)]

    def record(self, usage, selector, matching):
        return f"{usage} {selector} {matching} {self.data[selector][matching]}"


def cases(leaf, ca):
    """Domain: (TLSA records of its host, what becomes of its mail, a word of the `tls` field or of the reply)."""
    return {
        "ee-key": ([leaf.record(3, 1, 1)], "delivered", "(DANE)"),
        "ee-key-512": ([leaf.record(3, 1, 2)], "delivered", "(DANE)"),
        "ee-key-full": ([leaf.record(3, 1, 0)], "delivered", "(DANE)"),
        "ee-certificate": ([leaf.record(3, 0, 1)], "delivered", "(DANE)"),
        "ee-certificate-full": ([leaf.record(3, 0, 0)], "delivered", "(DANE)"),
        "ta-key": ([ca.record(2, 1, 1)], "delivered", "(DANE)"),
        "ta-certificate": ([ca.record(2, 0, 1)], "delivered", "(DANE)"),
        "ta-wrong-name": ([ca.record(2, 0, 1)], "deferred", "TLS cannot be had"),
        "ta-is-no-ee": ([ca.record(3, 0, 1)], "deferred", "TLS cannot be had"),
        "another": ([f"3 1 1 {OTHER}"], "deferred", "TLS cannot be had"),
        "one-of-two": ([f"3 1 1 {OTHER}", leaf.record(3, 1, 1)], "delivered", "(DANE)"),
        "one-is-no-use": ([f"1 1 1 {OTHER}", leaf.record(3, 1, 1)], "delivered", "(DANE)"),
        "one-is-no-use-other-is-wrong": ([leaf.record(1, 1, 1), f"3 1 1 {OTHER}"], "deferred", "TLS cannot be had"),
        "no-use": ([f"1 1 1 {OTHER}", f"0 0 1 {OTHER}", "3 1 1 00"], "delivered", "TLS"),
        "no-use-clear": ([f"1 1 1 {OTHER}"], "deferred", "TLS is demanded, and the host does not offer it"),
        "clear": ([leaf.record(3, 1, 1)], "deferred", "TLS is demanded, and the host does not offer it"),
        "servfail": ("SERVFAIL", "deferred", "TLSA"),
        "timeout": ("TIMEOUT", "deferred", "TLSA"),
        "bogus": ("BOGUS", "deferred", "TLSA"),
        "none": (None, "delivered", "TLS"),
        "none-clear": (None, "delivered", "none"),
    }


def secure(**records):
    return {"secure": True, **records}


def zone(port, leaf, ca):
    names = {}
    for domain, (records, _, _) in cases(leaf, ca).items():
        names[f"{domain}.test"] = secure(MX=[[10, f"mx.{domain}.test"]])
        names[f"mx.{domain}.test"] = secure(A=["127.0.0.2" if domain.endswith("clear") else "127.0.0.1"])
        if records is not None:
            names[f"_{port}._tcp.mx.{domain}.test"] = secure(TLSA=records)
    wrong = secure(TLSA=[f"3 1 1 {OTHER}"])
    # Where DNSSEC does not vouch for the way there, the record says nothing.
    names["plain-tlsa.test"], names["mx.plain-tlsa.test"] = secure(MX=[[10, "mx.plain-tlsa.test"]]), secure(A=["127.0.0.1"])
    names[f"_{port}._tcp.mx.plain-tlsa.test"] = {"TLSA": [f"3 1 1 {OTHER}"]}
    names["plain-mx.test"], names["mx.plain-mx.test"] = {"MX": [[10, "mx.plain-mx.test"]]}, secure(A=["127.0.0.1"])
    names[f"_{port}._tcp.mx.plain-mx.test"] = wrong
    names["plain-address.test"], names["mx.plain-address.test"] = secure(MX=[[10, "mx.plain-address.test"]]), {"A": ["127.0.0.1"]}
    names[f"_{port}._tcp.mx.plain-address.test"] = wrong
    names["bogus-mx.test"] = secure(MX="BOGUS")
    names["bogus-address.test"], names["mx.bogus-address.test"] = secure(MX=[[10, "mx.bogus-address.test"]]), secure(A="BOGUS")
    # The records stand at the end of the aliases, or at the name itself when there are none (RFC 7672, section 2.2.2).
    for domain, at in (("alias-end", "real.alias-end.test"), ("alias-name", "mx.alias-name.test")):
        names[f"{domain}.test"] = secure(MX=[[10, f"mx.{domain}.test"]])
        names[f"mx.{domain}.test"] = secure(CNAME=f"real.{domain}.test")
        names[f"real.{domain}.test"] = secure(A=["127.0.0.1"])
        names[f"_{port}._tcp.{at}"] = secure(TLSA=[leaf.record(3, 1, 1)])
    # The second host is as good as the first.
    for domain, first in (("second-matches", [f"3 1 1 {OTHER}"]), ("second-answers", "SERVFAIL")):
        names[f"{domain}.test"] = secure(MX=[[10, f"bad.{domain}.test"], [20, f"good.{domain}.test"]])
        names[f"bad.{domain}.test"] = names[f"good.{domain}.test"] = secure(A=["127.0.0.1"])
        names[f"_{port}._tcp.bad.{domain}.test"] = secure(TLSA=first)
        names[f"_{port}._tcp.good.{domain}.test"] = secure(TLSA=[leaf.record(3, 1, 1)])
    # A domain without an MX record is its own host.
    names["no-mx.test"] = secure(A=["127.0.0.1"])
    names[f"_{port}._tcp.no-mx.test"] = wrong
    for domain in ("demanded", "demanded-none"):
        names[f"{domain}.test"], names[f"mx.{domain}.test"] = secure(MX=[[10, f"mx.{domain}.test"]]), secure(A=["127.0.0.1"])
    names[f"_{port}._tcp.mx.demanded.test"] = secure(TLSA=[leaf.record(3, 1, 1)])
    return names


MORE = {
    "plain-tlsa": ("delivered", "TLS"), "plain-mx": ("delivered", "TLS"), "plain-address": ("delivered", "TLS"),
    "bogus-mx": ("deferred", ""), "bogus-address": ("deferred", ""),
    "alias-end": ("delivered", "(DANE)"), "alias-name": ("delivered", "(DANE)"),
    "second-matches": ("delivered", "(DANE)"), "second-answers": ("delivered", "(DANE)"),
    "no-mx": ("deferred", "TLS cannot be had"),
    "demanded": ("delivered", "(DANE)"), "demanded-none": ("deferred", "DANE is demanded"),
}
DEMANDS = 'route "demanded.test" { tls = dane }\nroute "demanded-none.test" { tls = dane }\n'


@pytest.fixture
def world(postroad, remote, tmp_path):
    """A mail server with TLS, whose certificate no system believes, one without, and a postroad that sends to both."""
    controllers = pytest.importorskip("aiosmtpd.controller")
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.issue("mx", *(f"DNS:mx.{domain}.test" for domain in ("ta-key", "ta-certificate")))
    chain = tmp_path / "chain.pem"
    chain.write_text(certificate.read_text() + authority.path.read_text())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    taker = conftest.Taker()
    controller = controllers.Controller(taker, hostname="127.0.0.1", port=conftest.free_port(), tls_context=tls)
    controller.start()
    clear = remote(address="127.0.0.2", port=controller.port)
    keys = Keys(certificate), Keys(authority.path)
    server = postroad(zone=zone(controller.port, *keys), retry=("1h",), outbound_port=controller.port, conf=DEMANDS, start=False)
    server.taker, server.clear, server.keys, server.to = taker, clear, keys, controller.port
    yield server
    controller.stop()


def send(server, domains):
    with server.smtp() as client:
        for domain in domains:
            client.sendmail("alice@example.org", [f"carol@{domain}.test"], "Subject: Hello\r\n\r\nHello.\r\n")


def outcome(server, domain):
    def found():
        return [event for event in server.log() if event.get("to") == f"carol@{domain}" and
                event["event"] in ("delivered", "deferred", "bounced")]
    return conftest.until(found, f"an outcome of {domain}")[-1]


def test_what_tlsa_records_do(world):
    world.start()
    table = {domain: (what, word) for domain, (_, what, word) in cases(*world.keys).items()} | MORE
    send(world, table)
    wrong = []
    for domain, (what, word) in table.items():
        event = outcome(world, f"{domain}.test")
        told = event.get("tls", "") if what == "delivered" else event["reply"]
        if event["event"] != what or word not in told:
            wrong.append((domain, what, word, event))
    assert not wrong, "\n".join(map(str, wrong))
    gone = {recipient for recipient, under_tls in world.taker.got if under_tls}
    assert gone == {f"carol@{domain}.test" for domain, (what, word) in table.items() if what == "delivered" and word != "none"}
    assert len(world.taker.got) == len(gone)
    assert [message["to"] for message in world.clear.messages] == [["RCPT TO:<carol@none-clear.test>"]]
    counters = world.ask("stats")["counters"]
    assert counters["dane"] > 0 and counters["dane-failed"] > 0


def test_what_the_report_of_the_day_will_tell(world):
    """RFC 8460: under which policy the sessions were, and what failed."""
    world.start()
    told = {"ee-key": [("tlsa", "success")], "another": [("tlsa", "validation-failure")], "clear": [("tlsa", "starttls-not-supported")],
            "no-use": [("no-policy-found", "success"), ("tlsa", "tlsa-invalid")], "bogus": [("tlsa", "dnssec-invalid")],
            "demanded-none": [("tlsa", "dane-required")], "none": [("no-policy-found", "success")]}
    send(world, told)
    for domain, wanted in told.items():
        outcome(world, f"{domain}.test")
        [entry] = world.ask("reports", "--domain", f"{domain}.test")
        assert sorted((row["policy"], row["result"]) for row in entry["rows"]) == wanted, entry


def test_explain_shows_what_is_demanded(world):
    world.start()
    leaf = world.keys[0]

    def host(domain):
        [destination] = world.ask("explain", f"carol@{domain}.test")["destinations"]
        return destination, destination["hosts"][0] if destination["hosts"] else None

    destination, first = host("ee-key")
    assert destination["mx_dnssec"] is True and first["dnssec"] is True
    assert (first["tls"], first["tls_by"], first["tlsa_base"]) == ("verified", "DANE", "mx.ee-key.test")
    assert first["tlsa"] == [leaf.record(3, 1, 1)]
    assert host("no-use")[1]["tls"] == "encrypted" and host("no-use")[1]["tlsa"] == []
    assert host("none")[1]["tls"] == "if offered" and "tls_by" not in host("none")[1]
    assert host("plain-mx")[1]["tls"] == "if offered" and host("plain-mx")[0]["mx_dnssec"] is False
    assert "TLSA" in host("servfail")[0]["verdict"]
    assert host("demanded-none")[1] is None
    said = world.run("explain", "carol@ee-key.test").stdout
    assert "(DNSSEC), TLS verified (DANE)" in said and f"TLSA {leaf.record(3, 1, 1)[:40]}" in said
    assert "none of which can be used" in world.run("explain", "carol@no-use.test").stdout


def test_dane_can_be_left_out(world):
    world.base = world.base.replace("outbound { ", "outbound { dane = no ")
    world.write_conf(DEMANDS)
    world.start()
    send(world, ("another", "servfail", "demanded", "demanded-none"))
    for domain in ("another", "servfail"):
        event = outcome(world, f"{domain}.test")
        assert event["event"] == "delivered" and "(DANE)" not in event["tls"]
    assert "(DANE)" in outcome(world, "demanded.test")["tls"]
    assert outcome(world, "demanded-none.test")["event"] == "deferred"


def test_a_demand_without_validation_is_refused(world):
    world.base = world.base.replace('dns { zone = "zone.json" }', 'dns { server = {"127.0.0.1@5353"} }')
    world.write_conf(DEMANDS)
    refused = world.run("check", check=False)
    assert refused.returncode == 1 and "demands DANE, and nothing in the DNS is validated (hint: dns { trust-anchor" in refused.stderr
