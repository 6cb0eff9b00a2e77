"""Mail for commands: what they are told, what their end means, and what they may do."""
import getpass
import os
import pathlib
import shutil
import signal
import tempfile

import pytest

from conftest import until

USER = "nobody" if os.geteuid() == 0 else getpass.getuser()
LETTER = "From: a@good.test\nSubject: help\n\nIt is broken.\n"


@pytest.fixture
def folder():
    """Where a command may write, whoever it runs as."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="postroad-pipe"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)


def pipe(script, name="ticket", more="", to="tickets@example.org"):
    path = script if isinstance(script, pathlib.Path) else None
    words = f'"{path}"' if path else '"/bin/sh", "-c", "' + script.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f'pipe "{name}" {{ for = {{"{to}"}} command = {{{words}}} user = "{USER}" {more} }}\n'


def hand_in(server, to="tickets@example.org", sender="a@good.test", letter=LETTER):
    with server.smtp() as client:
        client.sendmail(sender, [to], letter)


def test_a_command_gets_the_message(postroad, folder):
    server = postroad(aliases="help: tickets+new@example.org\n",
                      conf=pipe(f"cat > {folder}/mail; env > {folder}/env; cat /proc/self/status > {folder}/status; "
                                f"pwd > {folder}/done; echo ticket 17"))
    hand_in(server, "help@example.org")
    until((folder / "done").exists, "the command to run")
    until(server.queue_is_empty, "the message to be delivered")
    message = (folder / "mail").read_bytes()
    assert message.startswith(b"Return-Path: <a@good.test>\nDelivered-To: tickets+new@example.org\n")
    assert message.endswith(b"Subject: help\n\nIt is broken.\n") and b"\r" not in message
    env = dict(line.split("=", 1) for line in (folder / "env").read_text().splitlines())
    assert env | {"PWD": "", "_": "", "SHLVL": ""} == {
        "SENDER": "a@good.test", "RECIPIENT": "tickets+new@example.org", "ORIGINAL_RECIPIENT": "help@example.org",
        "LOCAL": "tickets+new", "EXTENSION": "new", "DOMAIN": "example.org", "USER": USER, "LOGNAME": USER,
        "HOME": env["HOME"], "PATH": "/usr/local/bin:/usr/bin:/bin", "SHELL": "/bin/sh", "LC_ALL": "C.UTF-8",
        "PWD": "", "_": "", "SHLVL": ""}
    status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line)
    assert "0" not in status["Uid"].split() or os.geteuid() != 0
    assert status["CapEff"].strip("0") == "" and status["CapPrm"].strip("0") == "" and status["NoNewPrivs"] == "1"
    [delivered] = server.told("delivered")
    assert delivered["host"] == "pipe ticket" and delivered["reply"] == "taken by the command: ticket 17"
    assert (delivered["code"], delivered["status"]) in (("250", "2.0.0"), (250, "2.0.0"))


def test_a_report_and_a_large_message(postroad, folder):
    server = postroad(conf=pipe(f'printf "[%s]" "$SENDER" > {folder}/sender; wc -l > {folder}/part; mv {folder}/part {folder}/done'))
    hand_in(server, sender="", letter=LETTER + "A line of a long letter.\n" * 50000)
    until((folder / "done").exists, "the command to run")
    until(server.queue_is_empty, "the message to be delivered")
    assert int((folder / "done").read_text()) > 50000 and (folder / "sender").read_text() == "[]"


@pytest.mark.parametrize("code,status", [(67, "5.1.1"), (77, "5.7.0"), (1, "5.3.0")])
def test_returned_to_the_sender(postroad, code, status):
    server = postroad(conf=pipe(f"echo nobody reads that; echo and more; exit {code}"))
    hand_in(server, sender="alice@example.org")
    report = " ".join(server.mail("alice")[0].decode().split())
    assert f" Status: {status} " in report and f"the command ended with code {code}: nobody reads that" in report
    assert "and more" not in report
    assert "Remote-MTA" not in report and "pipe ticket said: 55" in report
    until(server.queue_is_empty, "the report to be settled")


def test_tried_again(postroad, folder):
    """Also a command that is gone, which is no sender's fault."""
    server = postroad(conf=pipe(f"echo >> {folder}/tries; [ $(wc -l < {folder}/tries) -ge 3 ] || exit 75"))
    hand_in(server)
    until(server.queue_is_empty, "the third try")
    assert len((folder / "tries").read_text().splitlines()) == 3
    assert {(line["status"], line["reply"]) for line in server.told("deferred", 2)} == {
        ("4.3.0", "the command ended with code 75")}


def test_a_command_that_is_gone(postroad, folder):
    command = folder / "command"
    command.write_text("#!/bin/sh\nexit 0\n")
    command.chmod(0o755)
    server = postroad(conf=pipe(command))
    command.unlink()
    hand_in(server)
    deferred = until(lambda: [line for line in server.log() if line["event"] == "deferred"], "an attempt")[0]
    assert deferred["status"] == "4.3.5" and "cannot be executed" in deferred["reply"]
    command.write_text("#!/bin/sh\nexit 0\n")
    command.chmod(0o755)
    until(server.queue_is_empty, "the next attempt")


def test_time_is_limited(postroad, folder):
    server = postroad(conf=pipe(f"sleep 300 & echo $! > {folder}/pid; echo half; wait", more='time-limit = "1s"'))
    hand_in(server)
    deferred = until(lambda: [line for line in server.log() if line["event"] == "deferred"], "the time to be over")[0]
    assert deferred["reply"] == "the command took too long: half"
    pid = int((folder / "pid").read_text())
    until(lambda: not pathlib.Path(f"/proc/{pid}").exists() or "Z" in pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2],
          "its children to be gone")


def role_of(server):
    return [int(stat.parent.name) for stat in pathlib.Path("/proc").glob("[0-9]*/stat")
            if stat.read_text().startswith(f"{stat.parent.name} (postroad-pipe) S {server.process.pid} ")]


@pytest.mark.skipif(os.geteuid() != 0, reason="others have no powers to keep")
def test_what_the_role_may_do(postroad):
    server = postroad(conf=pipe("true"))
    [role] = role_of(server)
    status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{role}/status").read_text().splitlines() if ":\t" in line)
    kill, setgid, setuid = (1 << number for number in (5, 6, 7))
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {kill | setgid | setuid}
    assert status["NoNewPrivs"] == "1" and status["Groups"].strip() == ""


def test_the_role_dies_and_comes_again(postroad, folder):
    server = postroad(conf=pipe(f"echo >> {folder}/tries; [ -e {folder}/go ] || sleep 300"))
    hand_in(server)
    until((folder / "tries").exists, "the command to run")
    [role] = role_of(server)
    os.kill(role, signal.SIGKILL)
    (folder / "go").touch()
    until(server.queue_is_empty, "the next attempt")
    assert "nobody runs commands now" in server.told("deferred")[0]["reply"]
    assert role_of(server) != [role]


def test_pipes_come_and_go_by_reload(postroad, folder):
    server = postroad()
    assert role_of(server) == []
    server.write_conf(pipe(f"cat > {folder}/part; mv {folder}/part {folder}/done"))
    server.run("reload")
    until(lambda: server.ask("explain", "tickets@example.org")["destinations"][0]["kind"] == "pipe", "the reload")
    explained = server.ask("explain", "tickets@example.org")["destinations"][0]
    assert explained["pipe"] == "ticket" and 'pipe "ticket"' in explained["rule"]
    hand_in(server)
    until((folder / "done").exists, "the command to run")
    server.write_conf()
    server.run("reload")
    until(lambda: role_of(server) == [], "the role to end")
    until(lambda: server.ask("explain", "tickets@example.org")["destinations"][0]["kind"] == "refused", "the reload of each role")


def test_mistakes(postroad, folder):
    server = postroad(start=False, aliases="")
    command = folder / "command"
    command.write_text("#!/bin/sh\n")

    def said(conf):
        server.write_conf(conf)
        result = server.run("check", check=False)
        assert result.returncode == 1
        return result.stdout + result.stderr

    right = pipe("true")
    assert "anybody but root" in said(right.replace(f'"{USER}"', '"root"'))
    assert "does not exist" in said(right.replace(f'"{USER}"', '"nobody-of-that-name"'))
    assert "the whole path first" in said(right.replace("/bin/sh", "sh"))
    assert "no recipient of ours" in said(pipe("true", to="tickets@far.test"))
    assert "same recipient" in said(right + pipe("true", name="other"))
    assert "not to be executed" in said(pipe(command))
    command.chmod(0o777)
    assert "may change its command" in said(pipe(command))
    (server.home / "aliases").write_text('x: "|/bin/true"\n')
    assert "pipe section" in said(right)
