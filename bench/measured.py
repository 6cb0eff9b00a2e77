"""The servers that are measured, each behind the same few words, and what /proc tells of them."""
import json
import os
import pathlib
import pwd
import resource
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import servers  # noqa: E402
from servers import ROOT, free_port, greets  # noqa: E402

TICK_US = 1000000 // os.sysconf("SC_CLK_TCK")
PATIENCE_S = 180
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
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
    """Processor time of a process tree: its living threads to the nanosecond, reaped children by the tick."""
    total = 0.0
    for pid in family(root):
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
            total += sum(int(ticks) for ticks in stat[13:15]) * TICK_US
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
                total += int(task.read_text().split()[0]) / 1000
        except OSError:
            pass
    return total


def memory_kib(root):
    """Of a process tree: what is its own (anonymous), and all that is mapped and present, the spool's pages, too."""
    total = {"Pss_Anon": 0, "Pss": 0}
    for pid in family(root):
        try:
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
                name, value = line.split()[:2]
                if name.rstrip(":") in total:
                    total[name.rstrip(":")] += int(value)
        except OSError:
            pass
    return total["Pss_Anon"], total["Pss"]


def allow_descriptors(count):
    """For us and the servers we start. Raising the hard limit takes root."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(count, hard)))


class Postroad(servers.Server):
    name = "postroad"

    def __init__(self, home, scenario, sink, connections=20000, relay_from='"127.0.0.0/8"', limits='idle = "1h" dialogue = "24h"'):
        super().__init__(home, "127.0.0.1", free_port())
        (home / "zone.json").write_text('{"sink.invalid": {"A": ["127.0.0.1"]}}')
        (home / "postroad.conf").write_text(f"""\
hostname = "mail.bench.invalid"
domains = {{"box.invalid"}}
listen "127.0.0.1:{self.port}" {{ role = mx }}
users = "users"
mailbox {{ path = "mail/%d/%u" }}
relay-from = {{{relay_from}}}
dns {{ zone = "zone.json" }}
outbound {{ port = {sink} }}
queue {{ retry = {{"1h"}} }}
limits {{ connections = {connections} {limits} }}
spool {{ path = "spool" }}
control = "control.sock"
log {{ to = "log" }}
run-as = ""
""")
        self.write_users(["dst"])
        self.recipient = "dst@box.invalid" if scenario == "mailbox" else "dst@sink.invalid"
        started = time.monotonic()
        self.start()
        self.ready_s = time.monotonic() - started
        self.root = self.process.pid

    def spool(self):
        return json.loads(self.run("stats", "--json").stdout)["spool"]

    def queued(self):
        return self.spool()["messages"]

    def delivered(self):
        return sum(1 for _ in (self.home / "mail/box.invalid/dst/new").glob("*"))


class Postfix:
    name = "postfix"

    def __init__(self, home, scenario, sink, connections=120):
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
            "smtpd_relay_restrictions = permit_mynetworks, reject", f"default_process_limit = {connections}", "in_flow_delay = 0",
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
        subprocess.run(["postfix", "-c", str(etc), "set-permissions"], **QUIET)
        subprocess.run(["postfix", "-c", str(etc), "start"], check=True, **QUIET)
        until(lambda: greets("127.0.0.1", self.port), "postfix to listen")
        self.root = int((home / "spool/pid/master.pid").read_text())

    def queued(self):
        return sum(1 for queue in ("incoming", "active", "deferred", "hold")
                   for path in (self.home / "spool" / queue).rglob("*") if path.is_file())

    def delivered(self):
        return sum(1 for _ in (self.home / "mail/dst/new").glob("*"))

    def stop(self):
        subprocess.run(["postfix", "-c", str(self.home / "etc"), "stop"], **QUIET)


class Sink:
    """smtp-sink: takes mail and stores nothing."""
    name = "smtp-sink"

    def __init__(self, _home, _scenario, _sink, connections=1000):
        self.port, self.recipient = free_port(), "dst@sink.invalid"
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen(["smtp-sink", *user, f"127.0.0.1:{self.port}", str(connections)], **QUIET)
        self.root = self.process.pid
        until(lambda: greets("127.0.0.1", self.port), "smtp-sink to listen")

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
