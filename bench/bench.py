#!/usr/bin/python3
"""CPU microseconds per message, postroad and Postfix beside each other in one run.

usage: bench.py [--messages N] [--sessions N] [--repeat N] [--only postroad|postfix]

Scenarios, 4 KiB messages on loopback, TLS off, everything durable:
  accept    taken in and kept in the queue (postroad: retried in an hour; Postfix: on hold)
  relay     taken in and sent on to smtp-sink
  mailbox   taken in and written to a Maildir

CPU is user and system time of all processes of the server, summed from /proc, so that it includes what
is put off until after the last 250. Compare CPU before rates: the rate moves with whatever else the
machine and its disk are doing.
"""
import argparse
import json
import os
import pathlib
import pwd
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import servers  # noqa: E402
from servers import free_port, greets  # noqa: E402

TICK_US = 1000000 // os.sysconf("SC_CLK_TCK")
PATIENCE_S = 180
os.environ["PATH"] += ":/usr/sbin:/usr/lib/postfix/sbin"


def until(condition, what):
    servers.until(condition, what, PATIENCE_S)


def family(root):
    """The process and all its living descendants."""
    parents = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = entry.read_text().rsplit(") ", 1)[1].split()
            parents.setdefault(int(stat[1]), []).append(int(entry.parent.name))
        except (OSError, IndexError):
            pass
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += parents.get(pid, [])
    return found


def cpu_us(root):
    """User and system time of a process tree, reaped children included."""
    total = 0
    for pid in family(root):
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
            total += sum(int(ticks) for ticks in stat[11:15]) * TICK_US
        except OSError:
            pass
    return total


class Postroad(servers.Server):
    name = "postroad"

    def __init__(self, home, scenario, sink):
        super().__init__(home, "127.0.0.1", free_port())
        (home / "zone.json").write_text('{"sink.invalid": {"A": ["127.0.0.1"]}}')
        (home / "postroad.conf").write_text(f"""\
hostname = "mail.bench.invalid"
domains = {{"box.invalid"}}
listen "127.0.0.1:{self.port}" {{ role = mx }}
users = "users"
mailbox {{ path = "mail/%d/%u" }}
relay-from = {{"127.0.0.1"}}
dns {{ zone = "zone.json" }}
outbound {{ port = {sink} }}
queue {{ retry = {{"1h"}} }}
spool {{ path = "spool" }}
control = "control.sock"
log {{ to = "log" }}
run-as = ""
""")
        self.write_users(["dst"])
        self.recipient = "dst@box.invalid" if scenario == "mailbox" else "dst@sink.invalid"
        self.start()
        self.root = self.process.pid

    def spool(self):
        return json.loads(self.run("stats", "--json").stdout)["spool"]

    def queued(self):
        return self.spool()["messages"]

    def flushes(self):
        return self.spool()["commits"]

    def delivered(self):
        return sum(1 for _ in (self.home / "mail/box.invalid/dst/new").glob("*"))


class Postfix:
    name = "postfix"
    flushes = None

    def __init__(self, home, scenario, sink):
        self.port, self.home = free_port(), home
        etc = home / "etc"
        for folder in (etc, home / "spool", home / "data", home / "mail"):
            folder.mkdir(parents=True)
        owner = pwd.getpwnam("postfix")
        nobody = pwd.getpwnam("nobody")
        os.chown(home / "data", owner.pw_uid, owner.pw_gid)
        os.chown(home / "mail", nobody.pw_uid, nobody.pw_gid)
        (etc / "main.cf").write_text("\n".join([
            "compatibility_level = 3.6", f"queue_directory = {home}/spool", f"data_directory = {home}/data",
            "command_directory = /usr/sbin", "daemon_directory = /usr/lib/postfix/sbin", "mail_owner = postfix",
            "setgid_group = postdrop", "myhostname = postfix.invalid", "inet_interfaces = 127.0.0.1",
            "inet_protocols = ipv4", "mynetworks = 127.0.0.0/8", "mydestination =", "local_recipient_maps =",
            "alias_maps =", "alias_database =", "smtpd_peername_lookup = no", "disable_dns_lookups = yes",
            "smtp_host_lookup = native", "smtp_tls_security_level = none", "smtpd_tls_security_level = none",
            "smtpd_relay_restrictions = permit_mynetworks, reject", "default_process_limit = 120", "in_flow_delay = 0",
            "initial_destination_concurrency = 50", "default_destination_concurrency_limit = 100",
            "virtual_mailbox_domains = box.invalid", f"virtual_mailbox_base = {home}/mail",
            "virtual_mailbox_maps = static:dst/", f"virtual_uid_maps = static:{nobody.pw_uid}",
            f"virtual_gid_maps = static:{nobody.pw_gid}", "virtual_minimum_uid = 1",
            "smtpd_client_restrictions = static:HOLD" if scenario == "accept" else f"relayhost = [127.0.0.1]:{sink}",
            ""]))
        services = [("pickup", 60, 1), ("cleanup", "-", 0), ("qmgr", 300, 1), ("rewrite", "-", "-"), ("bounce", "-", 0),
                    ("defer", "-", 0), ("trace", "-", 0), ("verify", "-", 1), ("flush", "-", 0), ("proxymap", "-", "-"),
                    ("smtp", "-", "-"), ("showq", "-", "-"), ("error", "-", "-"), ("retry", "-", "-"),
                    ("virtual", "-", "-"), ("anvil", "-", 1), ("scache", "-", 1)]
        programs = {"rewrite": "trivial-rewrite", "defer": "bounce", "trace": "bounce", "retry": "error"}
        unprivileged = {"virtual": "n"}
        public = {"cleanup", "pickup", "qmgr", "showq", "flush"}
        (etc / "master.cf").write_text(f"127.0.0.1:{self.port} inet n - n - - smtpd\n" + "".join(
            f"{name} unix {'n' if name in public else '-'} {unprivileged.get(name, '-')} n {wake} {most} "
            f"{programs.get(name, name)}\n"
            for name, wake, most in services))
        self.recipient = "dst@box.invalid" if scenario == "mailbox" else "dst@sink.invalid"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["postfix", "-c", str(etc), "set-permissions"], **quiet)
        subprocess.run(["postfix", "-c", str(etc), "start"], check=True, **quiet)
        until(lambda: greets("127.0.0.1", self.port), "postfix to listen")
        self.root = int((home / "spool/pid/master.pid").read_text())

    def queued(self):
        return sum(1 for queue in ("incoming", "active", "deferred", "hold")
                   for path in (self.home / "spool" / queue).rglob("*") if path.is_file())

    def delivered(self):
        return sum(1 for _ in (self.home / "mail/dst/new").glob("*"))

    def stop(self):
        subprocess.run(["postfix", "-c", str(self.home / "etc"), "stop"], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)


def offer(server, messages, sessions):
    subprocess.run(["smtp-source", "-d", "-s", str(sessions), "-m", str(messages), "-l", "4096", "-f",
                    "src@client.invalid", "-t", server.recipient, f"inet:127.0.0.1:{server.port}"], check=True)


def measure(kind, scenario, messages, sessions):
    """One server, warmed up, then loaded: its figures as a dict."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="postroad-bench-", dir="/var/tmp"))
    os.chmod(home, 0o755)
    sink_port = free_port()
    sink = None
    if scenario == "relay":
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        sink = subprocess.Popen(["smtp-sink", *user, f"127.0.0.1:{sink_port}", "1000"], stderr=subprocess.DEVNULL)
        until(lambda: greets("127.0.0.1", sink_port), "smtp-sink to listen")
    server = kind(home / kind.name, scenario, sink_port)

    def settled(expected):
        if scenario == "accept":
            return server.queued() >= expected
        return server.queued() == 0 and (scenario != "mailbox" or server.delivered() >= expected)

    try:
        warm = max(100, messages // 10)
        offer(server, warm, sessions)
        until(lambda: settled(warm), f"{kind.name} to settle")
        before, flushes = cpu_us(server.root), server.flushes() if server.flushes else 0
        started = time.monotonic()
        offer(server, messages, sessions)
        accepted_s = time.monotonic() - started
        until(lambda: settled(warm + messages), f"{kind.name} to settle")
        settled_s = time.monotonic() - started
        result = {"server": kind.name, "scenario": scenario, "messages": messages, "sessions": sessions,
                  "cpu_us": round((cpu_us(server.root) - before) / messages, 1),
                  "accepted_per_s": round(messages / accepted_s), "settled_per_s": round(messages / settled_s)}
        if server.flushes:
            result["flushes_per_message"] = round((server.flushes() - flushes) / messages, 3)
        return result
    finally:
        server.stop()
        if sink:
            sink.terminate()
            sink.wait()
        shutil.rmtree(home, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description="CPU per message, beside Postfix")
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", choices=["postroad", "postfix"])
    words = parser.parse_args()
    kinds = [kind for kind in (Postroad, Postfix) if words.only in (None, kind.name)]
    if Postfix in kinds and os.geteuid() != 0:
        sys.exit("bench: Postfix needs root to start; use --only postroad")
    results = []
    print(f"{'scenario':9} {'server':9} {'CPU us/message':>15} {'accepted/s':>11} {'settled/s':>10} {'flushes/msg':>12}")
    for scenario in ("accept", "relay", "mailbox"):
        medians = {}
        for kind in kinds:
            runs = [measure(kind, scenario, words.messages, words.sessions) for _ in range(words.repeat)]
            best = sorted(runs, key=lambda run: run["cpu_us"])[len(runs) // 2]
            medians[kind.name] = statistics.median(run["cpu_us"] for run in runs)
            results += runs
            print(f"{scenario:9} {kind.name:9} {best['cpu_us']:15.1f} {best['accepted_per_s']:11} "
                  f"{best['settled_per_s']:10} {best.get('flushes_per_message', ''):>12}", flush=True)
        if len(medians) == 2 and medians["postroad"] > 0:
            print(f"{'':9} Postfix takes {medians['postfix'] / medians['postroad']:.1f} times the CPU")
    (servers.ROOT / "bench" / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print("medians of", words.repeat, "runs; every run is in bench/results.json")


if __name__ == "__main__":
    main()
