"""postroad top, on a terminal that is none."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios

import pytest

from conftest import PATIENCE_S, until

STUCK = {"slow.test": "TIMEOUT"}


def send(server, recipient):
    with server.smtp() as client:
        client.sendmail("a@client.test", [recipient], "Subject: hello\r\n\r\nhello\r\n")


@pytest.fixture
def busy(postroad):
    server = postroad(zone=STUCK, retry=("1h",))
    send(server, "alice@example.org")
    send(server, "eve@slow.test")
    until(lambda: [one["attempts"] for message in server.queue() for one in message["recipients"]] == [1], "the first attempt")
    return server


class Terminal:
    def __init__(self, server, *words, rows=24, columns=80):
        self.main, self.side = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.side)
        self.seen = ""
        self.process = subprocess.Popen([server.program, "top", "-c", str(server.conf), *words], stdin=self.side, stdout=self.side,
                                        stderr=self.side, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, rows, columns):
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, key):
        os.write(self.main, key)

    def read(self):
        while select.select([self.main], [], [], 0)[0]:
            self.seen += os.read(self.main, 65536).decode()
        return self.seen

    def pictures(self):
        """Each from its top left corner to where the rest is cleared, without attributes."""
        return [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", picture).split("\r\n") for picture in re.findall(r"\x1b\[H(.*?)\x1b\[J", self.read(), re.S)]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.main)
        os.close(self.side)


@pytest.fixture
def terminal():
    made = []

    def make(*words, **settings):
        made.append(Terminal(*words, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_one_picture_for_whoever_has_no_terminal(busy):
    told = busy.run("top", "--once").stdout
    assert told == busy.run("top").stdout or "\x1b" not in told
    lines = told.splitlines()
    assert lines[0].startswith("postroad ") and re.search(r"^in .* 2$", told, re.M) and re.search(r"^to mailboxes here .* 1$", told, re.M)
    [slow] = [line for line in lines if "slow.test" in line]
    assert slow.split()[0] == "1" and "4.4.3" in slow


def test_programs_get_one_frame_and_no_more(busy):
    told = busy.ask("top")
    assert told["rates"]["in"]["all"] == 2 and told["rates"]["in"]["a_second"] > 0 and told["rates"]["in"]["a_second_now"] is None
    assert told["rates"]["here"]["all"] == 1 and told["times"]["time-to-250"]["half_below_ms"] > 0
    [slow] = told["destinations"]
    assert (slow["domain"], slow["recipients"]) == ("slow.test", 1) and "4.4.3" in slow["last"] and told["complete"]
    assert told["spool"]["messages"] == 1 and sum(lane["in"] for lane in told["lanes"]) == 2
    # An interval is waited for once, and its rates are told.
    assert busy.ask("top", "--interval", "200ms")["rates"]["in"]["a_second_now"] == 0


def test_the_terminal_shows_what_happens_and_is_given_back(busy, terminal):
    screen = terminal(busy, "--interval", "200ms", rows=20, columns=70)
    until(screen.pictures, "the first picture")
    assert any("slow.test" in line for line in screen.pictures()[0])
    send(busy, "bob@example.org")
    until(lambda: any(re.match(r"to mailboxes here .* 2$", line) for line in screen.pictures()[-1]), "the new message to be shown")
    assert all(len(picture) <= 20 and max(map(len, picture)) <= 70 for picture in screen.pictures())

    screen.resize(8, 40)
    until(lambda: len(screen.pictures()[-1]) <= 8 and max(map(len, screen.pictures()[-1])) <= 40, "the picture to fit")
    assert termios.tcgetattr(screen.side)[3] & termios.ICANON == 0
    screen.press(b"q")
    assert screen.process.wait(PATIENCE_S) == 0
    assert screen.read().endswith("\x1b[?7h\x1b[?25h\x1b[?1049l")
    assert termios.tcgetattr(screen.side) == screen.before


def test_a_signal_gives_the_terminal_back(busy, terminal):
    screen = terminal(busy, "--interval", "1h")
    until(screen.pictures, "the first picture")
    screen.press(b" ")
    until(lambda: len(screen.pictures()) == 2, "another picture at once")
    screen.process.terminate()
    assert screen.process.wait(PATIENCE_S) == 0
    assert screen.read().endswith("\x1b[?7h\x1b[?25h\x1b[?1049l") and termios.tcgetattr(screen.side) == screen.before


def test_a_server_that_goes_is_told(busy, terminal):
    screen = terminal(busy, "--interval", "200ms")
    until(screen.pictures, "the first picture")
    busy.stop()
    until(lambda: "does not answer" in screen.pictures()[-1][1], "it to be seen")
    busy.start()
    until(lambda: "does not answer" not in "".join(screen.pictures()[-1]), "the server to be there again")
    screen.press(b"q")
    assert screen.process.wait(PATIENCE_S) == 0


def test_what_is_wrong_is_said(busy):
    for words, part in ((("--interval", "x"), "interval"), (("--interval", "1ms"), "interval"), (("what",), "usage")):
        result = busy.run("top", *words, check=False)
        assert result.returncode == 64 and part in result.stderr
    busy.stop()
    result = busy.run("top", check=False)
    assert result.returncode == 69 and "is it running" in result.stderr
