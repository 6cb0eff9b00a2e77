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


def check(record_property, title, cases):
    wrong = each(cases, judge)
    table(record_property, title, len(cases), wrong, {})
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
        strong = algorithms[i] in ("rsa-sha256", "ed25519-sha256") and (
            bits[i] == "ed25519" or bits[i].isdigit() and int(bits[i]) >= 1024)
        expected.append({"pass"} if verdict == "pass" and strong else NOT_PASS)
    if name == "badkey_15.txt":
        expected = [{"temperror", "permerror"}]  # Its key's look-up fails, and it is rsa-sha1 besides.
    if not re.search(rb"^DKIM-Signature:[^\n]*(\n\s[^\n]*)*\bv=1\b", message, re.M | re.I):
        expected = [NOT_PASS if choice == {"pass"} else choice for choice in expected]  # From before RFC 4871.
    return zone, message, expected


def test_mail_dkim(record_property):
    zone = corpus_zone()
    rows = [line.split("\t") for line in (CORPUS / "EXPECTED.tsv").read_text().splitlines() if not line.startswith("#")]
    check(record_property, "DKIM Mail::DKIM", {row[0]: corpus_case(zone, row) for row in rows})


# -- dkimpy --------------------------------------------------------------------


def dkimpy_records():
    rows = [line.split("\t") for line in (DKIMPY / "DNS.txt").read_text().splitlines() if not line.startswith("#")]
    return [(message, name, text) for message, name, text, _ in rows]


@pytest.mark.parametrize("message", sorted({message for message, _, _ in dkimpy_records()}))
def test_dkimpy_signed(message):
    zone = {name: {"TXT": [[text]]} for for_message, name, text in dkimpy_records() if for_message == message}
    found = verify(zone, "dkim", *WHEN, message=(DKIMPY / message).read_bytes())["dkim"]
    assert found and all(one["result"] == "pass" for one in found), found
