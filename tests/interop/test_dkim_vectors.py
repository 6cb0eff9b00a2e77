"""DKIM as others tested it: chasquid's cases, those of dkimpy, and part of the corpus of Mail::DKIM."""
import json
import re

import pytest

from verify import VECTORS, each, run, table, verify

CHASQUID = VECTORS / "dkim/chasquid"
DKIMPY = VECTORS / "dkim/dkimpy"
CORPUS = VECTORS / "dkim/mail-dkim-corpus-a"

# Before anything in the suites expires.
WHEN = ("--time", "1300000000")


def judge(case):
    """Does each signature have the result that is expected of it? A set is a choice."""
    zone, message, expected = case
    found = verify(zone, "dkim", *WHEN, message=message)["dkim"]
    results = [one["result"] for one in found]
    if len(results) != len(expected) or any(result not in choice for result, choice in zip(results, expected)):
        return f"{results} instead of {expected}: {found}"
    return None


def check(record_property, title, cases, disputed=()):
    wrong = each(cases, judge)
    table(record_property, title, len(cases), wrong, disputed)
    assert cases
    assert not wrong, "\n".join(f"{name}: {complaint}" for name, complaint in wrong.items())


# -- chasquid ------------------------------------------------------------------

STATES = {"SUCCESS": {"pass"}, "TEMPFAIL": {"temperror"}, "PERMFAIL": {"permerror", "fail"}}


def chasquid_zone(text):
    zone = {}
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if not line.strip():
            continue
        name, value = (part.strip() for part in line.split(":", 1))
        if value in ("TEMPERROR", "PERMERROR"):
            # A permanent failure of a look-up is a name that does not exist.
            if value == "TEMPERROR":
                zone[name] = "SERVFAIL"
        else:
            zone.setdefault(name, {"TXT": []})["TXT"].append([value])
    return zone


def chasquid_case(message):
    dns, result = message.with_suffix(".dns"), message.with_suffix(".result")
    expected = []
    if result.exists():
        expected = [STATES[one["State"]] for one in json.loads(result.read_text())["Results"]]
    if message.stem == "02-too_many_headers":
        # It stops after five signatures; we look at all seven.
        expected += [{"pass"}, {"pass"}]
    return chasquid_zone(dns.read_text()) if dns.exists() else {}, message.read_bytes(), expected


def test_chasquid(record_property):
    check(record_property, "DKIM chasquid", {path.stem: chasquid_case(path) for path in sorted(CHASQUID.glob("*.msg"))})


# -- Mail::DKIM ----------------------------------------------------------------

NOT_PASS = {"fail", "permerror", "policy", "neutral"}

# Where the corpus says pass and the RFCs have moved on: case: why it passes no more.
SHA1 = "rsa-sha1 must not be verified (RFC 8301 §3.1)"
NO_VERSION = "a signature has v=1 (RFC 6376 §3.5); the drafts before RFC 4871 had none"
MOVED_ON = {
    **dict.fromkeys(("good_1878523.txt", "good_qp_2.txt", "good_rfc4871_3.txt", "goodkey_1.txt", "goodkey_3.txt", "multiple_2.txt"), SHA1),
    **dict.fromkeys(("good_ietf00_1.txt", "good_ietf00_3.txt", "good_ietf00_5.txt", "good_ietf01_2.txt", "mine_ietf01_1.txt",
                     "mine_ietf05_1.txt", "no_body_2.txt"), f"{SHA1}; {NO_VERSION}"),
    "mine_ietf01_3.txt": NO_VERSION,
}


def corpus_zone():
    zone = {}
    for line in (CORPUS / "FAKE_DNS.dat").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        name, _, text = line.partition("  ") if "  " in line else line.partition(" ")
        text = text.strip()
        if text == "NXDOMAIN":
            continue
        zone[name] = "SERVFAIL" if text.startswith("~~") else {"TXT": [[text.strip('"')]]}
    return zone


def corpus_case(zone, row):
    name, verdict, count, _, algorithms, bits, _ = row
    message = (CORPUS / name).read_bytes()
    algorithms, bits = algorithms.split(","), bits.split(",")
    expected = []
    for i in range(int(count)):
        strong = bits[i] == "ed25519" or bits[i].isdigit() and int(bits[i]) >= 1024  # RFC 8301 §3.2
        assert strong or verdict != "pass" or name in MOVED_ON
        expected.append({"pass"} if verdict == "pass" and name not in MOVED_ON else NOT_PASS)
    if name == "badkey_15.txt":
        expected = [{"temperror", "permerror"}]  # Its key's look-up fails, and it is rsa-sha1 besides.
    return zone, message, expected


def test_mail_dkim(record_property):
    zone = corpus_zone()
    rows = [line.split("\t") for line in (CORPUS / "EXPECTED.tsv").read_text().splitlines() if not line.startswith("#")]
    check(record_property, "DKIM Mail::DKIM", {row[0]: corpus_case(zone, row) for row in rows}, MOVED_ON)


# -- dkimpy --------------------------------------------------------------------


def dkimpy_records():
    rows = [line.split("\t") for line in (DKIMPY / "DNS.txt").read_text().splitlines() if not line.startswith("#")]
    return [(message, name, text) for message, name, text, _ in rows]


@pytest.mark.parametrize("message", sorted({message for message, _, _ in dkimpy_records()}))
def test_dkimpy_signed(message):
    zone = {name: {"TXT": [[text]]} for for_message, name, text in dkimpy_records() if for_message == message}
    found = verify(zone, "dkim", *WHEN, message=(DKIMPY / message).read_bytes())["dkim"]
    assert found and all(one["result"] == "pass" for one in found), found
