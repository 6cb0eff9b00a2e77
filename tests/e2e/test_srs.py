"""What an alias sends on goes out under an address of ours (SRS), and what comes back to that goes on to the sender."""
import re
import smtplib
import stat

import pytest

from conftest import until

LETTER = b"From: Ann <ann@good.test>\r\nTo: away@example.org\r\nSubject: hello\r\nMessage-ID: <1@good.test>\r\n\r\nHello.\r\n"
SRS = 'srs { secret-file = "srs.secret" }\n'


def route(domain, far):
    return f'route "{domain}" {{ via = {{"{far.address}:{far.port}"}} }}\n'


@pytest.fixture
def forwarder(postroad, remote):
    """A server with an alias that leads away, the server there, and the sender's."""
    far, good = remote(), remote()
    server = postroad(aliases="away: friend@far.test\nhome: alice\n",
                      conf=SRS + route("far.test", far) + route("good.test", good))
    return server, far, good


def hand_in(server, sender, to, letter=LETTER):
    with server.smtp() as client:
        client.sendmail(sender, [to], letter)


def sent_as(far):
    until(lambda: far.messages, "the message to arrive there")
    return re.fullmatch(r"MAIL FROM:<(\S*)>.*", far.messages.pop()["from"])[1]


def refusal(server, to):
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused, server.smtp() as client:
        client.sendmail("", [to], LETTER)
    [(code, words)] = refused.value.recipients.values()
    return code, words.decode()


def test_there_and_back(forwarder):
    server, far, good = forwarder
    secret = server.home / "srs.secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    hand_in(server, "Ann@good.test", "away@example.org")
    path = sent_as(far)
    assert re.fullmatch(r"SRS0=[A-Z2-7]{6}=[A-Z2-7]{2}=good\.test=Ann@example\.org", path)

    hand_in(server, "", path, b"From: mailer@far.test\r\nSubject: undelivered\r\n\r\nSorry.\r\n")
    until(lambda: good.messages, "the report to come back")
    report = good.messages.pop()
    assert report["from"].startswith("MAIL FROM:<>") and report["to"][0].startswith("RCPT TO:<Ann@good.test>")
    assert b"Sorry." in report["body"]
    until(server.queue_is_empty, "all to be settled")

    steps = [step for life in server.ask("trace", "Ann@good.test") for step in life["steps"]]
    assert [step["sent-as"] for step in steps if step["event"] == "delivered" and step["to"] == "friend@far.test"] == [path]
    assert [step["targets"] for step in steps if step["event"] == "expanded" and step["to"] == path] == ["Ann@good.test"]
    server.told("delivered", **{"sent-as": path})
    assert server.ask("stats")["counters"]["rewritten"] == 1

    # Another secret in front: new addresses are made by it, older ones are good until theirs is taken away.
    secret.write_text("a second secret, long enough\n" + secret.read_text())
    server.run("reload")
    until(lambda: another_path(server, far, path), "the new secret to make addresses")
    hand_in(server, "", path.lower())
    until(lambda: good.messages, "the report to come back")
    secret.write_text("a second secret, long enough\n")
    server.run("reload")
    until(lambda: is_refused(server, path), "the older secret to be forgotten")


def another_path(server, far, path):
    hand_in(server, "Ann@good.test", "away@example.org")
    return sent_as(far) != path


def is_refused(server, to):
    try:
        hand_in(server, "", to)
    except smtplib.SMTPRecipientsRefused:
        return True
    return False


def test_what_is_refused(forwarder):
    server, far, _ = forwarder
    hand_in(server, "ann@good.test", "away@example.org")
    path = sent_as(far)
    forged = path.replace("good.test", "evil.test")
    assert refusal(server, forged) == (550, "5.1.1 this rewritten address (SRS) was not made here")
    assert refusal(server, "SRS0=AAAA@example.org") == (550, "5.1.1 this rewritten address (SRS) is not complete")
    assert far.messages == []


def test_a_failure_here_is_told_to_the_sender(forwarder):
    """The report that we make ourselves goes straight to him, and speaks of the address that he knows."""
    server, far, good = forwarder
    far.script["RCPT"] = "550 5.1.1 nobody"
    hand_in(server, "ann@good.test", "away@example.org")
    until(lambda: good.messages, "the report")
    report = good.messages.pop()
    assert report["from"].startswith("MAIL FROM:<>") and report["to"][0].startswith("RCPT TO:<ann@good.test>")
    assert b"away@example.org" in report["body"] and b"SRS0=" not in report["body"]
    assert [command for command in far.commands if command.startswith("MAIL FROM:<SRS0=")]


@pytest.mark.parametrize("sender", ["bob@example.org", "", "a.name.that.is.nearly.as.long.as.any.may.be@long.domain.good.test"])
def test_who_keeps_his_path(forwarder, sender):
    server, far, _ = forwarder
    hand_in(server, sender, "away@example.org")
    assert sent_as(far) == sender


def test_relayed_and_local_mail_is_as_it_was(forwarder):
    server, far, _ = forwarder
    hand_in(server, "ann@good.test", "someone@far.test")
    assert sent_as(far) == "ann@good.test"
    hand_in(server, "ann@good.test", "home@example.org")
    assert server.mail("alice")[0].startswith(b"Return-Path: <ann@good.test>")


def test_explained(forwarder):
    server, *_ = forwarder
    away = server.ask("explain", "away@example.org", "--from", "ann@good.test")["destinations"]
    assert away[1]["sent_as"].startswith("SRS0=") and "SRS" in away[1]["rewriting"]
    assert "SRS" in server.run("explain", "away@example.org").stdout
    back = server.ask("explain", away[1]["sent_as"])
    assert back["from_anyone"].startswith("250 ")
    assert [place["address"] for place in back["destinations"]] == [away[1]["sent_as"], "ann@good.test"]
    ours = server.ask("explain", "away@example.org", "--from", "bob@example.org")["destinations"]
    assert ours[1]["sent_as"] == "bob@example.org"
    assert "5.1.1" in server.ask("explain", "SRS0=AAAAAA=AA=good.test=ann@example.org")["from_anyone"]


def test_two_forwarders(postroad, remote):
    """From one postroad to the next: the report goes back along both."""
    last, good = remote(script={"RCPT": "550 5.1.1 nobody"}), remote()
    first = postroad("first", start=False)
    second = postroad("second", hostname="mail.second.test", domains=("second.test",), aliases="b: c@last.test\n", users=("x",),
                      conf=SRS + route("last.test", last) + route("example.org", first_remote := type("At", (), {
                          "address": first.address, "port": first.port})))
    assert first_remote.port
    first.base = first.base.replace("users =", 'aliases = "aliases"\nusers =')
    (first.home / "aliases").write_text("away: b@second.test\n")
    first.write_conf(SRS + route("second.test", second) + route("good.test", good))
    first.start()
    hand_in(first, "ann@good.test", "away@example.org")
    until(lambda: good.messages, "the report to come back")
    report = good.messages.pop()
    assert report["to"][0].startswith("RCPT TO:<ann@good.test>") and b"5.1.1" in report["body"]
    assert any(re.match(r"MAIL FROM:<SRS1=[A-Z2-7]{6}=example\.org==[A-Z2-7]{6}=..=good\.test=ann@second\.test>", command)
               for command in last.commands)


def test_mistakes_in_the_configuration(postroad):
    server = postroad(start=False, conf='srs { secret-file = "srs.secret" domain = "far.test" }\n')
    said = server.run("check", check=False)
    assert said.returncode == 1 and "is not ours" in said.stdout + said.stderr
    server.write_conf(SRS)
    assert "rewrites senders into example.org" in server.run("check").stdout
    secret = server.home / "srs.secret"
    assert not secret.exists()
    secret.write_text("")
    secret.chmod(0o600)
    said = server.run("check", check=False)
    assert said.returncode == 1 and "srs.secret:1: no secret" in said.stdout + said.stderr
    secret.write_text("one that is long enough\n")
    secret.chmod(0o644)
    said = server.run("check", check=False)
    assert said.returncode == 1 and "chmod 600" in said.stdout + said.stderr
