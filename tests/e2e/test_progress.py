"""Commands that take long say on a terminal how far they are, and nothing where there is none."""
import json
import os
import pty
import re
import socket
import subprocess
import threading
import time

import conftest
import pytest

BAR = re.compile(rb"\r( *\d+) %  \[=* *\]  (\d+) of 1000000 messages(, \d+ s left)?\x1b\[K")
IDS = [f"0sbmk23gg{number:04d}" for number in range(1000)]
SILENT_S = 1  # So long nothing is shown; src/ctl/progress.c


class Slow:
    """In place of a server: it has another page, and another one, until it has been enough."""

    def __init__(self, path):
        self.enough, self.first, self.pages = threading.Event(), None, 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                connection, _ = self.listener.accept()
                with connection, connection.makefile("rwb") as lines:
                    for line in lines:
                        lines.write(json.dumps(self.answer(json.loads(line))).encode() + b"\n")
                        lines.flush()
        except OSError:
            return

    def answer(self, request):
        if request["do"] == "stats":
            return {"ok": True, "spool": {"messages": 1000000}}
        if request["do"] == "replay list":
            return {"ok": True, "waiting": IDS, "history": [], "more_waiting": False}
        self.first = self.first or time.monotonic()
        self.pages += 1
        if request["do"] == "replay":  # So slow that the first of the messages takes until the bar is there.
            self.enough.wait(conftest.PATIENCE_S)
            return {"ok": True, "cases": [], "done": len(request["ids"])}
        return {"ok": True, "messages": 1000, "recipients": 1000, "next": None if self.enough.is_set() else IDS[0]}


@pytest.fixture
def slow(postroad):
    server = postroad(start=False)
    server.slow = Slow(server.home / "control.sock")
    yield server
    server.slow.listener.close()


def run(server, *words, stderr):
    return subprocess.Popen([conftest.PROGRAM, words[0], "-c", server.conf, *words[1:]], stdout=subprocess.PIPE, stderr=stderr)


def test_a_terminal_shows_the_bar_and_takes_it_away(slow):
    ours, its = pty.openpty()
    with run(slow, "queue", "retry", "all", stderr=its) as command:
        os.close(its)
        shown = b""
        while piece := read(ours):
            shown += piece
            if BAR.search(shown):
                slow.slow.enough.set()
        said = command.stdout.read()
    os.close(ours)
    assert command.returncode == 0
    bars = [int(found.group(2)) for found in BAR.finditer(shown)]
    assert bars and bars == sorted(bars) and bars[0] > 0
    assert shown.endswith(b"\r\x1b[K") and BAR.sub(b"", shown) == b"\r\x1b[K", shown
    assert said == b"retry: %d messages, %d recipients\n" % (1000 * slow.slow.pages, 1000 * slow.slow.pages)


def read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # Nobody has its other end any more.
        return b""


@pytest.mark.parametrize("words", [("queue", "retry", "all"), ("check", "--replay")], ids=lambda words: words[0])
def test_without_a_terminal_there_is_none(slow, words):
    with run(slow, *words, stderr=subprocess.PIPE) as command:
        conftest.until(lambda: slow.slow.first and time.monotonic() > slow.slow.first + 1.3 * SILENT_S, "a bar to be due")
        slow.slow.enough.set()
        assert command.stdout.read() != b"" and command.stderr.read() == b""
    assert command.returncode == 0


def test_a_replay_shows_it_too(slow):
    ours, its = pty.openpty()
    with run(slow, "check", "--replay", stderr=its) as command:
        os.close(its)
        conftest.until(lambda: slow.slow.first and time.monotonic() > slow.slow.first + 1.3 * SILENT_S, "a bar to be due")
        slow.slow.enough.set()
        shown = b""
        while piece := read(ours):
            shown += piece
    os.close(ours)
    assert command.returncode == 0
    assert re.match(rb"\r *10 %  \[== {18}\]  100 of 1000 messages, \d+ s left\x1b\[K", shown) and shown.endswith(b"\r\x1b[K"), shown
