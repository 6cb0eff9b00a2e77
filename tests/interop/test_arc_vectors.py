"""The validation part of the ARC test suite (github.com/ValiMail/arc_test_suite)."""
import yaml

from verify import VECTORS, each, table, verify

SUITE = VECTORS / "arc/valimail/arc-draft-validation-tests.yml"

# Where we disagree: case: (what we say, why).
DISPUTED = {}


def zone_of(records):
    return {name: {"TXT": [[text]]} for name, text in (records or {}).items()}


def cases():
    return {f"{document['description']}/{name}": (zone_of(document["txt-records"]), case)
            for document in yaml.safe_load_all(SUITE.read_text()) if document
            for name, case in document["tests"].items()}


def judge(case):
    zone, test = case
    if not test["cv"]:
        return None
    arc = verify(zone, "arc", "--time", "1500000000", message=(test["message"] or "").encode())["arc"]
    return None if arc["cv"] == test["cv"].lower() else f"{arc} instead of {test['cv']}"


def test_suite(record_property):
    all_cases = cases()
    wrong = each(all_cases, judge)
    disputed = {name for name in wrong if name in DISPUTED}
    wrong = {name: complaint for name, complaint in wrong.items() if name not in DISPUTED}
    table(record_property, "ARC ValiMail", len(all_cases), wrong, disputed)
    assert len(all_cases) == 171
    assert not wrong, "\n".join(f"{name}: {complaint}" for name, complaint in wrong.items())
