"""Roles that die, configurations that change, and questions while no server runs."""
import os
import pathlib
import re
import resource
import signal
import smtplib
import socket

import pytest

import conftest

HELLO = "From: a@client.test\r\nSubject: Hello\r\n\r\nHello.\r\n"


def role_pid(server, name):
    """The process of a role of this server."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
            parent = int((path.parent / "stat").read_text().rsplit(") ", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        if parent == server.process.pid and words[1:3] == [b"role", name.encode()]:
            return int(path.parent.name)
    return None


def send(server, to="alice@example.org"):
    with server.smtp() as client:
        client.sendmail("a@client.test", [to], HELLO)


def deliver(server, count=1):
    """A message to alice, her `count`th, all of it over: a delivery that is not yet settled is made again after a death."""
    send(server)
    server.mail("alice", count=count)
    conftest.until(server.queue_is_empty, "the delivery to be settled")


def kill_role(server, name):
    old = role_pid(server, name)
    os.kill(old, signal.SIGKILL)
    conftest.until(lambda: role_pid(server, name) not in (None, old), f"another {name} role")


def test_roles_take_the_descriptors_they_may_have(postroad):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        server = postroad()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    limits = pathlib.Path(f"/proc/{role_pid(server, 'mail')}/limits").read_text()
    assert re.search(r"Max open files\s+(\S+)\s+(\S+)", limits).groups() == (str(hard), str(hard))


def test_a_dead_mail_role_starts_again(postroad):
    server = postroad()
    deliver(server)
    kill_role(server, "mail")
    # The socket stayed open: a client waits in its backlog instead of being refused.
    deliver(server, count=2)


def test_a_dead_mailbox_role_starts_again(postroad):
    server = postroad()
    deliver(server)
    kill_role(server, "mailbox")
    deliver(server, count=2)


def test_a_dead_auth_role_starts_again(postroad):
    server = postroad()
    kill_role(server, "auth")
    send(server)
    server.mail("alice")


def waits(server, role):
    return [int(wait) for wait in re.findall(rf"role {role} .*; started again in (\d+) ms", server.said())]


@pytest.mark.parametrize("role", ["mail", "mailbox", "auth"])
def test_a_role_that_dies_again_and_again_waits_longer_each_time(postroad, role):
    server = postroad()
    for _ in range(4):
        kill_role(server, role)
    conftest.until(lambda: len(waits(server, role)) == 4, "four deaths")
    assert waits(server, role) == [100, 200, 400, 800]
    send(server)
    server.mail("alice")


def memory_holds(pid, marker):
    """Whether the bytes stand anywhere in the memory that the process can write."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            start, end = (int(bound, 16) for bound in span.split("-"))
            # What the sanitizers reserve for themselves is terabytes, and none of it ours.
            if "rw" not in rights or end - start > 1 << 30:
                continue
            try:
                memory.seek(start)
                if marker in memory.read(end - start):
                    return True
            except OSError:
                continue
    return False


def test_no_password_reaches_the_process_that_parses_the_network(postroad):
    marker = "VerySecretOfAlice"
    server = postroad(start=False)
    (server.home / "users").write_text(f"alice:{{PLAIN}}{marker}\n")
    server.start()
    send(server)
    server.mail("alice")
    server.run("reload")
    conftest.until(lambda: memory_holds(role_pid(server, "auth"), marker.encode()), "the auth role to read the file")
    for role in ("mail", "mailbox"):
        assert not memory_holds(role_pid(server, role), marker.encode()), role


def takes(client, recipient):
    client.rset()
    client.mail("a@client.test")
    return client.rcpt(recipient)[0] == 250


def test_reload_takes_new_aliases_and_listeners(postroad):
    server = postroad(aliases="one: alice\n")
    port = conftest.free_port()
    with server.smtp() as client:
        client.ehlo()
        (server.home / "aliases").write_text("one: alice\ntwo: bob\n")
        server.write_conf(f'listen "127.0.0.1:{port}" {{ role = mx }}\n')
        server.run("reload")
        conftest.until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "the new socket")
        # The socket is there before the lanes have read the new files: wait for those.
        conftest.until(lambda: server.ask("explain", "two@example.org")["from_anyone"].startswith("250"), "the new alias")
        # The session that was open goes on, and knows it.
        conftest.until(lambda: takes(client, "two@example.org"), "the open session to know it")
        assert client.data(HELLO)[0] == 250
    with smtplib.SMTP("127.0.0.1", port, timeout=conftest.PATIENCE_S) as client:
        client.ehlo()
        conftest.until(lambda: takes(client, "two@example.org"), "the new socket's session to know it")
        assert client.data(HELLO)[0] == 250
    server.mail("bob", count=2)


def test_reload_takes_new_dns_and_outbound_settings(postroad, remote):
    """One mail waits for a domain that the DNS does not answer for; then it does, and we send from elsewhere."""
    far = remote(address="127.0.0.3")
    server = postroad(zone={"slow.test": "TIMEOUT"}, retry=("1h",), outbound_port=far.port)
    send(server, "x@slow.test")
    conftest.until(lambda: server.queue()[0]["recipients"][0]["attempts"] == 1, "the first attempt")
    server.set_zone({"slow.test": {"MX": [[10, "mx.slow.test"]]}, "mx.slow.test": {"A": ["127.0.0.3"]}})
    server.base = server.base.replace("outbound { ", 'outbound { source = {"127.0.0.4"} ').replace(
        "mail.example.org", "other.example.org")
    server.write_conf()
    server.run("reload")
    conftest.until(lambda: "mx.slow.test" in server.run("explain", "x@slow.test").stdout, "the new zone")
    server.run("queue", "retry", "all")
    conftest.until(lambda: far.messages, "the mail to arrive")
    assert far.peers == ["127.0.0.4"]
    assert far.commands[0] == "EHLO other.example.org"


def test_a_wrong_reload_changes_nothing(postroad):
    server = postroad()
    server.write_conf("limits { message-size = much }\n")
    assert server.run("check", check=False).returncode == 1
    assert server.run("reload", check=False).returncode == 78
    # A section for nobody is no reason to refuse: users come and go in a file of their own.
    server.write_conf('user "nobody-here" { messages = "5/1h" }\n')
    check = server.run("check", check=False)
    assert check.returncode == 1 and 'user "nobody-here" is not among ' in check.stderr
    server.run("reload")
    server.write_conf("limits { message-size = much }\n")
    server.process.send_signal(signal.SIGHUP)
    conftest.until(lambda: "reload refused" in (server.home / "stderr").read_text(), "the refusal")
    send(server)
    server.mail("alice")


def test_a_log_that_was_renamed_is_followed_no_longer(postroad):
    """As by logrotate, which sends SIGHUP behind the renaming; also while the configuration has a mistake."""
    server = postroad()
    log, stderr = server.home / "log", server.home / "stderr"
    for conf, said in (("", "configuration reloaded"), ("limits { message-size = much }\n", "reload refused")):
        send(server)
        conftest.until(lambda: "finished" in log.read_text(), "the log")
        old = log.rename(server.home / f"log.{said[0]}")
        server.write_conf(conf)
        server.process.send_signal(signal.SIGHUP)
        conftest.until(lambda: said in stderr.read_text(), said)

        def is_written_anew():
            before = old.stat().st_size
            send(server)
            return old.stat().st_size == before and log.exists() and "received" in log.read_text()
        conftest.until(is_written_anew, "a new log")


def test_questions_without_a_server(postroad):
    server = postroad(zone={"slow.test": "SERVFAIL"}, retry=("1h",))
    send(server, "x@slow.test")
    conftest.until(lambda: server.queue()[0]["recipients"][0]["attempts"] == 1, "the first attempt")
    server.stop()
    [message] = server.queue()
    assert message["recipients"][0]["address"] == "x@slow.test"
    assert server.ask("trace", "x@slow.test")[0]["steps"][0]["event"] == "received"
    assert server.run("stats", check=False).returncode == 69
    assert server.run("queue", "hold", "all", check=False).returncode == 69


def test_a_second_server_is_refused(postroad, tmp_path):
    server = postroad()
    second = server.run("serve", check=False)
    assert second.returncode != 0
    assert "a server is running there" in second.stderr
    send(server)
    server.mail("alice")


def test_stop_by_command(postroad):
    server = postroad()
    server.run("stop")
    assert server.process.wait(conftest.PATIENCE_S) == 0


def test_users_come_and_go(postroad):
    server = postroad(users=())
    (server.home / "users").write_text("# people\nbob:{PLAIN}x:1000:1000::/home/bob:/bin/sh\n")
    os.chmod(server.home / "users", 0o640)
    server.run("user", "add", "alice", text="pencil\n")
    conftest.until(lambda: server.ask("explain", "alice@example.org")["from_anyone"].startswith("250"), "alice to be known")
    assert server.ask("user", "list") == ["bob", "alice"]
    server.run("user", "password", "bob", text="other\n")
    lines = (server.home / "users").read_text().splitlines()
    assert lines[0] == "# people"
    assert lines[1].startswith("bob:{SCRAM-SHA-256}") and lines[1].endswith(":1000:1000::/home/bob:/bin/sh")
    assert lines[2].startswith("alice:{SCRAM-SHA-256}") and "pencil" not in lines[2]
    assert (server.home / "users").stat().st_mode & 0o777 == 0o640
    server.run("user", "remove", "alice")
    conftest.until(lambda: server.ask("explain", "alice@example.org")["from_anyone"].startswith("550"), "alice to be gone")
    for words, text, code in ((("add", "bob"), "x\n", 65), (("add", "a/b"), "x\n", 64), (("remove", "carol"), None, 67),
                              (("add", "dave"), "", 66), (("frob", "x"), None, 64)):
        assert server.run("user", *words, text=text or "", check=False).returncode == code, words
    assert server.ask("user", "list") == ["bob"]
