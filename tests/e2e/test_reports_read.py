"""postroad reports FILE|MAILDIR: reports of others as they arrive, in every wrapping, and ours among them."""
import email.message
import email.policy
import gzip
import io
import json
import pathlib
import subprocess
import zipfile

import conftest

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "vectors"
XML = (VECTORS / "dmarc/mail-auth-feedback/003.xml").read_bytes()
JSON = (VECTORS / "tlsrpt/parsedmarc/rfc8460.json").read_bytes()


def read(*words, stdin=None):
    return subprocess.run([conftest.PROGRAM, "reports", *map(str, words)], input=stdin, capture_output=True, timeout=conftest.PATIENCE_S)


def findings(*words, stdin=None, code=0):
    ran = read(*words, "--json", stdin=stdin)
    assert ran.returncode == code, ran.stderr
    return json.loads(ran.stdout)


def archive(*files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files:
            packed.writestr(name, content)
    return out.getvalue()


def mail(content, subtype, **settings):
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = "noreply@reporter.test", "dmarc@example.org", "Report domain: stalw.art"
    message.set_content("This is a report.\n")
    message.add_attachment(content, maintype="application", subtype=subtype, **settings)
    return message.as_bytes(policy=email.policy.SMTP)


def test_reports_in_every_wrapping(tmp_path):
    wrapped = {"plain.xml": XML, "plain.gz": gzip.compress(XML), "plain.zip": archive(("a.xml", XML)),
               "mail-zip": mail(archive(("a.xml", XML)), "zip", filename="a.zip"),
               "mail-gzip": mail(gzip.compress(XML), "octet-stream", filename="a.xml.gz"),
               "mail-tls": mail(gzip.compress(JSON), "tlsrpt+gzip"), "plain.json": JSON,
               "both.zip": archive(("a.xml", XML), ("b.json", JSON), ("readme", b"words"))}
    for name, content in wrapped.items():
        (tmp_path / name).write_bytes(content)
        about_tls = name in ("mail-tls", "plain.json")
        found = findings(tmp_path / name)
        assert found["reports"] == (2 if name == "both.zip" else 1) and found["unreadable"] == []
        assert [domain["domain"] for domain in found["dmarc"]] == ([] if about_tls else ["stalw.art"])
        assert [domain["domain"] for domain in found["tls"]] == (["company-y.example"] if about_tls or name == "both.zip" else [])
    # All of them are two reports in nine copies.
    found = findings(tmp_path)
    assert (found["reports"], found["repeated"]) == (2, 7)
    [domain] = found["dmarc"]
    assert domain["messages"] == 9 and domain["passed"] == 1 and domain["organizations"] == ["Fastmail Pty Ltd"]
    assert domain["sources"][0] == {"ip": "173.228.157.66", "messages": 4, "passed": 0, "spf_aligned": 0, "dkim_aligned": 0,
                                    "quarantine": 0, "reject": 0, "header_from": ["stalw.art"], "reasons": ["trusted_forwarder"]}
    [policy] = found["tls"][0]["policies"]
    assert (policy["type"], policy["succeeded"], policy["failed"]) == ("sts", 5326, 303)
    assert [(failure["result"], failure["sessions"]) for failure in policy["failures"]] == [
        ("starttls-not-supported", 200), ("certificate-expired", 100), ("validation-failure", 3)]

    said = read(tmp_path).stdout.decode()
    assert "DMARC of stalw.art: 1 report of Fastmail Pty Ltd, 2022-11-02 to 2022-11-02" in said
    assert "173.228.157.66 (trusted_forwarder)" in said and "policy sts: 5326 sessions succeeded, 303 failed" in said
    assert "2 reports in 8 files, 7 copies of them, 0 files without a report" in said
    assert findings("-", stdin=XML)["reports"] == 1
    # Less of it.
    assert [domain["domain"] for domain in findings(tmp_path, "--domain", "stalw.art")["dmarc"]] == ["stalw.art"]
    assert findings(tmp_path, "--domain", "stalw.art")["tls"] == []
    found = findings("--since", "2020-01-01", tmp_path)
    assert found["reports"] == 1 and found["tls"] == [] and found["left_out"] == 3
    assert read(tmp_path, "--since", "yesteryear").returncode == 64


def test_what_arrives_in_a_mailbox_is_summed_up(postroad):
    """The address of the reports is an ordinary mailbox: what lies there is the memory of what was reported."""
    server = postroad(users=("dmarc",))
    with server.smtp() as client:
        client.sendmail("noreply@reporter.test", ["dmarc@example.org"], mail(archive(("a.xml", XML)), "zip", filename="a.zip"))
        client.sendmail("noreply@reporter.test", ["dmarc@example.org"], mail(gzip.compress(JSON), "tlsrpt+gzip"))
        client.sendmail("noreply@reporter.test", ["dmarc@example.org"], b"Subject: Hello\r\n\r\nHello.\r\n")
    server.mail("dmarc", count=3)
    found = findings(server.home / "mail/example.org/dmarc")
    assert found["reports"] == 2 and found["unreadable"] == []
    assert [domain["domain"] for domain in found["dmarc"] + found["tls"]] == ["stalw.art", "company-y.example"]


def test_what_cannot_be_read_is_said(tmp_path):
    bad = VECTORS / "dmarc/aggregate-samples/invalid_xml.xml"
    (tmp_path / "words").write_text("Subject: Hello\n\nHello.\n")
    ran = read(bad, VECTORS / "dmarc/aggregate-samples/empty_reason.xml")
    assert ran.returncode == 65 and b"invalid_xml.xml: line 5: not well-formed" in ran.stderr and b"example.com" in ran.stdout
    assert read(tmp_path / "words").returncode == 66 and b"words: it holds no report" in read(tmp_path / "words").stderr
    assert findings(tmp_path)["reports"] == 0  # In a folder others may lie, too.
    assert read(tmp_path / "absent").returncode == 66
    assert b"postroad reports FILE" in read("--what", "x").stderr
    # A stranger's words do not reach the terminal as they are.
    (tmp_path / "shout.xml").write_bytes(XML.replace(b"Fastmail Pty Ltd", b"Fast\xc2\x9bmail"))
    assert b"\xc2\x9b" not in read(tmp_path / "shout.xml").stdout


def test_bombs_do_not_go_off(tmp_path):
    zeros = b" " * (200 << 20)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(zeros))
    (tmp_path / "bomb.zip").write_bytes(archive(("a.xml", zeros)))
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
    (tmp_path / "laughs.xml").write_text(f'<!DOCTYPE feedback [<!ENTITY a0 "ha">{entities}]><feedback>&a11;</feedback>')
    (tmp_path / "deep.json").write_text('{"a":' * 1000000)
    (tmp_path / "outside.xml").write_text('<!DOCTYPE f [<!ENTITY x SYSTEM "/etc/passwd">]><feedback>&x;</feedback>')
    # The sanitizers need address space of their own.
    ran = subprocess.run(["sh", "-c", f"ulimit -v 500000; exec {conftest.PLAIN} reports --json {tmp_path}"], capture_output=True,
                         timeout=conftest.PATIENCE_S)
    assert ran.returncode == 65, ran.stderr
    reasons = {pathlib.Path(entry["file"]).name: entry["reason"] for entry in json.loads(ran.stdout)["unreadable"]}
    assert reasons == {"bomb.gz": "it is too large unpacked", "bomb.zip": "it is too large unpacked",
                       "laughs.xml": "it has a document type", "outside.xml": "it has a document type",
                       "deep.json": "it is too long, or nested too deep"}
