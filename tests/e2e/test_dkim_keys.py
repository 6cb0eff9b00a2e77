"""The keys that sign our mail, from the command line: making, publishing, changing and retiring them."""
import re
import stat
import subprocess

import pytest
from conftest import until
from test_web import serving, values  # noqa: F401

DAY = 86400
T0 = 1_700_000_000
CONF = 'dkim { keys = "dkim" }\n'


@pytest.fixture
def server(postroad):
    return postroad(start=False, conf=CONF)


def dkim(server, *words, code=0, at=None):
    result = server.run("dkim", *words, *(["--time", str(at)] if at else []), check=False)
    assert result.returncode == code, result
    return result


def states(server, at):
    return {key["selector"]: key["state"] for key in server.ask("dkim", "list", "--time", str(at))}


def published(zone_fragment):
    """The JSON zone of a fragment of a zone file; no string in it is too long."""
    zone = {}
    for name, strings in re.findall(r'^(\S+)\. IN TXT \(((?:\s+"[^"]*")+) \)$', zone_fragment, re.M):
        zone[name] = {"TXT": [re.findall(r'"([^"]*)"', strings)]}
        assert all(0 < len(string) <= 255 for string in zone[name]["TXT"][0])
    assert len(zone) == zone_fragment.count("IN TXT")
    return zone


def test_keys_from_the_first_to_the_second(server):
    made = dkim(server, "generate", "Example.ORG", at=T0)
    zone = published(made.stdout)
    assert sorted(zone) == ["20231114e._domainkey.example.org", "20231114r._domainkey.example.org"]
    assert dkim(server, "record", "example.org", at=T0).stdout == made.stdout
    for path in (server.home / "dkim").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert states(server, T0) == {"20231114r": "new", "20231114e": "new"}
    dkim(server, "generate", "example.org", code=65, at=T0)

    # Not in DNS, or another key there: nothing happens.
    assert "is missing" in dkim(server, "check", code=69, at=T0).stdout
    server.set_zone({"20231114r._domainkey.example.org": {"TXT": [["v=DKIM1; p=AAAA"]]}})
    assert "has another key" in dkim(server, "check", code=69, at=T0).stdout
    assert states(server, T0 + DAY) == {"20231114r": "new", "20231114e": "new"}
    server.set_zone(zone)
    dkim(server, "check", "example.org", at=T0 + DAY)
    assert states(server, T0 + DAY) == {"20231114r": "active", "20231114e": "active"}

    # Half a year later.
    assert dkim(server, "rotate", "--due", at=T0 + 180 * DAY).stdout == ""
    zone |= published(dkim(server, "rotate", "--due", at=T0 + 181 * DAY).stdout)
    assert len(zone) == 4
    server.set_zone(zone)
    seen = T0 + 182 * DAY
    dkim(server, "check", at=seen)
    old, new = "20231114r", "20240513r"
    for after, before, now in ((0, "active", "published"), (3600, "retiring", "active"), (3600 + 7 * DAY, "retired", "active")):
        found = states(server, seen + after)
        assert (found[old], found[new]) == (before, now), after
    assert old not in dkim(server, "record", "example.org", at=seen + 8 * DAY).stdout
    dkim(server, "remove", "example.org", "--selector", old, at=seen + 8 * DAY)
    assert old not in states(server, seen + 8 * DAY) and not list((server.home / "dkim").glob(old + "*"))


def test_an_own_key_and_its_faults(server, tmp_path):
    for bits, code in ((512, 66), (1024, 0)):
        subprocess.run(["openssl", "genrsa", "-out", tmp_path / "own.pem", str(bits)], check=True, capture_output=True)
        dkim(server, "generate", "example.org", "--selector", "own", "--key", tmp_path / "own.pem", code=code, at=T0)
    dkim(server, "check", "--trust", at=T0)
    check = server.run("check", check=False)
    assert check.returncode == 0
    assert f"{server.home}/dkim/state:2: own of example.org: warning: an RSA key of under 2048 bits" in check.stdout
    (server.home / "dkim/own._domainkey.example.org.pem").unlink()
    check = server.run("check", check=False)
    assert check.returncode == 1
    assert f"{server.home}/dkim/state:2: own of example.org: its key is missing (hint: " in check.stderr
    (server.home / "dkim/state").write_text("example.org own rsa\n")
    assert "dkim/state:1: not the eight words" in server.run("check", check=False).stderr


def test_words_that_make_no_sense(server):
    for words, code in ((["generate", "a b"], 64), (["generate", "x.test", "--algorithm", "dsa"], 64), ([], 64),
                        (["remove", "x.test"], 64), (["list"], 66), (["generate", "x.test", "--selector", "../x"], 64)):
        dkim(server, *words, code=code)
    server.write_conf("")
    assert "dkim { keys = " in dkim(server, "list", code=78).stderr


def test_what_we_send_is_signed(postroad, tmp_path):
    """Mail of trusted clients, of local programs and our own reports; not what others send us."""
    server = postroad(start=False, conf=CONF, relay_from='"127.0.0.1"', zone={"gone.test": {"MX": [[0, ""]]}})
    zone = published(dkim(server, "generate", "example.org").stdout)
    server.set_zone({**zone, "gone.test": {"MX": [[0, ""]]}})
    dkim(server, "check")
    server.start()
    letter = "From: {}\r\nTo: alice@example.org\r\nSubject: signed\r\n\r\n" + "A line.\r\n" * 10
    with server.smtp() as smtp:
        smtp.sendmail("bob@example.org", ["alice@example.org"], letter.format("Bob <bob@news.example.org>"))
        smtp.sendmail("bob@example.org", ["alice@example.org"], letter.format("bob@example.org") + "x" * 70 + "\r\n" * 60000)
    server.run("send", "-f", "bob@elsewhere.test", "alice@example.org", text=letter.format("bob@elsewhere.test"))
    signed = server.mail("alice", count=3)
    assert sorted(message.count(b"DKIM-Signature:") for message in signed) == [0, 2, 2]
    with server.smtp() as smtp:
        smtp.sendmail("alice@example.org", ["nobody@gone.test"], letter.format("alice@example.org"))
    [*_, report] = sorted(server.mail("alice", count=4), key=lambda message: b"multipart/report" in message)
    assert report.replace(b"\r", b"").partition(b"\n\n")[0].count(b"DKIM-Signature:") == 2
    for message in signed + [report]:
        path = tmp_path / "letter"
        path.write_bytes(message)
        found = server.ask("verify", "dkim", str(path))["dkim"]
        assert all((one["result"], one["domain"]) == ("pass", "example.org") for one in found), found
    received = server.told("received", 4)
    assert [entry.get("signed") for entry in received] == ["example.org", "example.org", None, "example.org"]
    assert server.ask("stats")["counters"]["signed"] == 4


def test_the_state_of_keys_is_told_and_nothing_secret(serving):  # noqa: F811
    server = serving()
    assert server.ask("stats")["dkim"] is None and "dkim_key" not in server.web.ask("GET", "/metrics").bytes.decode()
    server.conf.write_text(server.conf.read_text() + CONF)
    zone = published(dkim(server, "generate", "example.org", "--algorithm", "rsa", "--selector", "one").stdout)

    def keys():
        return {key["selector"]: key for key in (server.web.json("GET", "/v1/stats")["dkim"] or {"keys": []})["keys"]}

    until(lambda: keys().get("one", {}).get("state") == "new", "the new key")
    assert keys()["one"]["next-at"] is None and "postroad dkim record example.org" in keys()["one"]["next"]
    server.set_zone(zone)
    dkim(server, "check")
    until(lambda: keys()["one"]["state"] == "active", "it to sign")
    assert keys()["one"] == {**server.ask("dkim", "list")[0]}
    successor = published(dkim(server, "rotate", "example.org").stdout)
    two = next(iter(successor)).partition(".")[0]
    server.set_zone(zone | successor)
    dkim(server, "check")
    until(lambda: keys().get(two, {}).get("state") == "published", "its successor")
    assert keys()["one"]["signs-until"] == keys()[two]["signs-from"] == keys()[two]["next-at"]
    told = server.web.ask("GET", "/metrics").bytes.decode()
    metrics = values(told)
    assert metrics['postroad_dkim_keys{state="published"}'] == metrics['postroad_dkim_keys{state="active"}'] == 1
    assert metrics[f'postroad_dkim_key_state{{domain="example.org",selector="{two}",algorithm="rsa",state="published"}}'] == 1
    assert metrics[f'postroad_dkim_key_next_timestamp_seconds{{domain="example.org",selector="{two}"}}'] == keys()[two]["next-at-s"]
    words = server.run("stats").stdout
    assert re.search(rf"^ +example\.org {two} rsa: published since \S+, signs from ", words, re.M), words
    secrets = {line for path in (server.home / "dkim").glob("*.pem") for line in path.read_text().splitlines()}
    assert secrets and not [line for line in secrets for text in (told, words, str(server.ask("stats"))) if line in text]
