"""The command line as somebody meets it who does not know it."""
import json
import re
import subprocess
import sys

import pytest

from conftest import PATIENCE_S, PROGRAM, servers

COMPLETION = servers.ROOT / "tools" / "make_completion.py"


def run(*words, env=None):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL,
                          env={"PATH": "/usr/bin:/bin", "POSTROAD_CONFIG": "/nowhere/postroad.conf", **(env or {})})


def commands():
    rows = re.findall(r"^  ([a-z]\S*(?: [^ ]+)*?)(?:  |$)", run("help").stdout, re.M)
    return sorted({part.split()[0] for row in rows for part in row.split(", ")})


def test_every_command_says_how_it_is_called_without_a_configuration():
    assert {"queue", "top", "tail", "check", "reload", "upgrade", "stop", "help", "version"} <= set(commands())
    for command in commands():
        asked = run("help", command)
        assert asked.returncode == 0 and asked.stdout.startswith("usage: ") and asked.stderr == "", command
        if command not in ("help", "version"):
            assert run(command, "--help").stdout == asked.stdout
        assert max(map(len, asked.stdout.splitlines())) <= 130
    assert run("queue", "list", "--help").stdout == run("help", "queue").stdout
    assert run("-h").stdout == run("--help").stdout == run("help").stdout
    assert max(map(len, run("help").stdout.splitlines())) <= 110


def test_a_command_that_there_is_not():
    for words in (("qeue",), ("help", "qeue"), ("qeue", "--help")):
        asked = run(*words)
        assert asked.returncode == 64 and asked.stdout == ""
        assert asked.stderr == "postroad: no such command: qeue; is it queue (hint: postroad help)\n"
    assert "is it" not in run("frobnicate").stderr
    assert run().returncode == 64 and run().stderr == run("help").stdout


@pytest.fixture
def stopped(postroad):
    return postroad(start=False)


WRONG = [("serve", "x"), ("check", "x"), ("check", "--colour"), ("queue", "nonsense"), ("queue", "list", "--colour"), ("queue", "show"), ("queue", "retry"),
         ("queue", "pause", "x"), ("trace",), ("trace", "a", "b"), ("explain",), ("explain", "--colour", "x"), ("stats", "x"), ("webhooks", "x"), ("webhooks", "--colour"), ("reload", "x"),
         ("upgrade", "--colour"), ("stop", "x"), ("user",), ("user", "list", "x"), ("dkim",), ("dkim", "nonsense"), ("sign",),
         ("verify", "spf"), ("verify", "--colour"), ("quickstart",), ("doctor", "x"), ("reports", "--colour"), ("top", "x"), ("tail", "--colour")]


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_words_are_told_and_nothing_is_done(stopped, words):
    said = stopped.run(*words, check=False)
    assert said.returncode == 64 and said.stdout == ""
    assert 1 <= len(said.stderr.splitlines()) <= 10 and said.stderr.startswith(("postroad: ", "usage: "))


def test_no_server(stopped):
    for words in (("explain", "a@b.test"), ("stats",), ("webhooks",), ("reload",), ("upgrade",), ("stop",), ("queue", "retry", "all"), ("top",), ("tail",), ("reports", "send")):
        said = stopped.run(*words, check=False)
        assert said.returncode == 69 and said.stdout == "", words
        assert said.stderr == f"postroad: no server at {stopped.home}/control.sock: not found (is it running?)\n"


def test_a_check_for_programs(stopped):
    told = stopped.ask("check")
    assert told == {"right": True, "file": str(stopped.conf), "complaints": []}
    stopped.conf.write_text("hostname = \"x\"\nfrobnicate = 1\n")
    wrong = stopped.run("check", "--json", check=False)
    told = json.loads(wrong.stdout)
    assert wrong.returncode == 1 and wrong.stderr == "" and told["right"] is False
    assert any("frobnicate" in line for line in told["complaints"])


def test_pauses_for_programs(postroad):
    server = postroad()
    assert server.ask("queue", "pause", "--domain", "slow.test") == {"ok": True}
    assert server.ask("queue", "pauses")[0]["subject"] == "slow.test"
    assert "messages" in server.ask("queue", "resume", "--domain", "slow.test")


def script(shell):
    return subprocess.run([sys.executable, COMPLETION, PROGRAM, shell], capture_output=True, text=True, check=True).stdout


def test_the_shell_completes_commands_and_their_options():
    told = script("bash")

    def complete(*words):
        """What bash offers for the last word."""
        listed = " ".join(f"'{word}'" for word in words)
        ask = f"COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; _postroad; printf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
        return subprocess.run(["bash", "-c", told + ask], capture_output=True, text=True, check=True, cwd="/").stdout.split()

    assert set(complete("postroad", "t")) == {"top", "tail", "trace"}
    assert "retry" in complete("postroad", "queue", "re")
    assert complete("postroad", "tail", "--ev") == ["--event"]
    assert complete("postroad", "check", "--re") == ["--replay"]
    assert sorted(complete("postroad", "top", "--")) == ["--interval", "--json", "--once"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_know_them_too(shell):
    told = script(shell)
    assert "tail" in told and "against" in told
