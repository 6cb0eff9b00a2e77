"""Chains that we seal, verified by dkimpy and by ourselves, over hops of both kinds."""
import os
import pathlib
import subprocess

import pytest

from verify import PROGRAM, verify

SEALER = pathlib.Path(os.environ.get("POSTROAD_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build")) / "src/auth/arc_seal_sample"
LETTER = (b"From: A <a@example.org>\r\nTo: list@hop1.test\r\nSubject: hello\r\n over lines\r\n"
          b"Date: Tue, 24 Nov 2026 04:28:01 +0000\r\nMessage-ID: <1@example.org>\r\n\r\nA line.  \r\n\r\nAnother.\r\n\r\n")
RESULTS = "; spf=pass smtp.mailfrom=a@example.org;\r\n\tdkim=none"

dkim = pytest.importorskip("dkim")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A private key, and the zone in which every hop publishes it."""
    path = tmp_path_factory.mktemp("arc") / "rsa.pem"
    subprocess.run(["openssl", "genrsa", "-out", path, "2048"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "rsa", "-in", path, "-pubout"], check=True, capture_output=True, text=True).stdout
    record = "v=DKIM1; k=rsa; p=" + "".join(public.splitlines()[1:-1])
    return {"key": path, "zone": {f"s._domainkey.hop{i}.test": record for i in range(1, 6)}}


def our_seal(world, hop, message):
    known = [word for item in world["zone"].items() for word in item]
    result = subprocess.run([SEALER, world["key"], f"hop{hop}.test", "s", f"hop{hop}.test{RESULTS}", "1700000000", *known],
                            input=message, capture_output=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def dkimpy_seal(world, hop, message):
    """It takes what was found of the chain from the field that says so."""
    cv = "none" if hop == 1 else "pass"
    field = f"Authentication-Results: hop{hop}.test; arc={cv}; spf=pass smtp.mailfrom=a@example.org\r\n".encode()
    name = f"hop{hop}.test".encode()
    fields = dkim.arc_sign(field + message, b"s", name, world["key"].read_bytes(), name)
    assert fields
    return b"".join(fields) + message


def judged(world, message):
    """What dkimpy says of the chain (nothing, of one that is closed), and what we do."""
    cv, _, _ = dkim.arc_verify(
        message, dnsfunc=lambda name, timeout=5: world["zone"].get(name.decode().rstrip("."), "").encode())
    zone = {name: {"TXT": [[record[:250], record[250:]]]} for name, record in world["zone"].items()}
    return (cv or b"fail").decode(), verify(zone, "arc", message=message)["arc"]["cv"]


@pytest.mark.parametrize("sealers", ["o", "ooo", "odo", "dodo", "ddo"])
def test_chains_of_us_and_dkimpy(world, sealers):
    message = LETTER
    for hop, sealer in enumerate(sealers, 1):
        message = (our_seal if sealer == "o" else dkimpy_seal)(world, hop, message)
        assert judged(world, message) == ("pass", "pass")
    assert message.lower().count(b"arc-seal:") == len(sealers)
    assert judged(world, message.replace(b"A line.", b"No line.")) == ("fail", "fail")
    assert judged(world, message.replace(b"spf=pass", b"spf=fail", 1)) == ("fail", "fail")


def test_a_broken_chain_is_closed(world):
    message = our_seal(world, 2, our_seal(world, 1, LETTER).replace(b"A line.", b"No line."))
    assert b"cv=fail" in message and judged(world, message) == ("fail", "fail")
    with pytest.raises(AssertionError):
        our_seal(world, 3, message)
