"""Another program takes the place of the one that runs, and no client is refused."""
import os
import pathlib
import shutil
import smtplib
import socket

import conftest
from test_roles import HELLO, role_pid, send


def install(server, source):
    """As a package manager does: the new file takes the name of the old one."""
    fresh = server.home / "fresh"
    shutil.copy(source, fresh)
    os.chmod(fresh, 0o755)
    os.rename(fresh, server.home / "program")


def installed(postroad):
    server = postroad(start=False)
    source, server.program = server.program, str(server.home / "program")
    install(server, source)
    return server.start(), source


def test_sessions_end_in_peace_and_nobody_is_refused(postroad):
    server, source = installed(postroad)
    supervisor, old = server.process.pid, role_pid(server, "mail")
    idle, busy = server.smtp(), server.smtp()
    idle.ehlo()
    busy.ehlo()
    busy.mail("a@client.test")
    busy.rcpt("alice@example.org")
    busy.putcmd("data")
    assert busy.getreply()[0] == 354
    busy.send("Subject: half of it\r\n")
    install(server, source)
    server.run("upgrade")
    assert idle.getreply()[0] == 421
    # The old role still waits for the message; who comes now waits in the backlog.
    late = socket.create_connection((server.address, server.port), conftest.PATIENCE_S)
    busy.send("\r\nand the rest\r\n.\r\n")
    assert busy.getreply()[0] == 250
    assert late.recv(3) == b"220"
    late.close()
    assert server.process.pid == supervisor and role_pid(server, "mail") != old
    for pid in (supervisor, role_pid(server, "mail"), role_pid(server, "mailbox"), role_pid(server, "auth")):
        assert os.readlink(f"/proc/{pid}/exe") == server.program
    send(server)
    bodies = server.mail("alice", count=2)
    assert any(b"and the rest" in body for body in bodies)
    assert "POSTROAD_SOCKETS" not in pathlib.Path(f"/proc/{role_pid(server, 'mail')}/environ").read_text()
    # Once more: what was inherited can be handed down.
    server.run("upgrade")
    conftest.until(lambda: server.said().count("upgraded") == 2, "the second upgrade")
    server.run("reload")
    send(server)
    server.mail("alice", count=3)


def test_a_program_that_does_not_take_the_configuration_is_refused(postroad):
    server, _ = installed(postroad)
    (server.home / "broken").write_text("#!/bin/sh\nexit 1\n")
    with server.smtp() as client:
        client.ehlo()
        install(server, server.home / "broken")
        server.program = conftest.PROGRAM
        server.run("upgrade")
        conftest.until(lambda: "upgrade refused" in server.said(), "the refusal")
        # The session knows nothing of it, and roles that die are still those of the program that runs.
        client.sendmail("a@client.test", ["alice@example.org"], HELLO)
    conftest.until(server.queue_is_empty, "the delivery to be settled")
    old = role_pid(server, "mailbox")
    os.kill(old, 9)
    conftest.until(lambda: role_pid(server, "mailbox") not in (None, old), "another mailbox role")
    with smtplib.SMTP(server.address, server.port, timeout=conftest.PATIENCE_S) as client:
        client.sendmail("a@client.test", ["alice@example.org"], HELLO)
    server.mail("alice", count=2)
