"""Our reports, read by the bounce parsers of others: flufl.bounce (Mailman) and Sisimai."""
import email
import email.policy
import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("POSTROAD_BUILD", ROOT / "build"))
SAMPLE = BUILD / "src" / "dsn" / "dsn_sample"

# name: (address, action, status)
EXPECTED = {
    "refused": ("carol@remote.test", "failed", "5.1.1"),
    "expired": ("carol@remote.test", "failed", "4.4.7"),
    "delayed": ("carol@remote.test", "delayed", "4.4.1"),
}


def sample(name):
    return subprocess.run([SAMPLE, name], check=True, capture_output=True).stdout


@pytest.mark.parametrize("name", ["refused", "expired", "delayed", "success", "hostile", "utf8"])
def test_is_a_report_of_three_parts(name):
    message = email.message_from_bytes(sample(name), policy=email.policy.default)
    assert not message.defects
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert len(message.get_payload()) == 3
    assert not any(part.defects for part in message.walk())
    assert message["Bcc"] is None


@pytest.mark.parametrize("name", EXPECTED)
def test_status_part(name):
    address, action, status = EXPECTED[name]
    fields = email.message_from_bytes(sample(name)).get_payload()[1].get_payload()[1]
    assert fields["Final-Recipient"] == f"rfc822; {address}"
    assert fields["Action"] == action
    assert fields["Status"] == status


@pytest.mark.parametrize("name", EXPECTED)
def test_flufl_bounce(name):
    bounce = pytest.importorskip("flufl.bounce")
    temporary, permanent = bounce.all_failures(email.message_from_bytes(sample(name)))
    address, action, _ = EXPECTED[name]
    if name == "refused":
        address = "friends@example.org"  # A mailing list knows its member by Original-Recipient.
    assert (permanent if action == "failed" else temporary) == {address.encode()}
    assert len(temporary | permanent) == 1


def test_flufl_bounce_takes_success_for_no_failure():
    bounce = pytest.importorskip("flufl.bounce")
    assert bounce.all_failures(email.message_from_bytes(sample("success"))) == (set(), set())


@pytest.mark.parametrize("name", EXPECTED)
def test_sisimai(name, tmp_path):
    if subprocess.run(["perl", "-MSisimai", "-e", "1"], capture_output=True).returncode != 0:
        pytest.skip("no Sisimai")
    path = tmp_path / "report.eml"
    path.write_bytes(sample(name).replace(b"\r\n", b"\n"))
    out = subprocess.run(["perl", "-MSisimai", "-e", "print Sisimai->dump($ARGV[0], delivered => 1)", path],
                         check=True, capture_output=True).stdout
    [found] = json.loads(out)
    address, action, status = EXPECTED[name]
    assert found["recipient"] == address
    assert found["action"] == action
    assert found["deliverystatus"] == status
    assert found["addresser"] == "alice@example.org"
