"""How urgent a message is: from its sender to the next server (RFC 6710), and into what operators see."""
import smtplib

import conftest

ZONE = {"remote.test": {"MX": [[10, "mx.remote.test"]]}, "mx.remote.test": {"A": ["127.0.0.1"]}}
HELLO = "From: alice@example.org\r\nSubject: hello\r\n\r\nHello.\r\n"


def hand_in(server, body=HELLO, options=()):
    with smtplib.SMTP("127.0.0.1", server.port, timeout=conftest.PATIENCE_S) as client:
        client.ehlo()
        assert client.has_extn("mt-priority")
        client.mail("alice@example.org", list(options))
        client.rcpt("carol@remote.test")
        return client.data(body)


def test_passed_on_and_shown(postroad, remote):
    mx = remote(ehlo=("remote.test", "MT-PRIORITY"))
    server = postroad(zone=ZONE, outbound_port=mx.port, conf="limits { priority = 5 }\n")
    code, text = hand_in(server, options=["MT-PRIORITY=9"])
    assert code == 250 and text.startswith(b"2.3.6 5 is its priority.")
    conftest.until(lambda: mx.messages, "the message")
    assert any(line.startswith("MAIL ") and line.endswith("MT-PRIORITY=5") for line in mx.commands)
    [life] = server.ask("trace", text.split()[-1].decode())
    assert life["steps"][0]["priority"] == "5"


def test_kept_over_a_restart(postroad, remote):
    mx = remote(ehlo=("remote.test", "MT-PRIORITY"))
    server = postroad(zone=ZONE, outbound_port=mx.port)
    server.run("queue", "pause", "--domain", "remote.test")
    hand_in(server, body="MT-Priority: -4\r\n" + HELLO)
    [message] = server.ask("queue", "list")
    assert message["priority"] == -4
    assert "priority -4" in server.run("queue", "list").stdout
    server.stop()
    server.start()
    server.run("queue", "resume", "--domain", "remote.test")
    conftest.until(lambda: mx.messages, "the message")
    assert any(line.startswith("MAIL ") and line.endswith("MT-PRIORITY=-4") for line in mx.commands)
