"""What the story, the tests and the benchmark share: waiting for facts, and a postroad to run.

Nothing here sleeps for a guessed time: `until` waits for a fact, and fails when it does not come true.
"""
import errno
import itertools
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("POSTROAD", str(ROOT / "build" / "postroad"))
PATIENCE_S = 40


class Trouble(Exception):
    """Something that was to happen did not."""


def until(condition, what, patience_s=PATIENCE_S):
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.03)
    raise Trouble(f"waited {patience_s} s in vain for {what}")


def own_ports():
    """Below those that the kernel gives to connections, so that none is taken between its choice and its use; tests
    that run side by side each have a range of their own."""
    first = 10000 + 2500 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 9)
    start = random.randrange(2500)
    return itertools.cycle([first + (start + step) % 2500 for step in range(2500)])


PORTS = own_ports()


def free_port(address="127.0.0.1"):
    """Nobody listens there on any address of the family; fails where this machine has no such address."""
    family, every = (socket.AF_INET6, "::") if ":" in address else (socket.AF_INET, "0.0.0.0")
    with socket.socket(family) as probe:
        probe.bind((address, 0))
    for port in itertools.islice(PORTS, 2500):
        with socket.socket(family) as probe:
            try:
                probe.bind((every, port))
                return port
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
    raise Trouble("every port is taken")


def greets(address, port):
    try:
        with socket.create_connection((address, port), 2) as s:
            return s.recv(3) == b"220"
    except OSError:
        return False


class Server:
    """One postroad with a folder of its own: its configuration file is `conf`, its stderr goes to the file beside it."""

    def __init__(self, home, address, port):
        self.home, self.address, self.port = pathlib.Path(home), address, port
        self.home.mkdir(parents=True, exist_ok=True)
        self.conf = self.home / "postroad.conf"
        self.process = None
        self.program, self.environment = PROGRAM, {}

    def write_users(self, users):
        (self.home / "users").write_text("".join(f"{user}:{{PLAIN}}unused\n" for user in users))

    def start(self):
        environment = {**os.environ, **self.environment}
        # Leaks matter in what goes on running; to look for them takes a command longer than what it does.
        environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=1"
        with open(self.home / "stderr", "ab") as stderr:
            self.process = subprocess.Popen([self.program, "serve", "-c", str(self.conf)], stderr=stderr,
                                            start_new_session=True, env=environment)
        until(self.listens, f"{self.conf} to listen")
        return self

    def said(self):
        return (self.home / "stderr").read_text()

    def listens(self):
        if self.process.poll() is not None:
            raise Trouble(f"{self.conf}: ended with {self.process.returncode}: {self.said()}")
        return greets(self.address, self.port)

    def stop(self):
        """In order; by force when that takes too long. Gives the exit code, None if it did not run."""
        process, self.process = self.process, None
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait()

    def run(self, *words, text=None, check=True):
        result = subprocess.run([self.program, words[0], "-c", str(self.conf), *words[1:]], input=text,
                                capture_output=True, text=not isinstance(text, bytes), timeout=PATIENCE_S)
        if check and result.returncode != 0:
            raise Trouble(f"postroad {' '.join(words)}: exit code {result.returncode}: {result.stdout}{result.stderr}")
        return result
