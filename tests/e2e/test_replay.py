"""postroad check --replay: what a new configuration would do differently."""
import json
import subprocess

import pytest

from conftest import PATIENCE_S, PROGRAM, until

STUCK = {"slow.test": "TIMEOUT", "late.test": "TIMEOUT"}


def send(server, recipient, sender="a@client.test", text="hello"):
    with server.smtp() as client:
        client.sendmail(sender, [recipient], f"Subject: hello\r\n\r\n{text}\r\n")


@pytest.fixture
def used(postroad):
    """A server with mail that waits and mail that is done."""
    server = postroad(zone=STUCK, retry=("1h",), aliases="team: alice, zoe@late.test\n")
    send(server, "alice@example.org")
    send(server, "bob@example.org", text="x" * 4000)
    send(server, "team@example.org")
    send(server, "eve@slow.test")
    until(lambda: [one["attempts"] for message in server.queue() for one in message["recipients"]] == [1, 1], "the first attempts")
    return server


def fresh(server, change=lambda text: text, more=""):
    path = server.home / "fresh.conf"
    path.write_text(change(server.base) + more)
    return path


def replay(server, path, *words, code=1):
    result = subprocess.run([PROGRAM, "check", "--replay", "-c", str(path), *words], capture_output=True, text=True, timeout=PATIENCE_S)
    assert result.returncode == code, result
    return result


def changes(server, path, *words, code=1):
    answer = json.loads(replay(server, path, "--json", *words, code=code).stdout)
    assert answer["same"] is (code == 0)
    return answer, {(one["change"], one["to"]): one for one in answer["changes"]}


def test_the_same_configuration_changes_nothing(used):
    answer, found = changes(used, used.conf, code=0)
    assert found == {} and (answer["messages"], answer["waiting"], answer["against"]) == (4, 2, "server")
    # Of the alias there is itself, and the one target that waits.
    assert answer["recipients"] == 5 and answer["all_waiting"] is True
    assert "Nothing would change" in replay(used, fresh(used), code=0).stdout


def test_a_route_and_a_user_that_is_gone(used):
    (used.home / "users2").write_text("alice:{PLAIN}unused\n")
    path = fresh(used, lambda text: text.replace('users = "users"', 'users = "users2"'),
                 'route "slow.test" { via = {"192.0.2.1:2525"} tls = required }\n')
    answer, found = changes(used, path)
    assert set(change for change, _ in found) == {"refused", "routed"}
    [refused] = [one for (change, _), one in found.items() if change == "refused"]
    assert refused["from"] == "a mailbox of example.org" and "5.1.1" in refused["to"] and refused["recipients"] == 1
    assert refused["examples"][0]["recipient"] == "bob@example.org"
    [routed] = [one for (change, _), one in found.items() if change == "routed"]
    assert routed["from"] == "the hosts of its domain" and "via 192.0.2.1:2525, TLS required" in routed["to"]
    said = replay(used, path).stdout
    assert "1 recipient of 1 message would be refused" in said and "from a@client.test to eve@slow.test" in said


def test_an_alias_that_leads_elsewhere_is_seen_before_it_is_read(used):
    (used.home / "aliases").write_text("team: bob, zoe@late.test\n")
    send(used, "team@example.org")
    until(lambda: sorted(one["address"] for message in used.queue() for one in message["recipients"]) ==
          ["eve@slow.test", "zoe@late.test", "zoe@late.test"], "the second message's alias to be read")
    used.run("queue", "delete", "--domain", "late.test")
    until(lambda: len(used.queue()) == 1, "it to be gone")
    answer, found = changes(used, used.conf)
    [routed] = found.values()
    assert routed["change"] == "routed" and "alias" in routed["from"] and routed["recipients"] == 2
    assert routed["examples"][0]["recipient"] == "team@example.org"


def test_mail_that_waits_and_could_not_be_sent(used):
    path = fresh(used, lambda text: text.replace('domains = {"example.org"}', 'domains = {"example.org", "slow.test"}'))
    _, found = changes(used, path)
    [returned] = [one for one in found.values() if one["change"] == "returned"]
    assert returned["examples"][0]["recipient"] == "eve@slow.test" and "5.1.1" in returned["to"]


def test_what_comes_in_by_the_door(used):
    path = fresh(used, lambda text: text.replace('relay-from = {"127.0.0.0/8"}', "relay-from = {}"),
                 'limits { message-size = "2K" }\nclient { messages = "2/1h" }\n')
    _, found = changes(used, path)
    assert {change for change, _ in found} == {"refused", "limited"}
    assert found["refused", "552 5.3.4 larger than 2048 bytes"]["messages"] == 1
    # What is refused takes nothing of the limit.
    assert found["limited", "more than 2 messages in 3600 s for client 127.0.0.1"]["messages"] == 1


def test_limits_are_taken_in_the_order_of_arrival(used):
    for _ in range(3):
        send(used, "alice@example.org")
    until(lambda: len(used.mailbox("alice")) == 5, "the mail")
    path = fresh(used, lambda text: text.replace('relay-from = {"127.0.0.0/8"}', 'relay-from = {"192.0.2.1"}'), 'client { messages = "2/1h" }\n')
    _, found = changes(used, path)
    [limited] = [one for one in found.values() if one["change"] == "limited"]
    assert limited["to"] == "more than 2 messages in 3600 s for client 127.0.0.1" and limited["messages"] == 5


def test_another_key_signs(used):
    (used.home / "keys").mkdir(exist_ok=True)
    path = fresh(used, more='dkim { keys = "keys" }\n')
    subprocess.run([PROGRAM, "dkim", "-c", str(path), "generate", "client.test", "--selector", "s1", "--algorithm", "ed25519"], check=True, capture_output=True)
    subprocess.run([PROGRAM, "dkim", "-c", str(path), "check", "--trust"], check=True, capture_output=True)
    _, found = changes(used, path)
    signed = found["signed", "client.test (s1)"]
    assert signed["from"] == "not signed" and signed["messages"] == 4


def test_strangers_do_not_speak_to_the_terminal(used):
    with used.smtp() as client:
        client.ehlo()
        client.sendmail("\u009b2Ja@client.test", ["eve@slow.test"], "Subject: x\r\n\r\nx\r\n", ["SMTPUTF8"])
    said = replay(used, fresh(used, more='route "slow.test" { via = {"192.0.2.1:25"} }\n')).stdout
    assert "\u009b" not in said and "?2Ja@client.test" in said


def test_without_a_server_a_file_says_what_is_in_force(used):
    used.stop()
    path = fresh(used, more='route "*" { via = {"192.0.2.1:25"} }\n')
    result = replay(used, path, code=69)
    assert "--against" in result.stderr
    answer, found = changes(used, path, "--against", str(used.conf))
    assert answer["against"] == "file" and answer["waiting"] == 2
    assert {one["change"] for one in found.values()} == {"routed"}
    assert sum(one["recipients"] for one in found.values()) == 3
    assert changes(used, used.conf, "--against", str(used.conf), code=0)


def test_what_is_looked_at_is_bounded_and_what_is_wrong_is_said(used):
    answer, _ = changes(used, used.conf, "--limit", "1", code=0)
    assert answer["messages"] <= 2 and answer["all_waiting"] is False
    for words, code in ((("--limit", "0"), 64), (("--limit", "x"), 64), (("what",), 64), (("--colour",), 64)):
        assert "usage" in replay(used, used.conf, *words, code=code).stderr or code != 64
    broken = used.home / "broken.conf"
    broken.write_text("hostname =\n")
    assert "broken.conf" in replay(used, broken, code=78).stderr
