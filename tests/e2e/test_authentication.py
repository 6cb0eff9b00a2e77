"""Mail of other servers is judged by SPF, DKIM and DMARC as it arrives. The zone file answers, dkimpy signs."""
import base64
import smtplib
import subprocess

import dkim
import pytest

import conftest

CLIENT, FOREIGN = "127.0.0.1", "127.0.0.9"  # Neither is trusted.
OWN = '"127.0.0.77"'


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "rsa.pem"
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", path, "2048"], check=True, capture_output=True)
    der = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    return path.read_bytes(), base64.b64encode(der).decode()


@pytest.fixture(scope="module")
def zone(key):
    public = key[1]
    return {
        "good.test": {"TXT": [[f"v=spf1 ip4:{CLIENT} -all"]]},
        "s._domainkey.good.test": {"TXT": [["v=DKIM1; k=rsa; p=" + public[:200], public[200:]]]},
        "_dmarc.good.test": {"TXT": [["v=DMARC1; p=reject"]]},
        "c.test": {"TXT": [["v=spf1 -all"]]},
        "ill.test": {"TXT": "SERVFAIL"},
    }


def hand_in(server, message, sender, source=CLIENT, to="alice@example.org"):
    with smtplib.SMTP(server.address, server.port, local_hostname="c.test", timeout=conftest.PATIENCE_S,
                      source_address=(source, 0)) as client:
        client.ehlo()
        client.mail(sender)
        assert client.rcpt(to)[0] == 250
        code, text = client.data(message)
        return f"{code} {text.decode()}"


def letter(key, author="a@good.test", body="Hello.\r\n", signed=True, more=""):
    message = (f"{more}From: {author}\r\nTo: alice@example.org\r\nSubject: hello\r\n"
               f"Date: Wed, 25 Nov 2026 20:00:00 +0000\r\nMessage-ID: <1@good.test>\r\n\r\n{body}").encode()
    return (dkim.sign(message, b"s", b"good.test", key[0], include_headers=[b"from", b"subject"]) if signed else b"") + message


def results(mail):
    """The value of our field of results, unfolded: it stands right under Return-Path and Delivered-To."""
    header = mail.split(b"\n\n")[0].replace(b"\n\t", b" ").decode().splitlines()
    [field] = [line for line in header if line.startswith("Authentication-Results: mail.example.org;")]
    assert header.index(field) == 2 and header[3].startswith("Received: from c.test")
    return field


def test_a_good_message(postroad, key, zone):
    server = postroad(relay_from=OWN, zone=zone)
    claim = "Authentication-Results: mail.example.org; dkim=pass header.d=bank.test\r\nAuthentication-Results: other.test; spf=pass\r\n"
    assert hand_in(server, letter(key, more=claim), "a@good.test").startswith("250 ")
    [mail] = server.mail("alice")
    field = results(mail)
    assert "; spf=pass smtp.mailfrom=good.test; spf=fail smtp.helo=c.test; " in field and "dkim=pass" in field and "header.d=good.test" in field and "dmarc=pass" in field
    assert b"bank.test" not in mail and b"Authentication-Results: other.test; spf=pass" in mail
    counters = server.ask("stats")["counters"]
    assert (counters["spf-pass"], counters["dkim-pass"], counters["dmarc-pass"]) == (1, 1, 1)
    [life] = server.ask("trace", "a@good.test")
    assert "dmarc=pass" in life["steps"][0]["results"]


def test_a_large_message_is_judged_as_it_streams(postroad, key, zone):
    server = postroad(relay_from=OWN, zone=zone)
    body = "".join(f"line {i} of a long letter\r\n" for i in range(8000))
    assert hand_in(server, letter(key, body=body), "a@good.test").startswith("250 ")
    [mail] = server.mail("alice")
    assert "dkim=pass" in results(mail)
    assert mail.endswith(body.replace("\r\n", "\n").encode())


def test_a_forged_message_is_put_aside(postroad, key, zone):
    server = postroad(relay_from=OWN, zone=zone)
    assert hand_in(server, letter(key, signed=False), "a@good.test", FOREIGN).startswith("250 ")
    junk = server.home / "mail/example.org/alice/.Junk/new"
    [path] = conftest.until(lambda: list(junk.glob("*")) if junk.exists() else [], "it in Junk")
    field = results(path.read_bytes())
    assert "spf=fail" in field and "dmarc=fail" in field
    assert server.mailbox("alice") == []
    counters = server.ask("stats")["counters"]
    assert (counters["spf-fail"], counters["dmarc-fail"], counters["unauthentic-junk"]) == (1, 1, 1)


def test_policies(postroad, key, zone):
    forged = letter(key, signed=False)
    server = postroad(relay_from=OWN, zone=zone, conf="authentication { dmarc = enforce }")
    assert hand_in(server, forged, "b@elsewhere.test", FOREIGN).startswith("550 5.7.1 ")
    [refused] = conftest.until(lambda: [entry for entry in server.log() if entry["event"] == "rejected"], "its log line")
    assert refused["results"].endswith("spf=none dkim=none arc=none dmarc=fail") and refused["status"] == "5.7.1"
    broken = letter(key).replace(b"Hello.", b"Hallo.")
    assert hand_in(server, broken, "b@elsewhere.test", FOREIGN).startswith("550 5.7.1 ")
    assert hand_in(server, letter(key), "b@elsewhere.test", FOREIGN).startswith("250 ")  # The signature is enough.
    server = postroad("mark", relay_from=OWN, zone=zone, conf="authentication { dmarc = mark spf = reject }")
    assert hand_in(server, forged, "b@elsewhere.test", FOREIGN).startswith("250 ")
    [mail] = server.mail("alice")
    assert "dmarc=fail" in results(mail)
    assert hand_in(server, forged, "a@good.test", FOREIGN).startswith("550 5.7.23 ")


def test_received_spf(postroad, key, zone):
    server = postroad(relay_from=OWN, zone=zone, conf="authentication { received-spf = yes }")
    assert hand_in(server, letter(key, more="Received-SPF: none\r\n"), "a@good.test").startswith("250 ")
    header = server.mail("alice")[0].split(b"\n\n")[0].replace(b"\n\t", b" ").decode().splitlines()
    assert header[2].startswith("Authentication-Results: ") and header[4].startswith("Received: ")
    assert header[3] == ("Received-SPF: pass identity=mailfrom; receiver=mail.example.org; client-ip=127.0.0.1; "
                         'envelope-from="a@good.test"; helo=c.test; mechanism="ip4:127.0.0.1"')


@pytest.mark.parametrize("conf", ["", "strangers { require-reverse-dns = note }"])
def test_the_name_of_the_client(postroad, key, zone, conf):
    """Whoever asks for it first."""
    server = postroad(relay_from=OWN, conf=conf, zone={
        **zone, "1.0.0.127.in-addr.arpa": {"PTR": ["mx.good.test"]}, "mx.good.test": {"A": [CLIENT]}})
    assert hand_in(server, letter(key), "a@good.test").startswith("250 ")
    [mail] = server.mail("alice")
    assert f"; iprev=pass policy.iprev={CLIENT}; " in results(mail)


def test_the_dns_keeps_silent(postroad, key, zone):
    server = postroad(relay_from=OWN, zone=zone)
    assert hand_in(server, letter(key, author="a@ill.test", signed=False), "a@ill.test").startswith("250 ")
    [mail] = server.mail("alice")
    assert "spf=temperror" in results(mail)


def test_trusted_clients_are_not_judged(postroad, key, zone):
    server = postroad(zone=zone)
    assert hand_in(server, letter(key, signed=False), "a@good.test").startswith("250 ")
    [mail] = server.mail("alice")
    assert b"Authentication-Results" not in mail
