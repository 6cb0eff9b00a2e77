"""`postroad verify` and `postroad sign` as commands: their words, exit codes and answers, and what a stranger may do to them."""
import json
import pathlib
import subprocess

import pytest

from verify import run, verify

ZONE = {
    "example.org": {"TXT": [["v=spf1 ip4:192.0.2.0/24 -all exp=why.example.org"]]},
    "why.example.org": {"TXT": [["%{i} may not"]]},
    "_dmarc.example.org": {"TXT": [["v=DMARC1; p=reject"]]},
    "7.2.0.192.in-addr.arpa": {"PTR": ["mail.example.org"]},
    "mail.example.org": {"A": ["192.0.2.7"]},
    "late.test": "TIMEOUT", "_dmarc.late.test": "SERVFAIL", "s._domainkey.late.test": "SERVFAIL",
}
CLIENT = ["--ip", "192.0.2.7", "--helo", "mail.example.org", "--mail-from", "<a@example.org>"]
LETTER = b"From: A <a@example.org>\nSubject: x\n\nhello\n"


@pytest.fixture
def zone_file(tmp_path):
    path = tmp_path / "zone.json"
    path.write_text(json.dumps(ZONE))
    return path


def test_all_at_once():
    report = verify(ZONE, *CLIENT, message=LETTER)
    assert set(report) == {"spf", "dkim", "arc", "dmarc", "authentication_results", "queries"}
    assert report["spf"]["result"] == "pass" and report["spf"]["mechanism"] == "ip4:192.0.2.0/24"
    assert report["dkim"] == [] and report["arc"]["cv"] == "none"
    assert report["dmarc"]["result"] == "pass" and report["dmarc"]["spf_aligned"] and not report["dmarc"]["dkim_aligned"]
    assert report["dmarc"]["policy"] == "reject" and report["dmarc"]["disposition"] == "none"
    assert "TXT example.org" in report["queries"] and "PTR 7.2.0.192.in-addr.arpa" in report["queries"]


def test_others_can_read_what_we_say():
    authres = pytest.importorskip("authres")
    field = verify(ZONE, *CLIENT, message=LETTER)["authentication_results"]
    parsed = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {field}")
    assert {(one.method, one.result) for one in parsed.results} == {
        ("iprev", "pass"), ("spf", "pass"), ("dkim", "none"), ("arc", "none"), ("dmarc", "pass")}


def test_a_refusal_is_explained():
    report = verify(ZONE, "--ip", "198.51.100.1", "--mail-from", "a@example.org", message=LETTER)
    assert report["spf"]["result"] == "fail" and report["spf"]["explanation"] == "198.51.100.1 may not"
    assert report["dmarc"]["result"] == "fail" and report["dmarc"]["disposition"] == "reject"


def test_what_dns_does_not_say_is_temporary():
    letter = (b"DKIM-Signature: v=1; a=rsa-sha256; d=late.test; s=s; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;"
              b" c=simple/relaxed; b=AAAA\nFrom: a@late.test\n\n")
    report = verify(ZONE, "--ip", "192.0.2.1", "--mail-from", "a@late.test", message=letter)
    assert report["spf"]["result"] == report["dkim"][0]["result"] == report["dmarc"]["result"] == "temperror"
    assert report["dmarc"]["disposition"] == "none"


@pytest.mark.parametrize("header", [b"Subject: no author\n", b"From: a@example.org\nFrom: b@evil.test\n", b"From: Nobody:;\n",
                                    b"From: a@example.org, b@evil.test\n", b"From : a@example.org\nfrom: b@evil.test\n"])
def test_no_author_or_too_many(header):
    dmarc = verify(ZONE, message=header + b"\nx\n")["dmarc"]
    assert dmarc["result"] == "permerror" and dmarc["reason"]


def test_text_is_for_people_and_has_no_control_bytes(zone_file):
    letter = b"DKIM-Signature: v=1; a=\x1b[31mred; d=\xff\xfe\nFrom: a@example.org\n\n"
    result = run("verify", "-", "--zone", zone_file, message=letter)
    assert result.returncode == 0
    assert b"spf:   not looked at" in result.stdout and b"dmarc: fail, policy reject of example.org" in result.stdout
    assert b"\x1b" not in result.stdout
    json.loads(run("verify", "-", "--json", "--zone", zone_file, message=letter).stdout)


@pytest.mark.parametrize("words,code", [
    (["--ip", "nonsense"], 64), (["--zone"], 64), (["--unknown", "x"], 64), (["spf", "--helo", "x"], 64), (["a", "b"], 64),
    (["--time", "soon"], 64), (["/nowhere/letter"], 66), (["--zone", "/nowhere/zone"], 66), (["--zone", "/proc/self/status"], 65),
    (["dmarc", "--from-domain", ".."], 64)])
def test_exit_codes(zone_file, words, code):
    result = run("verify", *(words if "--zone" in words else [*words, "--zone", zone_file]), message=LETTER)
    assert result.returncode == code, result
    assert result.stderr


def test_thousands_of_signatures_and_fields():
    signature = b"DKIM-Signature: v=1; a=rsa-sha256; d=d%d.test; s=s; h=%s; bh=AAAA; b=AAAA\n"
    many = b"".join(signature % (i, b":".join([b"from"] * 150)) for i in range(5000)) + LETTER
    report = verify(ZONE, message=many)
    assert 1 <= len(report["dkim"]) <= 10
    assert len(report["queries"]) <= 20
    too_many = b"".join(b"X-%d: y\n" % i for i in range(20000)) + LETTER
    assert run("verify", "--zone", "/dev/null", message=too_many).returncode in (65, 66)


def test_thousands_of_includes():
    includes = " ".join(f"include:i{i}.test" for i in range(5000))
    zone = {f"i{i}.test": {"TXT": [["v=spf1 ?all"]]} for i in range(20)}
    zone["wide.test"] = {"TXT": [[f"v=spf1 {includes} -all"[k:k + 255] for k in range(0, len(includes) + 20, 255)]]}
    report = verify(zone, "spf", "--ip", "192.0.2.1", "--mail-from", "a@wide.test")
    assert report["spf"]["result"] == "permerror" and report["spf"]["lookups"] == 10
    assert len(report["queries"]) == 11


def test_signing_needs_a_key_that_others_accept(tmp_path):
    weak, none = tmp_path / "weak.pem", tmp_path / "none.pem"
    subprocess.run(["openssl", "genrsa", "-out", weak, "768"], check=True, capture_output=True)
    none.write_text("no key\n")
    for key, code in ((weak, 65), (none, 65), (pathlib.Path("/nowhere/key"), 66)):
        result = run("sign", "-", "--key", key, "--domain", "example.org", "--selector", "s", message=LETTER)
        assert result.returncode == code and result.stderr and not result.stdout, result
    assert run("sign", "-", "--domain", "example.org", message=LETTER).returncode == 64
