"""What the command line can do, by HTTP; and mail that is handed in by it."""
import base64
import email
import email.policy
import json

import conftest
import pytest
from conftest import until
from test_web import Web, serving, submit, values  # noqa: F401

STUCK = {"slow.test": "TIMEOUT", "late.test": "TIMEOUT"}


@pytest.fixture
def stuck(serving):  # noqa: F811
    """A server with three messages that wait."""
    server = serving(zone=STUCK, retry=("1h",))
    for to in ("a@slow.test", "b@slow.test", "c@late.test"):
        submit(server, to)
    until(lambda: all(one["attempts"] == 1 for message in server.queue() for one in message["recipients"]), "the first attempts")
    return server


def states(server):
    return {one["address"]: one["state"] for message in server.queue() for one in message["recipients"]}


def test_the_queue_is_what_the_command_line_shows(stuck):
    answer = stuck.web.json("GET", "/v1/queue")
    assert answer["messages"] == stuck.queue() and len(answer["messages"]) == 3
    page = stuck.web.json("GET", "/v1/queue?limit=2")
    rest = stuck.web.json("GET", f"/v1/queue?limit=2&after={page['next']}")
    assert page["messages"] + rest["messages"] == answer["messages"]
    [late] = stuck.web.json("GET", "/v1/queue?domain=late.test")["messages"]
    shown = stuck.web.json("GET", f"/v1/queue/{late['id']}")
    assert shown["message"]["sender"] == "a@client.test" and "Subject: hello" in shown["header"]


def test_the_life_of_a_message_is_told(stuck):
    message = stuck.queue()[0]
    by_id = stuck.web.json("GET", f"/v1/messages/{message['id']}")
    assert [step["event"] for step in by_id["messages"][0]["steps"]][:2] == ["received", "deferred"]
    by_address = stuck.web.json("GET", "/v1/messages?about=a@slow.test")
    assert by_address["messages"][0]["id"] == message["id"]
    assert stuck.web.json("GET", "/v1/messages?about=x@slow.test", status=404)["ok"] is False
    assert stuck.web.status("GET", "/v1/messages/0000000000000") == 404
    assert stuck.web.status("GET", "/v1/queue/what") == 400


def test_events_can_be_followed(stuck):
    page = stuck.web.json("GET", "/v1/events?since=1h&event=received&limit=2")
    rest = stuck.web.json("GET", f"/v1/events?event=received&after={page['next']}")
    assert [event["event"] for event in page["events"] + rest["events"]] == ["received"] * 3 and rest["lost"] == 0
    assert stuck.web.status("GET", "/v1/events?event=nonsense") == 400


def test_destinations_say_what_waits_and_why(stuck):
    answer = stuck.web.json("GET", "/v1/destinations")
    assert answer["complete"] is True
    slow, late = answer["destinations"]
    assert (slow["domain"], slow["recipients"], late["domain"], late["recipients"]) == ("slow.test", 2, "late.test", 1)
    assert "4.4.3" in slow["last"] and slow["next"] > slow["oldest"] and slow["held"] == slow["paused"] == 0
    stuck.web.json("POST", "/v1/queue/hold", {"domain": "late.test"})
    late = stuck.web.json("GET", "/v1/destinations")["destinations"][1]
    assert late["held"] == 1 and late["next"] is None


def test_actions_hit_what_they_name_and_nothing_else(stuck):
    web = stuck.web
    assert web.json("POST", "/v1/queue/hold", {"domain": "slow.test"})["recipients"] == 2
    assert states(stuck) == {"a@slow.test": "held", "b@slow.test": "held", "c@late.test": "waiting"}
    assert web.status("POST", "/v1/queue/delete") == 400
    assert web.status("POST", "/v1/queue/delete", {"domian": "slow.test"}) == 400
    assert web.status("POST", "/v1/queue/delete", "{") == 400
    assert len(stuck.queue()) == 3
    first = stuck.queue()[0]["id"]
    assert web.json("POST", f"/v1/messages/{first}/release")["recipients"] == 1
    assert states(stuck)["b@slow.test"] == "held"
    assert web.json("DELETE", f"/v1/messages/{first}")["messages"] == 1
    assert web.json("POST", "/v1/queue/release", {"all": True})["recipients"] == 1
    assert set(states(stuck).values()) == {"waiting"}
    web.json("POST", "/v1/queue/bounce", {"recipient": "c@late.test"})
    until(lambda: "c@late.test" not in states(stuck), "the bounce")
    web.json("POST", "/v1/pauses", {"domain": "slow.test"})
    assert web.json("GET", "/v1/pauses")["pauses"][0]["subject"] == "slow.test"
    web.json("DELETE", "/v1/pauses?domain=slow.test")
    assert web.json("GET", "/v1/pauses")["pauses"] == []
    assert web.json("GET", "/v1/explain?address=alice@example.org")["ok"] is True


def test_methods_and_paths_that_there_are_not(serving):  # noqa: F811
    web = serving().web
    assert web.status("GET", "/nothing") == 404
    assert web.status("PUT", "/v1/queue") == 405
    assert web.status("POST", "/v1/stats", {}) == 405
    assert web.status("POST", "/v1/queue/retry", "x" * 100000) == 413


def test_a_message_as_json_is_durable_when_it_is_answered(serving):  # noqa: F811
    server = serving()
    answer = server.web.json("POST", "/v1/messages", {
        "from": "Jürgen <app@client.test>", "to": ["Alice <alice@example.org>"], "bcc": ["bob@example.org"], "subject": "Grüße aus Köln",
        "text": "Schön.\n.\nEnde", "html": "<p>Schön.</p>", "headers": {"X-Campaign": "spring"},
        "attachments": [{"filename": "a.txt", "type": "text/plain", "content": base64.b64encode(b"inside\n").decode()}]}, status=202)
    assert server.web.json("GET", f"/v1/messages/{answer['id']}")["messages"][0]["steps"][0]["event"] == "received"
    [mail] = server.mail("alice")
    message = email.message_from_bytes(mail, policy=email.policy.default)
    assert message["Subject"] == "Grüße aus Köln" and message["From"] == "Jürgen <app@client.test>"
    assert message["X-Campaign"] == "spring" and "bob" not in message.as_string() and message["Message-ID"] and message["Date"]
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text.get_content().rstrip() == "Schön.\n.\nEnde" and html.get_content().strip() == "<p>Schön.</p>"
    [attached] = message.iter_attachments()
    assert attached.get_filename() == "a.txt" and attached.get_content() == "inside\n"
    [blind] = server.mail("bob")
    assert b"bob" not in blind.split(b"\n\n", 1)[0].split(b"From:", 1)[1]


def test_a_message_as_it_is(serving):  # noqa: F811
    server = serving()
    raw = b"From: a@client.test\r\nSubject: raw\r\n\r\n.dots\r\n..\r\nlast without end"
    answer = server.web.json("POST", "/v1/messages?from=a@client.test&to=alice@example.org", raw, status=202, Content_Type="message/rfc822")
    assert answer["id"]
    [mail] = server.mail("alice")
    assert mail.split(b"\n\n", 1)[1] == b".dots\n..\nlast without end\n"


@pytest.mark.parametrize("raw", [False, True])
def test_a_wish_for_a_notification_is_passed_on(serving, raw):  # noqa: F811
    server = serving()
    wishes = {"from": "alice@example.org", "to": "bob@example.org", "notify": "success", "ret": "hdrs", "envid": "order 7"}
    if raw:
        server.web.json("POST", "/v1/messages?from=alice@example.org&to=bob@example.org&notify=success&ret=hdrs&envid=order%207",
                        b"Subject: raw\n\nraw\n", status=202, Content_Type="message/rfc822")
    else:
        server.web.json("POST", "/v1/messages", {**wishes, "text": "hello"}, status=202)
    [report] = server.mail("alice")
    assert b"Original-Envelope-Id: order 7" in report and b"Action: delivered" in report and b"text/rfc822-headers" in report
    answer = server.web.json("POST", "/v1/messages", {**wishes, "notify": "sometimes", "text": "hello"}, status=422)
    assert "501" in answer["error"]


def test_refused_messages_are_told_in_the_servers_words(serving):  # noqa: F811
    web = serving().web
    answer = web.json("POST", "/v1/messages", {"from": "a@client.test", "to": "nobody@example.org", "text": "x"}, status=422)
    assert "550" in answer["error"]
    web.json("POST", "/v1/messages", {"from": "a@client.test", "to": "alice@example.org", "subject": "a\r\nBcc: b@example.org"}, status=400)
    web.json("POST", "/v1/messages", b"x", status=400, Content_Type="text/plain")


def test_a_token_for_mail_can_do_nothing_else(serving):  # noqa: F811
    server = serving({"app": "send"})
    app = Web(server.web.port, "app")
    app.json("POST", "/v1/messages", {"from": "a@client.test", "to": "alice@example.org", "text": "x"}, status=202)
    assert app.status("GET", "/v1/queue") == 403
    assert app.status("DELETE", "/v1/messages/ABC") == 403


def test_times_are_told(serving):  # noqa: F811
    server = serving()
    submit(server, "alice@example.org")
    until(lambda: server.ask("stats")["counters"]["delivered"] == 1, "the delivery")
    metrics = server.web.ask("GET", "/metrics").bytes.decode()
    told = values(metrics)
    for name in ("postroad_time_to_250_seconds", "postroad_time_in_queue_seconds"):
        assert told[f"{name}_count"] == told[name + '_bucket{le="+Inf"}'] == 1
    stats = server.web.json("GET", "/v1/stats")
    assert stats["host"]["spool_free_bytes"] > 0 and stats["host"]["processors"] > 0
    assert sum(stats["times"]["time-to-250"]["counts"]) == 1


def test_the_page_asks_nobody_else(serving):  # noqa: F811
    server = serving({"viewer": "read"})
    page = server.web.ask("GET", "/")
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    for path, kind in (("/page.css", "text/css"), ("/page.js", "text/javascript")):
        answer = server.web.ask("GET", path)
        assert answer.status == 200 and answer.headers["Content-Type"].startswith(kind)
        assert b"http://" not in answer.bytes.replace(b"http://www.w3.org/2000/svg", b"") and b"https://" not in answer.bytes
