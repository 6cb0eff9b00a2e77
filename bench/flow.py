"""Mail under load: taken in and kept, relayed, delivered into a mailbox."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from measured import Sink, cpu_us, until

homes = []  # Removed at the end: ext4 searches long for inodes where many were freed a moment ago.


@contextlib.contextmanager
def running(kind, scenario, home=None, **settings):
    """A server, and where it sends to: smtp-sink, or for `accept` nobody, so that all is kept."""
    home = home or new_home()
    sink = Sink(home, "accept", 0) if scenario == "relay" else None
    server = None
    try:
        server = kind(home / kind.name, scenario, sink.port if sink else 9, **settings)
        yield server
    finally:
        for process in (server, sink):
            if process:
                process.stop()


def new_home():
    home = pathlib.Path(tempfile.mkdtemp(prefix="postroad-bench-", dir="/var/tmp"))
    os.chmod(home, 0o755)
    homes.append(home)
    return home


def remove_homes():
    while homes:
        shutil.rmtree(homes.pop(), ignore_errors=True)


def offer(server, load):
    command = ["smtp-source", "-s", str(load["sessions"]), "-m", str(load["messages"]), "-l", str(load["bytes"]),
               "-f", "src@client.invalid", "-t", server.recipient, f"inet:127.0.0.1:{server.port}"]
    if not load["reconnect"]:
        command.insert(1, "-d")
    subprocess.run(command, check=True)


def settled(server, scenario, kept, delivered):
    if isinstance(server, Sink):
        return True
    if scenario == "accept":
        return server.queued() >= kept
    return server.queued() == kept and (scenario != "mailbox" or server.delivered() >= delivered)


def load_server(server, scenario, load, depth=0):
    """Warm it up, then load it: its figures. `depth`: messages that are queued before and stay."""
    warm = {**load, "messages": max(load["sessions"], load["messages"] // 10)}
    kept = [depth, depth]
    if scenario == "accept":
        kept = [depth + warm["messages"], depth + warm["messages"] + load["messages"]]
    offer(server, warm)
    until(lambda: settled(server, scenario, kept[0], warm["messages"]), f"{server.name} to settle")
    before = server.spool() if hasattr(server, "spool") else {}
    cpu, started = cpu_us(server.root), time.monotonic()
    offer(server, load)
    accepted_s = time.monotonic() - started
    until(lambda: settled(server, scenario, kept[1], warm["messages"] + load["messages"]), f"{server.name} to settle")
    settled_s = time.monotonic() - started
    result = {"server": server.name, "scenario": scenario, **load,
              "cpu_us": round((cpu_us(server.root) - cpu) / load["messages"], 1),
              "accepted_per_s": round(load["messages"] / accepted_s),
              "settled_per_s": round(load["messages"] / settled_s)}
    if before:
        after = server.spool()
        result["flushes_per_message"] = round((after["commits"] - before["commits"]) / load["messages"], 3)
        result["changes_per_flush"] = round(
            (after["changes"] - before["changes"]) / max(1, after["commits"] - before["commits"]), 1)
    return result


def measure(kind, scenario, load):
    with running(kind, scenario) as server:
        return load_server(server, scenario, load)
