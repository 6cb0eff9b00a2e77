"""Mail handed in by HTTP more than once, and more than is allowed."""
import concurrent.futures

from conftest import until
from test_web import Web, listens, serving  # noqa: F401

LETTER = {"from": "a@client.test", "to": "alice@example.org", "subject": "order 7", "text": "Thank you.\n"}


def hand_in(web, letter=None, key="order-7", **more):
    return web.json("POST", "/v1/messages", letter or LETTER, Idempotency_Key=key, **more)


def test_a_key_puts_one_message(serving):
    server = serving({"shop": "send", "news": "send"})
    shop, news = Web(server.web.port, "shop"), Web(server.web.port, "news")
    first = hand_in(shop, status=202)
    again = shop.ask("POST", "/v1/messages", LETTER, Idempotency_Key="order-7")
    assert again.status == 202 and again.headers["Idempotency-Replayed"] == "true"
    assert first["id"].encode() in again.bytes
    server.mail("alice")
    until(server.queue_is_empty, "it to be settled: what was under way would be delivered again")
    # It outlives the server, and each token's keys are its own.
    server.kill()
    server.start()
    until(lambda: listens(server.web.port), "the web role")
    assert hand_in(shop, status=202)["id"] == first["id"]
    assert hand_in(news, status=202)["id"] != first["id"]
    assert hand_in(shop, key="order-8", status=202)["id"] != first["id"]
    assert "another message" in hand_in(shop, {**LETTER, "text": "No.\n"}, status=422)["error"]
    server.mail("alice", count=3)


def test_whoever_comes_at_the_same_time_hears_of_one(serving):
    server = serving()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: hand_in(server.web, status=202)["id"], range(16)))
    assert len(set(answers)) == 1
    server.mail("alice")


def test_what_is_refused_may_be_tried_again(serving):
    server = serving()
    hand_in(server.web, {**LETTER, "to": "nobody@example.org"}, status=422)
    hand_in(server.web, status=202)
    assert server.web.status("POST", "/v1/messages", LETTER, Idempotency_Key="") == 400
    assert server.web.status("POST", "/v1/messages", LETTER, Idempotency_Key="k" * 256) == 400


def test_the_key_is_for_our_own_programs(serving):
    server = serving()
    with server.smtp() as client:
        client.ehlo()
        assert client.docmd("MAIL", "FROM:<a@client.test> XCLAIM=a.b")[0] == 555


def test_a_token_has_its_limit(serving):
    server = serving({"shop": "send", "news": "send"}, web='messages = "3/1d" recipients = "4/1d"')
    shop, news = Web(server.web.port, "shop"), Web(server.web.port, "news")
    for number in range(3):
        hand_in(shop, key=f"order-{number}", status=202)
    refused = shop.ask("POST", "/v1/messages", LETTER, Idempotency_Key="order-3")
    assert refused.status == 429 and 0 < int(refused.headers["Retry-After"]) <= 28801
    assert hand_in(shop, key="order-1", status=202)  # That is no new one.
    hand_in(news, {**LETTER, "to": ["alice@example.org", "bob@example.org"]}, key="a", status=202)
    hand_in(news, {**LETTER, "to": ["alice@example.org", "bob@example.org", "postmaster@example.org"]}, key="b", status=429)
    hand_in(news, {**LETTER, "to": [f"u{n}@far.test" for n in range(5)]}, key="c", status=422)


def test_what_a_limit_refuses_takes_nothing_of_the_other(serving):
    server = serving({"shop": "send"}, web='messages = "2/1d" recipients = "3/1d"')
    shop = Web(server.web.port, "shop")
    two = {**LETTER, "to": ["alice@example.org", "bob@example.org"]}
    hand_in(shop, two, key="first", status=202)
    for number in range(3):
        hand_in(shop, two, key=f"again-{number}", status=429)
        hand_in(shop, {**LETTER, "to": [f"u{n}@example.org" for n in range(4)]}, key=f"never-{number}", status=422)
    hand_in(shop, key="second", status=202)  # Of both limits one was left.
    assert shop.status("POST", "/v1/messages", LETTER) == 429
