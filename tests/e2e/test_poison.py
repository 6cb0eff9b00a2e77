"""A message that ends the mail role is quarantined after the second time; all other mail arrives."""
import contextlib
import re
import signal
import smtplib
import threading

import conftest
from test_kill import sender
from test_roles import role_pid

ZONE = {"remote.test": {"MX": [[10, "mx.remote.test"]]}, "mx.remote.test": {"A": ["127.0.0.1"]}}
POISON = "Subject: poison\r\nX-Fatal: yes\r\n\r\nx\r\n"


def deaths(server):
    return (server.home / "stderr").read_text().count("role mail was ended by signal 6")


def poisonous(postroad, tmp_path, remote, **settings):
    mx = remote(ehlo=("remote.test", "PIPELINING"))
    server = postroad(start=False, zone=ZONE, outbound_port=mx.port, aliases="postmaster: bob\n", **settings)
    server.environment.update(conftest.preload(tmp_path, "poison"))
    return server.start(), mx


def quarantined(server):
    return server.ask("queue", "list", "--state", "quarantined")


def hand_in_poison(server, to):
    """Another lane may be dead of it before this one has said 250."""
    with contextlib.suppress(smtplib.SMTPServerDisconnected), server.smtp() as client:
        client.sendmail("a@client.test", [to], POISON)


def wait_for_quarantine(server):
    def look():
        result = server.run("queue", "list", "--state", "quarantined", "--json", check=False)
        return result.returncode == 0 and '"id"' in result.stdout
    conftest.until(look, "the quarantine")
    [message] = quarantined(server)
    return message


def test_the_second_death_is_the_last(postroad, tmp_path, remote):
    server, mx = poisonous(postroad, tmp_path, remote)
    hand_in_poison(server, "carol@remote.test")
    message = wait_for_quarantine(server)
    assert deaths(server) == 2
    [recipient] = message["recipients"]
    assert recipient["state"] == "quarantined" and recipient["next"] is None
    assert "died twice" in recipient["last"]

    [life] = server.ask("trace", message["id"])
    assert life["state"] == "quarantined"
    assert "quarantined" in [step["event"] for step in life["steps"]]
    [report] = server.mail("bob")
    assert f"Subject: Message {message['id']} is quarantined".encode() in report
    assert b"X-Fatal" not in report
    assert server.ask("stats")["counters"]["quarantined"] == 1
    conftest.until(lambda: [e for e in server.log() if e["event"] == "quarantined" and e["id"] == message["id"]],
                   "the quarantine in the log")

    # It waits for an operator, also over a restart; whoever releases it gives it two more lives.
    server.stop()
    server.start()
    with server.smtp() as client:
        client.sendmail("a@client.test", ["carol@remote.test"], "Subject: other\r\n\r\nx\r\n")
    conftest.until(lambda: mx.messages, "other mail")
    assert quarantined(server)[0]["id"] == message["id"] and deaths(server) == 2
    server.run("queue", "release", message["id"])
    conftest.until(lambda: deaths(server) == 4, "two more deaths")
    assert wait_for_quarantine(server)["id"] == message["id"]

    # Without what makes it fatal it is a message like any other.
    server.stop()
    server.environment.clear()
    server.start()
    server.run("queue", "release", message["id"])
    conftest.until(server.queue_is_empty, "its delivery")
    assert any(b"X-Fatal: yes" in m["body"] for m in mx.messages)


def test_a_poisonous_local_message(postroad, tmp_path, remote):
    server, _ = poisonous(postroad, tmp_path, remote)
    hand_in_poison(server, "alice@example.org")
    message = wait_for_quarantine(server)
    server.run("queue", "delete", message["id"])
    server.mail("bob")
    conftest.until(server.queue_is_empty, "an empty queue")
    assert server.mailbox("alice") == []


def test_the_innocent_arrive(postroad, tmp_path, remote):
    """Poison in the middle of much other mail."""
    server, mx = poisonous(postroad, tmp_path, remote)
    acknowledged, stop = [], threading.Event()
    threads = [threading.Thread(target=sender, args=(server, i, acknowledged, stop)) for i in range(6)]
    for thread in threads:
        thread.start()
    conftest.until(lambda: len(acknowledged) >= 50, "some mail")
    hand_in_poison(server, "carol@remote.test")
    message = wait_for_quarantine(server)
    stop.set()
    for thread in threads:
        thread.join()
    assert deaths(server) == 2
    conftest.until(lambda: [m["id"] for m in server.queue()] == [message["id"]], "all but the poison to be gone")
    arrived = [m["body"] for m in mx.messages] + [path.read_bytes() for path in server.mailbox("alice")]
    names = {re.search(rb"Subject: (\S+)", mail)[1].decode() for mail in arrived}
    assert set(acknowledged) - names == set()


def test_a_kill_from_outside_counts_for_nobody(postroad, remote):
    """Two roles killed with the same message in hand: it is delivered all the same."""
    hold = threading.Event()
    mx = remote(script={"END": lambda line: hold.wait(conftest.PATIENCE_S) and "250 2.0.0 taken"})
    server = postroad(zone=ZONE, outbound_port=mx.port)
    with server.smtp() as client:
        client.sendmail("a@client.test", ["carol@remote.test"], "Subject: slow\r\n\r\nx\r\n")
    for round_number in range(3):
        conftest.until(lambda: mx.commands.count("DATA") > round_number, "the message to be in hand")
        old = role_pid(server, "mail")
        conftest.os.kill(old, signal.SIGKILL)
        conftest.until(lambda: role_pid(server, "mail") not in (None, old), "another mail role")
    hold.set()
    conftest.until(server.queue_is_empty, "its delivery")
    assert quarantined(server) == []
