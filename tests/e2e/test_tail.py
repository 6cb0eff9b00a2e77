"""postroad tail: events as they happen."""
import json
import subprocess

import pytest

from conftest import until


class Tail:
    """One that runs; what it says goes to a file."""

    def __init__(self, server, *words):
        self.path = server.home / f"tail-{'-'.join(words).replace('/', '')}"
        self.file = open(self.path, "wb")
        self.process = subprocess.Popen([server.program, "tail", "-c", str(server.conf), *words], stdout=self.file,
                                        stderr=subprocess.STDOUT)

    def lines(self):
        return self.path.read_text().splitlines()

    def events(self):
        return [json.loads(line) for line in self.lines() if line.startswith("{")]

    def words(self):
        return [event["event"] for event in self.events()]

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.file.close()


@pytest.fixture
def tail():
    made = []

    def make(server, *words):
        made.append(Tail(server, *words))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def send(server, sender, recipient):
    with server.smtp() as client:
        client.sendmail(sender, [recipient], "Subject: hello\r\n\r\nhello\r\n")


def test_events_are_told_as_they_happen(postroad, tail):
    server = postroad()
    every, json_lines, alice = tail(server, "--since", "1h"), tail(server, "--since", "1h", "--json"), tail(server, "alice@example.org", "--since", "1h", "--json")
    bounces = tail(server, "--event", "rejected,bounced", "--since", "1h", "--json")
    domain = tail(server, "--sender", "@two.test", "--since", "1h", "--json")
    send(server, "a@one.test", "alice@example.org")
    send(server, "b@two.test", "bob@example.org")
    with server.smtp() as client:
        client.ehlo()
        client.mail("c@three.test")
        assert client.rcpt("nobody@example.org")[0] == 550
    until(lambda: json_lines.words().count("finished") == 2 and "rejected" in json_lines.words(), "the events")
    assert json_lines.words().count("delivered") == 2
    # What is told is what the log has.
    told = json_lines.events()
    until(lambda: sorted(map(json.dumps, told)) == sorted(map(json.dumps, server.log())), "the log to have as much")
    until(lambda: any(" delivered " in line and "to=alice@example.org" in line for line in every.lines()), "a line for people")
    until(lambda: "delivered" in alice.words(), "alice's")
    assert all("alice@example.org" in event["to"] for event in alice.events())
    until(lambda: bounces.words() == ["rejected"], "what was refused")
    until(lambda: {"received", "delivered"} <= set(domain.words()), "those of a sender's domain")
    assert all("two.test" in event["from"] for event in domain.events())
    one = next(event["id"] for event in told if event["event"] == "received")
    of_one = tail(server, "--id", one, "--since", "1h", "--json")
    until(lambda: "finished" in of_one.words(), "the life of one message")
    assert {event["id"] for event in of_one.events()} == {one}


def test_it_waits_for_a_server_that_is_started_again(postroad, tail):
    server = postroad()
    follower = tail(server, "--since", "1h", "--json")
    send(server, "a@one.test", "alice@example.org")
    until(lambda: "finished" in follower.words(), "the first message")
    server.stop()
    until(lambda: any("gone" in line for line in follower.lines()), "it to see that the server is gone")
    server.start()
    send(server, "a@one.test", "bob@example.org")
    until(lambda: follower.words().count("finished") == 2, "the second message")


def test_a_reader_goes_on_where_it_was(postroad):
    server = postroad()
    asked = server.control({"do": "tail"})
    assert asked["events"] == [] and asked["lost"] == 0
    with server.smtp() as client:
        client.ehlo()
        for _ in range(5):
            client.mail("c@three.test")
            assert client.rcpt("nobody@example.org")[0] == 550
            client.rset()
    page = server.control({"do": "tail", "after": asked["next"], "limit": 2})
    assert [event["event"] for event in page["events"]] == ["rejected"] * 2
    rest = server.control({"do": "tail", "after": page["next"], "wait": True})
    assert len(rest["events"]) == 3 and rest["lost"] == 0


def test_what_is_wrong_is_said(postroad):
    server = postroad()
    for words, code, part in ((("--event", "nonsense"), 64, "postroad.log(5)"), (("--since", "x"), 64, "duration"),
                              (("--id", "x"), 64, "queue ID"), (("what",), 64, "neither"), (("--colour", "x"), 64, "usage")):
        result = server.run("tail", *words, check=False)
        assert result.returncode == code and part in result.stderr, result
    server.stop()
    result = server.run("tail", check=False)
    assert result.returncode == 69 and "is it running" in result.stderr
