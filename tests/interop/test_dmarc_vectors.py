"""Cases for DMARC after RFC 9989, among them those of its appendix B.4."""
import json

import pytest

from verify import VECTORS, table, verify

CASES = json.loads((VECTORS / "dmarc/rfc9989-cases/cases.json").read_text())


def zone_of(zone):
    return {name: {kind: [[one["priority"], one["exchange"]] if isinstance(one, dict) else one for one in records]
                   for kind, records in entries.items()} for name, entries in zone.items()}


def field(report, name, given):
    """What the suite calls that in our report."""
    dmarc = report["dmarc"]
    if name == "queried_dmarc_names":
        return [query.split()[1] for query in report["queries"] if "_dmarc." in query]
    if name == "alignment.spf.result":
        return dmarc["spf_aligned"]
    if name == "alignment.dkim.result":
        return dmarc["dkim_aligned"]
    if name == "alignment.dkim.strict":
        # Told by what follows from it: a subdomain that would be aligned is not.
        return not dmarc["dkim_aligned"] and bool(given["dkimDomains"])
    return dmarc["result" if name == "status.result" else name]


def check(zone, evaluation):
    given = evaluation["input"]
    words = ["--from-domain", given["headerFrom"].split("@")[1]]
    for kind in ("spf", "dkim"):
        for one in given[f"{kind}Domains"]:
            words += [f"--{kind}-pass-domain", one["domain"]]
    report = verify(zone, "dmarc", *words)
    for expected in evaluation["expect"]:
        operation, value = expected["op"], expected.get("value")
        if operation == "absent":
            assert report["dmarc"]["policy"] is None
            continue
        found = field(report, expected["field"], given)
        if operation == "falsy":
            assert not found, report
        elif expected["field"] == "alignment.spf.result":
            assert found, report
        else:
            assert found == value, (expected, report)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case):
    for evaluation in case["evaluations"]:
        check(zone_of(case["zone"]), evaluation)


def test_all_are_there(record_property):
    table(record_property, "DMARC RFC 9989 (one test each)", len(CASES), {}, {})
    assert len(CASES) == 27
