"""A deep queue: what it costs to hold, to start with, to look at, and to pass by."""
import json
import shutil
import subprocess
import time

from flow import load_server, new_home, running
from measured import ROOT, Postroad, memory_kib

FILLER = str(ROOT / "build" / "src" / "spool" / "spool_fill")
BODY_BYTES = 1000  # Of those that wait; a million then take 2 GB of disk.


def fill(home, depth):
    spool = home / Postroad.name / "spool"
    spool.parent.mkdir()
    started = time.monotonic()
    subprocess.run([FILLER, str(spool), str(depth), str(BODY_BYTES)], check=True)
    return time.monotonic() - started


def first_page_ms(server):
    """The time a person waits for `queue list`, the CLI's own start included; the best of five."""
    took = []
    for _ in range(5):
        started = time.monotonic()
        page = json.loads(server.run("queue", "list", "--limit", "100", "--json").stdout)
        took.append((time.monotonic() - started) * 1000)
        assert len(page) == 100
    return round(min(took), 1)


def measure_deep(depth, load):
    """Two servers on the same spool one after the other: one relays what comes, one keeps it."""
    home = new_home()
    result = {"server": Postroad.name, "scenario": "deep", "depth": depth, "fill_s": round(fill(home, depth), 1)}
    with running(Postroad, "relay", home) as server:
        result["ready_ms"] = round(server.ready_s * 1000)
        result["list_ms"] = first_page_ms(server)
        assert server.queued() == depth
        relay = load_server(server, "relay", load, depth)
        own, _ = memory_kib(server.root)
    with running(Postroad, "accept", home) as server:
        accept = load_server(server, "accept", load, depth)
        own_later, mapped = memory_kib(server.root)
    shutil.rmtree(home, ignore_errors=True)
    return result | {"relay_cpu_us": relay["cpu_us"], "accept_cpu_us": accept["cpu_us"],
                     "own_mib": round(max(own, own_later) / 1024, 1), "mapped_mib": round(mapped / 1024, 1),
                     "flushes_per_message": relay["flushes_per_message"]}
