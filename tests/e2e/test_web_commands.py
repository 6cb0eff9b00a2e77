"""All that the command line can ask of a running server, asked by HTTP as well: with the same outcome, and by the right token only."""
import hashlib
import json
import re
import ssl
import subprocess
import sys
import urllib.parse

import conftest
import pytest
from certificates import Authority
from conftest import until
from test_web import Web, listens

sys.path.insert(0, str(conftest.servers.ROOT / "tools"))
import make_completion  # noqa: E402
import make_pages  # noqa: E402

ROOT = conftest.servers.ROOT
SCOPES = ("metrics", "read", "change", "send", "admin")
ACTIONS = ("retry", "hold", "release", "delete", "expire", "bounce", "reroute")

# Each command that asks a server: the requests that ask the same, and the scope that they take.
BY_HTTP = {
    "queue list": (["GET /v1/queue"], "read"),
    "queue show": (["GET /v1/queue/*"], "read"),
    "queue destinations": (["GET /v1/destinations"], "read"),
    **{f"queue {action}": (["POST /v1/queue/*", "POST /v1/messages/*/*"], "change") for action in ACTIONS},
    "queue pause": (["POST /v1/pauses"], "change"),
    "queue resume": (["DELETE /v1/pauses"], "change"),
    "queue pauses": (["GET /v1/pauses"], "read"),
    "trace": (["GET /v1/messages", "GET /v1/messages/*"], "read"),
    "webhooks": (["GET /v1/webhooks"], "read"),
    "explain": (["GET /v1/explain"], "read"),
    "tail": (["GET /v1/events"], "read"),
    "reports list": (["GET /v1/reports"], "read"),
    "reports send": (["POST /v1/reports"], "change"),
    "stats": (["GET /v1/stats"], "read"),
    "top": (["GET /v1/stats", "GET /v1/destinations"], "read"),
    "send": (["POST /v1/messages"], "send"),
    "reload": (["POST /v1/reload"], "admin"),
    "upgrade": (["POST /v1/upgrade"], "admin"),
    "stop": (["POST /v1/stop"], "admin"),
}
BY_HTTP["queue delete"][0].append("DELETE /v1/messages/*")

# What is done on the machine itself, with its files, its terminal and its rights.
HERE_ONLY = {"quickstart", "doctor", "serve", "check", "verify", "sign", "dkim", "user", "reports FILE", "help", "version"}

# What a command is limited by, and what is meant by it: the letter of alice, which its host has put off.
FILTERS = [("--sender", "alice@example.org"), ("--sender", "@example.org"), ("--recipient", "carol@slow.test"), ("--domain", "slow.test"),
           ("--user", "alice"), ("--state", "held"), ("--state", "waiting"), ("--host", "mx.slow.test"), ("--error", "come again"),
           ("--older", "0s"), ("--older", "1h")]
PAUSES = [("--domain", "slow.test"), ("--sender", "alice@example.org"), ("--user", "alice")]
TAIL = [("--event", "received,deferred"), ("--sender", "alice@example.org"), ("--recipient", "carol@slow.test"), ("--domain", "slow.test"),
        ("--since", "1h")]

# The options that are compared below, by command; --json is how a program hears what HTTP answers, --id the ID of a test.
COMPARED = {
    "queue list": {option for option, _ in FILTERS} | {"--limit"},
    **{f"queue {action}": {option for option, _ in FILTERS} for action in ACTIONS},
    "queue pause": {option for option, _ in PAUSES},
    "queue resume": {option for option, _ in PAUSES},
    "tail": {option for option, _ in TAIL} | {"--id"},
    "explain": {"--from"},
    "reports list": {"--domain"},
    "reports send": {"--day"},
    "top": {"--interval", "--once"},  # Of the picture on a terminal.
}
COMPARED["queue reroute"] |= {"--via"}


def known():
    """{"queue list": options}, from what the program says of itself."""
    found = {}
    for name in make_completion.commands(conftest.PLAIN)[0]:
        usage = make_pages.usage_of(conftest.PLAIN, name)
        filters = usage.partition("\nFILTER:")[2]
        for line in make_pages.forms(usage):
            rest = line.removeprefix("postroad").removeprefix(" " + name).strip()
            words = re.match(r"(?!-)\[?([a-z|]+)\]?(?: |$)|(FILE)\|", rest) if name in ("queue", "reports") else None
            options = set(re.findall(r"--[a-z]+", line + (filters if "FILTER" in line else ""))) - {"--json"}
            for word in re.split(r"\|", words.group(1) or words.group(2)) if words else [""]:
                found.setdefault(f"{name} {word}".strip(), set()).update(options)
    return found


def test_every_command_is_asked_by_http_or_belongs_to_the_machine():
    commands = known()
    assert "queue hold" in commands and "reports send" in commands and "--via" in commands["queue reroute"]
    for command, options in commands.items():
        here = command in HERE_ONLY or command.split()[0] in HERE_ONLY
        assert here != (command in BY_HTTP), f"{command} is in both lists, or in none"
        assert here or options == COMPARED.get(command, set()), f"{command}: an option that is not asked by HTTP, or is no more"


def endpoints():
    found = re.findall(r'^\t\{ "([A-Z]+)", "(/v1/[^"]*)", WEB_ANSWER_(?:API|MAIL), WEB_([A-Z]+)', (ROOT / "src/web/target.c").read_text(), re.M)
    return {f"{method} {path}": scope.lower() for method, path, scope in found}


def test_every_request_of_the_api_is_that_of_a_command():
    assert endpoints() == {request: scope for requests, scope in BY_HTTP.values() for request in requests}


def test_the_chapter_of_http_tells_all_of_it():
    chapter = (ROOT / "docs/manual/http.md").read_text()
    table = re.findall(r"^\| (`.*(?:GET|POST|DELETE).*) \| (.*) \| `(\w+)` \|$", chapter, re.M)
    for command, (requests, scope) in BY_HTTP.items():
        names = {f"`{command}`", f"`{command.split()[-1]}`"}
        for request in requests:
            shown = re.compile("`" + re.escape(request).replace(r"\*", "[A-Z]+") + "[`?]")
            assert [row for row in table if shown.search(row[0]) and row[2] == scope and (names & set(re.findall("`.*?`", row[1])) or "the same" in row[1])], \
                f"{request} is not told to be {command}, for {scope}"
    here = re.search(r"^On the machine itself.*?\n\n", chapter, re.M | re.S).group()
    for command in HERE_ONLY - {"help", "version"}:
        assert f"`{command}`" in here, command


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Each token has one scope, which is its name. Two hosts put off what comes, in their own words; a third takes it."""
    home = tmp_path_factory.mktemp("commands")
    port, web, submission = conftest.free_port(), conftest.free_port(), conftest.free_port()
    remotes = [conftest.Remote("127.0.0.2", port, {"RCPT": "451 4.7.1 come again"}), conftest.Remote("127.0.0.3", port, {"RCPT": "452 4.2.2 full"}),
               conftest.Remote("127.0.0.4", port)]
    authority = Authority(home / "authority")
    certificate, key = authority.issue("mail", "DNS:mail.example.org", "IP:127.0.0.1")
    zone = {"slow.test": {"MX": [[10, "mx.slow.test"]]}, "mx.slow.test": {"A": ["127.0.0.2"]}, "full.test": {"MX": [[10, "mx.full.test"]]},
            "mx.full.test": {"A": ["127.0.0.3"]}, "calm.test": {"MX": [[10, "mx.calm.test"]]}, "mx.calm.test": {"A": ["127.0.0.5"]},
            "_smtp._tls.slow.test": {"TXT": [["v=TLSRPTv1; rua=mailto:bob@example.org"]]}}
    made = conftest.Postroad(home / "org", zone=zone, outbound_port=port, outbound="idle = 0s", retry=("1h",), users=("bob",), aliases="")
    made.run("user", "add", "alice", text="pencil\n")
    (made.home / "web-tokens").write_text("".join(f"{scope}:{hashlib.sha256(scope.encode()).hexdigest()}:{scope}\n" for scope in SCOPES))
    (made.home / "secret").write_text("swordfish\n")
    (made.home / "secret").chmod(0o600)
    made.write_conf(f'tls {{ certificate = "{certificate}" key = "{key}" }}\nlisten "127.0.0.1:{submission}" {{ role = submission }}\n'
                    f'web {{ listen = "127.0.0.1:{web}" tokens = "web-tokens" }}\nreports {{ contact = "bob@example.org" }}\ndkim {{ keys = "keys" publish-wait = 0s }}\n'
                    'webhook "shop" { url = "https://127.0.0.1:1/" secret-file = "secret" events = {bounced} }\n'
                    'route "*" { from = {"special@client.test"} via = {"relay.test:25"} }\n')
    made.web, made.submission, made.relay = web, submission, f"[127.0.0.4]:{port}"
    made.context = ssl.create_default_context(cafile=authority.path)
    made.run("dkim", "generate", "example.org", "--algorithm", "ed25519")  # Reports are signed, or not sent.
    made.run("dkim", "check", "example.org", "--trust")
    made.start()
    until(lambda: listens(web), "the web role")
    yield made
    made.stop()
    for remote in remotes:
        remote.close()


# -- The two roads ----------------------------------------------------------------------


def by_command(server, command, *words):
    """(exit code, what it says in JSON)"""
    result = server.run(*command.split(), *words, "--json", check=False)
    return result.returncode, json.loads(result.stdout) if result.returncode == 0 and result.stdout else None


def by_http(server, command, request, body=None, **query):
    """(status, answer), with the token of the command's scope."""
    method, path = request.split()
    if query:
        path += "?" + urllib.parse.urlencode(query)
    answer = Web(server.web, BY_HTTP[command][1]).ask(method, path, body)
    return answer.status, json.loads(answer.bytes)


def read(server, command, words, request, **query):
    """What both say, without what tells success apart."""
    status, answer = by_http(server, command, request, **query)
    code, told = by_command(server, command, *words)
    assert (code, status) == (0, 200), answer
    assert answer.pop("ok") is True
    return told, answer


def queue(server):
    return server.control({"do": "queue list"})["messages"]


def all_tried(server, count, attempts=1):
    messages = queue(server)
    return len(messages) == count and all(one["recipients"][0]["attempts"] == attempts for one in messages) and messages


def fresh(server):
    """Two letters that wait: that of alice, and bob's."""
    server.control({"do": "queue delete"})
    with server.smtp() as bob, conftest.smtplib.SMTP("127.0.0.1", server.submission, local_hostname="client.test") as alice:
        alice.starttls(context=server.context)
        alice.login("alice", "pencil")
        alice.sendmail("alice@example.org", ["carol@slow.test"], "From: alice@example.org\r\nSubject: meant\r\n\r\n")
        bob.sendmail("bob@client.test", ["dave@full.test"], "From: bob@client.test\r\nSubject: other\r\n\r\n")
    return [one["id"] for one in until(lambda: all_tried(server, 2), "the first attempts")]


def life(server, message):
    """What has happened to a message, but for what is another one each time."""
    told = server.control({"do": "trace", "about": message})["messages"][0]
    names = ("event", "from", "to", "user", "host", "code", "status", "uid", "by", "via", "recipients")
    return told["state"], [{name: step[name] for name in names if name in step} for step in told["steps"]]


# -- Changes of the queue --------------------------------------------------------------------


def settled(server, action, ids, hit):
    """Until what the action sets off has happened, to as many messages as it was. What is held stays so when it is rerouted."""
    if action == "reroute" and any(one["recipients"][0]["state"] == "held" for one in queue(server)):
        return lambda: True
    if action in ("retry", "release"):
        return lambda: sum(one["recipients"][0]["attempts"] == 2 for one in queue(server)) == hit
    return lambda: sum(one["id"] in ids for one in queue(server)) == len(ids) - (0 if action == "hold" else hit)


def act(server, action, chosen, via_http):
    """What the action says, and what has become of both letters."""
    meant, other = ids = fresh(server)
    if action == "release" or chosen == ("--state", "held"):
        server.control({"do": "queue hold", "id": meant})
    if action == "release":
        server.control({"do": "queue hold", "id": other})
    command, via = f"queue {action}", {"via": server.relay} if action == "reroute" else {}
    if via_http:
        if chosen == "ID":
            answer = by_http(server, command, f"DELETE /v1/messages/{meant}" if action == "delete" else f"POST /v1/messages/{meant}/{action}", via)
        else:
            how = {"all": True} if chosen == "all" else {chosen[0][2:]: chosen[1]}
            answer = by_http(server, command, f"POST /v1/queue/{action}", {**how, **via})
        good, told = answer[0] == 200, answer[1]
    else:
        words = [meant] if chosen == "ID" else [chosen] if chosen == "all" else list(chosen)
        code, told = by_command(server, command, *words, *(("--via", server.relay) if via else ()))
        good = code == 0
    assert good, told
    until(settled(server, action, ids, told["messages"]), f"{action} {chosen}")
    # Reports of a bounce are on their way meanwhile.
    waiting = [(one["sender"], one["recipients"][0]["state"]) for one in queue(server) if one["sender"] != "<>"]
    return (told["messages"], told["recipients"]), waiting, [life(server, one) for one in ids]


@pytest.mark.parametrize("chosen", ["ID", "all", *FILTERS], ids=lambda chosen: "".join(chosen))
@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_comes_to_the_same(server, action, chosen):
    by_words, by_web = act(server, action, chosen, False), act(server, action, chosen, True)
    assert by_words == by_web
    none = chosen == ("--older", "1h") or (chosen, action) in [(("--state", "waiting"), "release"), (("--state", "held"), "hold"), (("--state", "held"), "retry")]
    both = chosen in ("all", ("--older", "0s")) or (chosen, action) == (("--state", "held"), "release") or (chosen == ("--state", "waiting"))
    assert by_web[0] == ((0, 0) if none else (2, 2) if both else (1, 1))


def test_what_cannot_be_done_is_refused_by_both(server):
    meant, _ = fresh(server)
    server.control({"do": "queue hold", "id": meant})
    for words, request, body, code, status in [
            (("queue hold", meant), f"POST /v1/messages/{meant}/hold", None, 66, 404),
            (("queue delete", "0sbmk23gg0000"), "DELETE /v1/messages/0sbmk23gg0000", None, 66, 404),
            (("queue delete", "nonsense"), "DELETE /v1/messages/nonsense", None, 64, 400),
            (("queue delete", "--state", "nonsense"), "POST /v1/queue/delete", {"state": "nonsense"}, 64, 400),
            (("queue delete", "--older", "long"), "POST /v1/queue/delete", {"older": "long"}, 64, 400),
            (("queue delete", "--domain", ""), "POST /v1/queue/delete", {"domain": ""}, 64, 400),
            (("queue delete",), "POST /v1/queue/delete", {}, 64, 400),
            (("queue reroute", "all"), "POST /v1/queue/reroute", {"all": True}, 64, 400),
            (("queue pause",), "POST /v1/pauses", {}, 64, 400),
            (("queue resume", "--domain", "slow.test"), "DELETE /v1/pauses", {"domain": "slow.test"}, 0, 200)]:
        assert (by_command(server, *words)[0], by_http(server, words[0], request, body)[0]) == (code, status), words
    for words, request, code, status in [
            (("trace", "nobody@example.org"), "GET /v1/messages?about=nobody@example.org", 66, 404),
            (("queue show", "0sbmk23gg0000"), "GET /v1/queue/0sbmk23gg0000", 66, 404),
            (("explain", "nonsense"), "GET /v1/explain?address=nonsense", 64, 400),
            (("reports send", "--day", "someday"), "POST /v1/reports?day=someday", 64, 400)]:
        assert (by_command(server, *words)[0], by_http(server, words[0], request)[0]) == (code, status), words
    assert len(queue(server)) == 2


@pytest.mark.parametrize("option, value", PAUSES)
def test_a_pause_comes_to_the_same(server, option, value):
    def pause(via_http):
        fresh(server)
        how = {option[2:]: value}
        first = by_http(server, "queue pause", "POST /v1/pauses", how) if via_http else by_command(server, "queue pause", option, value)
        told, answer = read(server, "queue pauses", [], "GET /v1/pauses")
        assert told == answer["pauses"] and len(told) == 1
        assert server.control({"do": "queue retry"})["recipients"] == 2
        paused = until(lambda: (found := {one["sender"]: one["recipients"][0]["state"] for one in queue(server)})["alice@example.org"] == "paused"
                       and found, "it to be paused")
        last = by_http(server, "queue resume", "DELETE /v1/pauses", **how) if via_http else by_command(server, "queue resume", option, value)
        assert by_http(server, "queue pauses", "GET /v1/pauses")[1]["pauses"] == []
        return first[1]["ok"], last[1]["messages"], last[1]["recipients"], [(one["of"], one["subject"]) for one in told], paused
    assert pause(False) == pause(True)


# -- What is told ---------------------------------------------------------------------------------


@pytest.mark.parametrize("option, value", FILTERS)
def test_a_list_is_the_same(server, option, value):
    meant, _ = fresh(server)
    server.control({"do": "queue hold", "id": meant})
    told, answer = read(server, "queue list", [option, value], "GET /v1/queue", **{option[2:]: value})
    assert told == answer["messages"]
    expected = {"0s": 2, "1h": 0}.get(value, 1)
    assert len(told) == expected and (expected != 1 or (told[0]["id"] == meant) == (value != "waiting"))


def test_what_is_told_of_the_queue_is_the_same(server):
    meant, _ = fresh(server)
    told, answer = read(server, "queue list", ["--limit", "1"], "GET /v1/queue", limit="1")
    assert told == answer["messages"] and len(told) == 1
    told, answer = read(server, "queue show", [meant], f"GET /v1/queue/{meant}")
    assert told == answer and "Subject: meant" in told["header"]
    told, answer = read(server, "queue destinations", [], "GET /v1/destinations")
    assert told == answer and len(told["destinations"]) == 2
    told, answer = read(server, "trace", [meant], f"GET /v1/messages/{meant}")
    assert told == answer["messages"] and told[0]["id"] == meant
    told, answer = read(server, "trace", ["carol@slow.test"], "GET /v1/messages", about="carol@slow.test")
    assert told == answer["messages"] and meant in [one["id"] for one in told]
    told, answer = read(server, "webhooks", [], "GET /v1/webhooks")
    assert [[one["name"], one["url"]] for one in told] == [[one["name"], one["url"]] for one in answer["webhooks"]] == [["shop", "https://127.0.0.1:1/"]]
    told, answer = read(server, "stats", [], "GET /v1/stats")
    assert told["spool"]["messages"] == answer["spool"]["messages"] == 2
    assert set(told) - {"ok"} == set(answer) and set(told["counters"]) == set(answer["counters"])


@pytest.mark.parametrize("sender", [None, "special@client.test"])
def test_an_explanation_is_the_same(server, sender):
    told, answer = read(server, "explain", ["erin@calm.test", *(["--from", sender] if sender else [])], "GET /v1/explain",
                        **{"address": "erin@calm.test", **({"from": sender} if sender else {})})
    assert told == answer, (told, answer)
    assert ("relay.test" in json.dumps(told)) == (sender is not None)


@pytest.mark.parametrize("option, value", [*TAIL, ("--id", None), ("", None), ("", "carol@slow.test")])
def test_events_are_the_same(server, option, value):
    meant, _ = fresh(server)
    value = value or meant
    asked = {option[2:] or "about": value}
    events = by_http(server, "tail", "GET /v1/events", **{"since": "1h", "limit": "500", **asked})[1]["events"]
    assert events
    words = [conftest.PROGRAM, "tail", "-c", server.conf, "--json", *([option] if option else []), value]
    with subprocess.Popen([*words, *(["--since", "1h"] if option != "--since" else [])], stdout=subprocess.PIPE) as tail:
        told = [json.loads(tail.stdout.readline()) for _ in events]
        tail.kill()
    assert told == events
    assert option == "--since" or all(one.get("id", "") in (meant, "") or "slow.test" in str(one) or "alice" in str(one) or option == "--event" for one in told)


def test_reports_are_the_same_and_sent_by_both(server):
    def send(via_http):
        fresh(server)
        until(lambda: by_command(server, "reports list")[1], "something that is counted")
        told, answer = read(server, "reports list", [], "GET /v1/reports")
        assert told == answer["sets"] and "slow.test" in [one["domain"] for one in told]
        told, answer = read(server, "reports list", ["--domain", "slow.test"], "GET /v1/reports", domain="slow.test")
        assert told == answer["sets"] and [one["domain"] for one in told] == ["slow.test"]
        sent = by_http(server, "reports send", "POST /v1/reports", {"day": "today"}) if via_http else by_command(server, "reports send", "--day", "today")
        assert by_command(server, "reports list")[1] == []
        return {name: sent[1][name] for name in ("sent", "unwanted", "later", "given_up")}
    assert send(False) == send(True) == {"sent": 1, "unwanted": 1, "later": 0, "given_up": 0}  # full.test asks for none.


# -- The server itself ------------------------------------------------------------------------


def test_a_message_is_handed_in_by_both(server):
    count = len(server.mailbox("alice"))
    server.run("send", "-f", "bob@example.org", "alice@example.org", text="From: bob@example.org\nSubject: in both ways\n\nHello.\n")
    status, answer = by_http(server, "send", "POST /v1/messages", {"from": "bob@example.org", "to": "alice@example.org", "subject": "in both ways", "text": "Hello."})
    assert status == 202 and answer["id"]
    until(lambda: len(server.mailbox("alice")) == count + 2, "both")
    mails = [path.read_text() for path in server.mailbox("alice") if "in both ways" in path.read_text()]
    assert len(mails) == 2
    for line in ("Return-Path: <bob@example.org>", "From: bob@example.org", "Subject: in both ways"):
        assert all(re.search(f"^{line}$", mail, re.M) for mail in mails), mails
    assert [mail.split("\n\n", 1)[1] for mail in mails] == ["Hello.\n"] * 2


def lands(server, name):
    return "mailbox" in server.run("explain", f"{name}@example.org").stdout


def test_both_reload(server):
    for name, ask in (("first", lambda: by_command(server, "reload")), ("second", lambda: by_http(server, "reload", "POST /v1/reload"))):
        assert not lands(server, name)
        (server.home / "aliases").write_text(f"{name}: bob\n")
        assert ask()[0] in (0, 200)
        until(lambda: lands(server, name), "the new alias")


def test_both_upgrade(server):
    for ask in (lambda: by_command(server, "upgrade"), lambda: by_http(server, "upgrade", "POST /v1/upgrade")):
        before = server.said().count("upgraded")
        assert ask()[0] in (0, 200)
        until(lambda: server.said().count("upgraded") > before and listens(server.web), "the program that took its place")


@pytest.mark.parametrize("request_, scope", endpoints().items())
def test_a_token_of_another_scope_may_not(server, request_, scope):
    method, path = request_.split()
    for other in set(SCOPES) - {scope}:
        assert Web(server.web, other).status(method, path.replace("*", "hold"), {} if method == "POST" else None) == 403, other
    assert Web(server.web).status(method, path, {} if method == "POST" else None) == 401


def test_both_stop(server):
    for ask in (lambda: by_command(server, "stop"), lambda: by_http(server, "stop", "POST /v1/stop")):
        assert ask()[0] in (0, 200)
        assert server.process.wait(conftest.PATIENCE_S) == 0
        server.stop()
        server.start()
        until(lambda: listens(server.web), "the web role")
