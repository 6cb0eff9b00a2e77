"""What the doctor finds: a patient who is well in all that a zone file can say, and one thing after another that is wrong."""
import hashlib
import json
import socket
import subprocess

import pytest

import certificates
import conftest
import policies
from test_dkim_keys import published
from test_socks5 import Proxy

HOST = "mail.example.org"


def reverse(address):
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa"


ZONE = {
    HOST: {"A": ["127.0.0.1"]},
    reverse("127.0.0.1"): {"PTR": [HOST]},
    "example.org": {"MX": [[10, HOST]], "TXT": [["v=spf1 mx -all"]]},
    "_dmarc.example.org": {"TXT": [["v=DMARC1; p=none"]]},
    "_mta-sts.example.org": {"TXT": [["v=STSv1; id=1"]]},
    "_smtp._tls.example.org": {"TXT": [["v=TLSRPTv1; rua=mailto:p@example.org"]]},
}


@pytest.fixture
def patient(postroad):
    server = postroad(start=False, conf='dkim { keys = "dkim" }\n')
    (server.home / "users").chmod(0o600)
    server.zone = ZONE | published(server.run("dkim", "generate", "example.org").stdout)
    server.set_zone(server.zone)
    server.run("dkim", "check")
    return server


def findings(server, *words):
    """{what it is about: (severity, finding, what mends it)}, and the exit code."""
    result = server.run("doctor", "--json", *words, check=False)
    found = {f["about"]: (f["severity"], f["finding"], f.get("mend")) for f in json.loads(result.stdout)}
    severities = {severity for severity, *_ in found.values()}
    assert result.returncode == (2 if "error" in severities else 1 if "warning" in severities else 0)
    # What is wrong says what mends it.
    assert all(mend for severity, _, mend in found.values() if severity in ("warning", "error"))
    return found


def about(found, start):
    [finding] = [finding for subject, finding in found.items() if subject.startswith(start)]
    return finding


def test_all_is_well(patient):
    patient.start()
    found = findings(patient)
    for start in ("configuration", "server", "users", "listen", "disk", "reverse name of 127.0.0.1", "MX of example.org",
                  "SPF of example.org", "DMARC", "MTA-STS", "TLS-RPT", "folder of DKIM keys"):
        assert about(found, start)[0] == "fine", (start, about(found, start))
    assert [severity for subject, (severity, *_) in found.items() if subject.startswith("DKIM ")] == ["fine", "fine"]
    assert about(found, "certificate")[0] == "warning" and about(found, "port 25")[0] == "note"
    printed = patient.run("doctor", check=False).stdout
    assert "fine     MX of example.org: it names this server" in printed and printed.splitlines()[-1].endswith(" 0 errors")
    reached = f"port 25 of others (127.0.0.1:{patient.port})"
    assert findings(patient, "--reach", f"127.0.0.1:{patient.port}")[reached][0] == "fine"


@pytest.mark.parametrize("name,records,start,severity,mend", [
    (HOST, None, "addresses of mail", "error", "publish"),
    (reverse("127.0.0.1"), None, "reverse name", "error", "PTR mail.example.org."),
    (reverse("127.0.0.1"), {"PTR": ["other.example.org"]}, "reverse name", "error", "PTR"),
    (reverse("127.0.0.1"), "SERVFAIL", "reverse name", "warning", "try again"),
    ("example.org", {"TXT": [["v=spf1 ip4:127.0.0.1 -all"]]}, "MX of", "error", "IN MX 10 mail.example.org."),
    ("example.org", {"MX": [[10, "mx.far.test"]]}, "MX of", "warning", "IN MX"),
    ("example.org", {"MX": [[10, HOST]]}, "SPF of", "warning", "v=spf1 mx -all"),
    ("example.org", {"MX": [[10, HOST]], "TXT": [["v=spf1 ip4:192.0.2.1 -all"]]}, "SPF of", "error", "v=spf1"),
    ("_dmarc.example.org", None, "DMARC", "warning", "v=DMARC1"),
    ("_smtp._tls.example.org", None, "TLS-RPT", "note", "v=TLSRPTv1"),
    ("_25._tcp.mail.example.org", {"TLSA": ["3 1 1 " + "00" * 32]}, "TLSA", "error", "3 1 1"),
])
def test_the_dns(patient, name, records, start, severity, mend):
    zone = dict(patient.zone)
    zone.pop(name, None)
    patient.set_zone(zone | ({name: records} if records else {}))
    found = about(findings(patient), start)
    assert found[0] == severity and mend in found[2], found


POOL = {reverse("127.0.0.5"): {"PTR": ["out.example.org"]}, "out.example.org": {"A": ["127.0.0.5"]},
        "example.org": {"MX": [[10, HOST]], "TXT": [["v=spf1 mx a:out.example.org -all"]]}}


def test_pools(patient):
    """Whose addresses are not of this machine, have no name that leads back, or another one than the pool says."""
    patient.set_zone(patient.zone | POOL)
    patient.base = patient.base.replace("outbound {", 'outbound { source = {"127.0.0.6"}')
    patient.write_conf('''
pool "good" { addresses = {"127.0.0.5"} hostname = "out.example.org" }
pool "named" { addresses = {"127.0.0.5"} }
pool "away" { addresses = {"192.0.2.77"} }
''')
    found = findings(patient)
    assert found["address 127.0.0.5 of pool good"][0] == found["reverse name of 127.0.0.5 of pool good"][0] == "fine"
    assert found["SPF of example.org for 127.0.0.5 of pool good"][0] == "fine"
    assert found["reverse name of 127.0.0.5 of pool named"][0] == "warning"
    assert "we say mail.example.org" in found["reverse name of 127.0.0.5 of pool named"][1]
    away = found["address 192.0.2.77 of pool away"]
    assert away[0] == "error" and "its mail waits" in away[1] and "ip address add 192.0.2.77/32" in away[2]
    assert found["reverse name of 127.0.0.6 of outbound"][0] == "error"
    assert found["SPF of example.org for 127.0.0.6 of outbound"][0] == "error"


def test_proxies_of_pools(patient):
    good, picky = Proxy({"127.0.0.1": patient.port}), Proxy({"127.0.0.1": patient.port}, login=("mail", "secret"))
    picky_word = patient.home / "proxy.password"
    picky_word.write_text("secret\n")
    picky_word.chmod(0o600)
    gone = conftest.free_port()
    patient.write_conf(f'''
pool "good" {{ socks5 = "127.0.0.1:{good.port}" }}
pool "picky" {{ socks5 = "127.0.0.1:{picky.port}" }}
pool "known" {{ socks5 = "127.0.0.1:{picky.port}" user = "mail" password-file = "proxy.password" }}
pool "gone" {{ socks5 = "127.0.0.1:{gone}" }}
''')
    all_found = findings(patient)
    found = {name: about(all_found, f"SOCKS5 proxy 127.0.0.1:{proxy} of pool {name}") for name, proxy in
             (("good", good.port), ("picky", picky.port), ("known", picky.port), ("gone", gone))}
    assert found["good"][:2] == found["known"][:2] == ("fine", "it takes us") and picky.logins == [("mail", "secret")]
    assert found["picky"][0] == "error" and "wants a login" in found["picky"][1]
    assert found["gone"][0] == "error" and "refused" in found["gone"][1]
    assert not good.asked
    patient.start()
    reached = findings(patient, "--reach", f"127.0.0.1:{patient.port}")
    assert about(reached, f"SOCKS5 proxy 127.0.0.1:{good.port}")[:2] == ("fine", f"it gets to 127.0.0.1:{patient.port}")
    assert good.asked == picky.asked == [("127.0.0.1", patient.port)]
    for proxy in (good, picky):
        proxy.close()


def test_who_reads_what_everybody_may_write(postroad):
    def mail(aliases, name, users=("alice", "bob")):
        server = postroad(start=False, aliases=aliases, users=users)
        server.set_zone(ZONE)
        return findings(server)[f"mail for {name}@example.org"]

    assert mail("postmaster: alice\n", "postmaster")[:2] == ("fine", "it is delivered to the mailbox of alice")
    nobody = mail("root: alice\n", "postmaster")
    assert nobody[0] == "warning" and "who is no user" in nobody[1] and "postmaster: USER" in nobody[2]
    assert mail("root: alice\n", "postmaster", users=("postmaster",))[0] == "fine"
    refused = mail("postmaster: alice\n", "abuse")
    assert refused[0] == "warning" and "refused" in refused[1] and "abuse: USER" in refused[2]
    assert mail("postmaster: alice\nabuse: postmaster\n", "abuse")[0] == "fine"
    assert mail("abuse: postmaster\n", "abuse")[0] == "warning"
    assert mail("abuse: gone@far.test\n", "abuse")[0] == "fine"


@pytest.mark.skipif(not policies.may_serve(), reason="policies come from port 443")
def test_the_policy_of_mta_sts(patient, tmp_path):
    authority = certificates.Authority(tmp_path / "authority")
    web = policies.Web(authority.issue("web", "DNS:mta-sts.example.org"))
    certificate, key = authority.issue("mail", f"DNS:{HOST}", folder=patient.home)
    key.chmod(0o600)
    tls = f'tls {{ ca = "{authority.path}" certificate = "{certificate}" key = "{key}" }}\n'
    patient.write_conf(tls)
    zone = patient.zone | {"mta-sts.example.org": {"A": [web.address]}}
    patient.set_zone(zone)

    def policy(mode, *hosts, **settings):
        web.serve("example.org", mode, *hosts, **settings)
        return about(findings(patient), "policy https://mta-sts.example.org/")

    assert policy("enforce", HOST)[:2] == ("fine", f"enforce for {HOST}, kept for 7 days")
    assert policy("testing", "*.example.org")[0] == "fine"
    assert policy("enforce", "mx.far.test")[0] == "error" and policy("testing", "mx.far.test")[0] == "warning"
    assert f"does not name {HOST}" in policy("enforce", "mx.far.test")[1]
    for missing in (policy("enforce", HOST, status=404), policy("enforce", HOST, kind="text/html")):
        assert missing[0] == "warning" and "cannot be had" in missing[1]
    patient.write_conf(f'tls {{ ca = "{authority.path}" }}\n')
    assert policy("enforce", HOST)[0] == "error" and "no certificate" in policy("enforce", HOST)[1]

    # Where web serves one it is to be this one, and its record is to change with it.
    patient.write_conf(tls + f'web {{ listen = "127.0.0.1:{conftest.free_port()}" mta-sts = testing mta-sts-age = 1d }}\n')
    assert "not the one that this server has" in policy("enforce", HOST)[1]
    assert policy("testing", HOST, age=86400)[0] == "fine"
    patient.set_zone({**zone, "_mta-sts.example.org": {"TXT": [["v=STSv1; id=0123456789abcdef"]]}})
    stale = policy("testing", HOST, age=86400)
    assert stale[0] == "warning" and "has changed" in stale[1]
    patient.set_zone({**zone, "_mta-sts.example.org": {"TXT": [[stale[2].split('"')[1]]]}})
    assert policy("testing", HOST, age=86400)[0] == "fine"
    patient.set_zone({**zone, "_mta-sts.example.org": {"TXT": [["v=STSv1; id=1"], ["v=STSv1; id=2"]]}})
    assert "there are two" in about(findings(patient), "MTA-STS")[1]
    web.close()


def digest(certificate):
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, check=True, capture_output=True).stdout
    return hashlib.sha256(der).hexdigest()


def test_certificates(patient, tmp_path):
    """One that is good for two days, and for our name; then for another."""
    authority = certificates.Authority(tmp_path / "authority")
    certificate, key = authority.issue("good", f"DNS:{HOST}", folder=patient.home)
    key.chmod(0o600)
    patient.write_conf(f'tls {{ certificate = "{certificate}" key = "{key}" }}\n')
    patient.set_zone(patient.zone | {f"_25._tcp.{HOST}": {"TLSA": ["3 1 1 " + digest(certificate)]}})
    found = findings(patient)
    assert about(found, "certificate")[0] == "warning" and "expires in" in about(found, "certificate")[1]
    assert about(found, "TLSA")[:2] == ("fine", "one means our certificate")
    assert about(found, "key ")[0] == "fine"
    other, key = authority.issue("other", "DNS:other.example.org", folder=patient.home)
    key.chmod(0o644)
    patient.write_conf(f'tls {{ certificate = "{other}" key = "{key}" }}\n')
    found = findings(patient)
    assert "none is for mail.example.org" in found["certificate"][1]
    assert about(found, "TLSA")[0] == "error" and about(found, "key ")[0] == "error"


def test_keys(patient):
    zone = {name: records for name, records in patient.zone.items() if "_domainkey" not in name}
    patient.set_zone(zone)
    severities = [severity for subject, (severity, *_) in findings(patient).items() if subject.startswith("DKIM ")]
    assert severities == ["error", "error"]
    patient.write_conf()
    assert about(findings(patient), "DKIM of example.org")[0] == "warning"


def test_files_and_ports(patient):
    (patient.home / "users").chmod(0o644)
    web = conftest.free_port()
    patient.write_conf(f'web {{ listen = "127.0.0.1:{web}" }}\n')
    with socket.create_server((patient.address, patient.port)), socket.create_server(("127.0.0.1", web)):
        found = findings(patient)
    assert found[f"web listen 127.0.0.1:{web}"][:2] == ("error", "another program listens there")
    assert about(found, "users")[0] == "error" and about(found, "users")[2].startswith("chmod")
    assert about(found, "listen")[:2] == ("error", "another program listens there")
    assert about(found, "server")[0] == "warning"
    assert about(findings(patient), "listen")[:2] == ("fine", "free for the server")
    with socket.create_server((patient.address, 0)) as free:
        port = free.getsockname()[1]
    assert findings(patient, "--reach", f"127.0.0.1:{port}")[f"port 25 of others (127.0.0.1:{port})"][0] == "error"


def test_a_wrong_configuration(patient):
    patient.write_conf("colour = blue\n")
    found = findings(patient)
    assert list(found) == ["configuration"] and "colour" in found["configuration"][1]


def test_words_that_make_no_sense(patient):
    for words in (["--reach"], ["what"]):
        assert patient.run("doctor", *words, check=False).returncode == 64
