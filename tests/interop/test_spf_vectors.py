"""The test suites for SPF of OpenSPF and blitiri, every case of them."""
import json

import pytest
import yaml

from verify import VECTORS, each, table, verify

SUITES = {"openspf": VECTORS / "spf/openspf-rfc7208/rfc7208-tests.yml", "blitiri": VECTORS / "spf/blitiri/blitirispf-tests.yml"}
TYPES = ("A", "AAAA", "MX", "PTR", "TXT")

# Where we disagree with a suite: case: what we say. All of them use names of one label, for which RFC 7208 §4.3 has
# "none" as a sender's domain, and whose mention in a record is a mistake by its grammar (§7.1, domain-end; OpenSPF's
# a-only-toplabel says so, too).
DISPUTED = {
    "Resolution limits/resolution-with-10-lookups": "permerror",
    "MX resolution limits/mx-resolution-10-terms": "none",
    "MX resolution limits/mx-resolution-11-terms": "none",
    "NXDOMAIN tests/one-mx-not-found": "none",
    "NXDOMAIN tests/all-mx-not-found": "none",
    "NXDOMAIN tests/include-not-found": "none",
    "NXDOMAIN tests/redirect-not-found": "none",
}


def zone_of(zonedata):
    """A zone of the suite, in which TIMEOUT stands for the types that a name does not list.

    A NUL in a record becomes another byte that has no place there: JSON has none."""
    zone = {}
    zonedata = json.loads(json.dumps(zonedata).replace("\\u0000", "\\u0001"))
    for name, entries in zonedata.items():
        records, trouble = {}, None
        own_txt = any(isinstance(entry, dict) and "TXT" in entry for entry in entries)
        for entry in entries:
            if not isinstance(entry, dict):
                trouble = entry
                continue
            for kind, value in entry.items():
                if kind in ("TIMEOUT", "SERVFAIL"):
                    trouble = kind
                elif kind == "CNAME":
                    records["CNAME"] = value
                elif kind != "SPF" or not own_txt:
                    kind = "TXT" if kind == "SPF" else kind
                    if value != "NONE":
                        records.setdefault(kind, []).append(value if isinstance(value, list) or kind != "TXT" else [value])
        if trouble and not records:
            zone[name] = trouble
        else:
            zone[name] = {**({kind: trouble for kind in TYPES} if trouble else {}), **records}
    return zone


def cases(path):
    return {f"{document['description']}/{name}": (zone, case)
            for document in yaml.safe_load_all(path.read_text()) if document
            for zone in [zone_of(document["zonedata"])]
            for name, case in document["tests"].items()}


def judge(case):
    zone, test = case
    spf = verify(zone, "spf", "--ip", test["host"], "--helo", test.get("helo", ""), "--mail-from", test["mailfrom"])["spf"]
    expected = test["result"] if isinstance(test["result"], list) else [test["result"]]
    if spf["result"] not in expected:
        return f"{spf['result']} instead of {expected}: {spf}"
    wanted = test.get("explanation")
    if spf["result"] == "fail" and wanted is not None and (spf["explanation"] or "DEFAULT") != wanted:
        return f"explained by {spf['explanation']!r} instead of {wanted!r}"
    return None


@pytest.mark.parametrize("suite", SUITES)
def test_suite(suite, record_property):
    all_cases = cases(SUITES[suite])
    wrong = each(all_cases, judge)
    disputed = {name for name, complaint in wrong.items() if complaint.startswith(DISPUTED.get(name, "?") + " ")}
    wrong = {name: complaint for name, complaint in wrong.items() if name not in disputed}
    table(record_property, f"SPF {suite}", len(all_cases), wrong, disputed)
    assert len(all_cases) > 20
    assert not wrong, "\n".join(f"{name}: {complaint}" for name, complaint in wrong.items())
