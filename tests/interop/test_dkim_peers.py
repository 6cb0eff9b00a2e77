"""What we sign, others verify; what they sign, we verify: dkimpy and OpenDKIM."""
import base64
import pathlib
import subprocess

import pytest

from verify import VECTORS, run, verify

DKIMPY = VECTORS / "dkim/dkimpy"
SEED = (DKIMPY / "ed25519test.key").read_bytes().strip()

LETTERS = {
    "plain": b"From: A <a@example.org>\nTo: b@example.net\nSubject: hello\nDate: Tue, 24 Nov 2026 04:28:01 +0000\n"
             b"Message-ID: <1@example.org>\n\nA line.\n\nAnother.\n\n\n",
    "crlf": b"Subject: folded\r\n over lines\r\nFrom: a@example.org\r\n\r\n.leading dot\r\n \t\r\n",
    "no body": b"From: a@example.org\nSubject: no body\n\n",
    "no line end": b"From: a@example.org\n\nno line end",
    "odd header": b"from :  a@example.org \nTo: x@example.net\nTo: y@example.net\nX-Other: \xe9\xff\nSubject: \xc3\xa9\n\n\xff\xfe 8 bit\n",
    "long": b"From: a@example.org\nSubject: long\n\n" + b"word  " * 20000 + b"\n" * 50,
}

# It refuses a blank before the colon, which RFC 5322 §4.5 has a reader accept.
READ_BY_DKIMPY = [name for name in LETTERS if name != "odd header"]


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Private keys by selector, and the zone with their public halves."""
    folder = tmp_path_factory.mktemp("keys")
    rsa, ed25519 = folder / "rsa.pem", folder / "ed25519.pem"
    subprocess.run(["openssl", "genrsa", "-out", rsa, "2048"], check=True, capture_output=True)
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", ed25519], check=True, capture_output=True)
    der = {path: subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"], check=True,
                                capture_output=True).stdout for path in (rsa, ed25519)}
    public = base64.b64encode(der[rsa]).decode()
    zone = {"rsa._domainkey.example.org": {"TXT": [["v=DKIM1; k=rsa; p=" + public[:200], public[200:]]]},
            "ed._domainkey.example.org": {"TXT": [["v=DKIM1; k=ed25519; p=", base64.b64encode(der[ed25519][-32:]).decode()]]}}
    return {"rsa": rsa, "ed": ed25519, "zone": zone, "folder": folder}


def sign(keys, letter, *selectors):
    words = [word for selector in selectors for word in ("--key", keys[selector], "--selector", selector)]
    result = run("sign", "-", "--domain", "example.org", "--time", "1000", *words, message=letter)
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith(letter)
    return result.stdout


def text_of(zone):
    """What dkimpy asks DNS with."""
    return lambda name, timeout=5: "".join(
        zone.get(name.decode().rstrip("."), {"TXT": [[""]]})["TXT"][0]).encode()


@pytest.mark.parametrize("letter", LETTERS)
def test_we_verify_what_we_sign(keys, letter):
    signed = sign(keys, LETTERS[letter], "rsa", "ed")
    found = verify(keys["zone"], "dkim", message=signed)["dkim"]
    assert [(one["result"], one["algorithm"]) for one in found] == [("pass", "rsa-sha256"), ("pass", "ed25519-sha256")]
    broken = verify(keys["zone"], "dkim", message=signed.replace(b"a@example.org", b"b@example.org", 1))["dkim"]
    assert [one["result"] for one in broken] == ["fail", "fail"]
    added = verify(keys["zone"], "dkim", message=b"From: evil@example.com\n" + signed)["dkim"]
    assert [one["result"] for one in added] == ["fail", "fail"]


@pytest.mark.parametrize("letter", READ_BY_DKIMPY)
@pytest.mark.parametrize("selector", ["rsa", "ed"])
def test_dkimpy_verifies_what_we_sign(keys, letter, selector):
    dkim = pytest.importorskip("dkim")
    signed = sign(keys, LETTERS[letter], selector)
    assert dkim.DKIM(signed).verify(dnsfunc=text_of(keys["zone"]))


@pytest.mark.parametrize("canon", [b"simple/simple", b"simple/relaxed", b"relaxed/simple", b"relaxed/relaxed"])
@pytest.mark.parametrize("letter", READ_BY_DKIMPY)
def test_we_verify_what_dkimpy_signs(keys, letter, canon):
    dkim = pytest.importorskip("dkim")
    headers, bodies = canon.split(b"/")
    zone = {**keys["zone"], "seed._domainkey.example.org":
            {"TXT": [[(DKIMPY / "ed25519test.dns").read_text().strip()]]}}
    rsa = dkim.sign(LETTERS[letter], b"rsa", b"example.org", keys["rsa"].read_bytes(), canonicalize=(headers, bodies))
    ed25519 = dkim.sign(LETTERS[letter], b"seed", b"example.org", SEED, canonicalize=(headers, bodies),
                        signature_algorithm=b"ed25519-sha256")
    assert [one["result"] for one in verify(zone, "dkim", message=rsa + ed25519 + LETTERS[letter])["dkim"]] == ["pass"] * 2


@pytest.mark.parametrize("record,result", [("test2.txt", "pass"), ("test_bad.txt", "permerror"), ("badk.txt", "permerror"),
                                           ("badversion.txt", "permerror"), ("test_tlsrpt.txt", "permerror")])
def test_key_records_of_dkimpy(record, result):
    """Records for the key that signed the example of RFC 6376, in other forms."""
    dkim = pytest.importorskip("dkim")
    assert dkim
    zone = {"test._domainkey.football.example.com": {"TXT": [[(DKIMPY / record).read_text().strip().replace("\n", "")]]}}
    found = verify(zone, "dkim", message=(DKIMPY / "rfc6376.signed.msg").read_bytes())["dkim"]
    assert [one["result"] for one in found if one["algorithm"] == "rsa-sha256"] == [result], found


def test_a_message_without_author_is_neither_signed_nor_believed(keys):
    letter = (DKIMPY / "test_nofrom.message").read_bytes()
    result = run("sign", "-", "--key", keys["rsa"], "--domain", "example.org", "--selector", "rsa", message=letter)
    assert result.returncode == 65 and b"From" in result.stderr and result.stdout == b""
    assert verify({}, message=letter)["dmarc"]["result"] == "permerror"


def opendkim(keys, message, *options):
    """OpenDKIM in test mode, its keys from a file."""
    folder = keys["folder"]
    (folder / "public").write_text("".join(
        f"{name} {''.join(entry['TXT'][0])}\n" for name, entry in keys["zone"].items()))
    path = pathlib.Path(folder / "letter.eml")
    path.write_bytes(message)
    (folder / "opendkim.conf").write_text(f"TestPublicKeys {folder}/public\nMode v\nSyslog no\n")
    return subprocess.run(["/usr/sbin/opendkim", "-x", folder / "opendkim.conf", *options, "-t", path], capture_output=True,
                          text=True, timeout=30)


# In test mode it loses a last line without an end, and a blank before the colon.
@pytest.mark.parametrize("letter", ["plain", "crlf", "no body", "long"])
def test_opendkim_verifies_what_we_sign(keys, letter):
    if not pathlib.Path("/usr/sbin/opendkim").exists():
        pytest.skip("opendkim is not installed")
    signed = sign(keys, LETTERS[letter], "rsa").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    result = opendkim(keys, signed)
    assert "verification (s=rsa, d=example.org, 2048-bit key) succeeded" in result.stderr + result.stdout, result
    result = opendkim(keys, signed.replace(b"a@example.org", b"b@example.org", 1))
    assert "succeeded" not in result.stderr + result.stdout, result
