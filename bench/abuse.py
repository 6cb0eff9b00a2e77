"""Mail of one good client, without and with a crowd of bad ones: how long a message takes from MAIL to 250."""
import json
import smtplib
import statistics
import subprocess
import sys
import time

from flow import running
from measured import ROOT, allow_descriptors, cpu_us, memory_kib, until


def latencies_ms(port, messages):
    taken = []
    with smtplib.SMTP("127.0.0.1", port, "good.invalid", 60) as client:
        client.ehlo()
        for _ in range(messages):
            started = time.monotonic()
            client.sendmail("a@good.invalid", ["dst@sink.invalid"], "Subject: x\r\n\r\n" + ("y" * 70 + "\r\n") * 55)
            taken.append((time.monotonic() - started) * 1000)
    return taken


def counters(server):
    return json.loads(server.run("stats", "--json").stdout)["counters"]


def measure_abuse(kind, crowd_size, messages):
    allow_descriptors(2 * crowd_size + 1000)
    # The crowd is not trusted; the one good client is.
    with running(kind, "accept", connections=2 * crowd_size + 1000, relay_from='"127.0.0.1"',
                 limits='idle = "10s" line = "5s" handshake = "5s"') as server:
        alone = latencies_ms(server.port, messages)
        own, _ = memory_kib(server.root)
        crowd = subprocess.Popen([sys.executable, ROOT / "tools" / "crowd.py", str(server.port), str(crowd_size)],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            until(lambda: counters(server)["connections"] > 1.5 * crowd_size, "the crowd to come and come again")
            before, cpu, started = counters(server), cpu_us(server.root), time.monotonic()
            beside = latencies_ms(server.port, messages)
            seconds, after = time.monotonic() - started, counters(server)
            busy = (cpu_us(server.root) - cpu) / 1e6 / seconds
            own_after, _ = memory_kib(server.root)
            crowd.communicate("", 60)
        finally:
            crowd.kill()
    return {"server": kind.name, "scenario": "abuse", "crowd": crowd_size, "messages": messages,
            "alone_ms": round(statistics.median(alone), 2), "beside_ms": round(statistics.median(beside), 2),
            "beside_worst_ms": round(max(beside), 1), "connections_per_s": round((after["connections"] - before["connections"]) / seconds),
            "limited": after["limited"], "timed_out": after["timed-out"], "processors": round(busy, 2),
            "own_mib_more": round((own_after - own) / 1024, 1)}
