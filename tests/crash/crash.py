#!/usr/bin/python3
"""Power cuts: a server works, its disk is recorded, and what a cut would leave is judged, thousands of times.

usage: crash.py [--cuts N] [--seed N] [--messages N] [--reboots N] [--no-mutants] [--build FOLDER] [--junit FILE]

    recorded   a server under load, every write and flush of its disk in order (tests/disk)
    cuts       what the disk may hold after a cut is rebuilt and judged by the spool's own code (judge.h: J1 to J5)
    reboots    some of them are given to the real program, which must deliver all that was acknowledged
    kills      the server is killed at chosen calls and started again: who gets a message twice is named in the log
    mutants    the promise is broken on purpose, and found

The seed decides the cuts; a cut is made again by `cuts LOG WORK --seed N --rebuild POINT VARIANT FOLDER`. What failed is kept.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml

import mutants
import workload
from workload import ROOT, conftest, disks, servers

STATES = ("waiting", "held", "in_doubt", "delivered", "taken", "reported", "expanded", "deleted")  # docs/SPOOL.md

results = []  # (name, complaint or None, seconds)


def check(name, run, *words):
    started = time.monotonic()
    try:
        said, complaint = run(*words), None
    except Exception as error:  # noqa: BLE001 A test that breaks has failed.
        said, complaint = None, f"{type(error).__name__}: {error}"
    results.append((name, complaint, time.monotonic() - started))
    print(f"{'FAIL' if complaint else 'ok  '} {name} ({results[-1][2]:.1f} s): {complaint or said or ''}", flush=True)


def cuts(build, log, work, *words):
    """What the judge says of a log: the summary, and its findings."""
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    result = subprocess.run([str(build / "tests/crash/cuts"), str(log), str(work), *map(str, words)], text=True,
                            capture_output=True, timeout=900)
    assert result.returncode in (0, 1), result.stdout + result.stderr
    lines = result.stdout.splitlines()
    summary = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return summary, [line for line in lines if line.startswith("point")]


class Run:
    def __init__(self, options, home):
        self.options, self.home, self.build = options, home, options.build
        self.log = home / "load/disk/log"

    def record(self):
        workload.record(self.home / "load", self.build, self.options.messages, self.options.seed)
        kinds = collections.Counter(kind for kind, *_ in disks.records(self.log))
        return (f"{self.options.messages} messages, {kinds[disks.WRITE]} writes, {kinds[disks.WRITE_SYNC]} roots, "
                f"{kinds[disks.FLUSH] + kinds[disks.FLUSH_ALL]} flushes, {kinds[disks.RENAME]} renames")

    def cut(self):
        summary, findings = cuts(self.build, self.log, self.home / "work", "--cuts", self.options.cuts, "--seed",
                                 self.options.seed)
        assert not findings, f"seed {self.options.seed}, log {self.log}:\n" + "\n".join(findings)
        assert summary["accepted"] >= self.options.messages // 2 and summary["lost"] == 0, summary
        met = {state: summary[state] for state in STATES}
        # Fewer cuts than places to cut may pass a short state by.
        assert all(met.values()) or summary["cuts"] < summary["edges"], f"a state that no cut has met: {met}"
        return (f"{summary['cuts']} cuts at {summary['points']} points ({summary['edges']} beside flushes and replies, all tried), "
                f"{summary['reopened']} opened for writing; {summary['accepted']} messages acknowledged, 0 lost; "
                f"recipients met in each state: {', '.join(f'{word} {count}' for word, count in met.items())}")

    # -- the real program ------------------------------------------------------------------------------

    def reboot(self):
        points = cuts(self.build, self.log, self.home / "count", "--cuts", 0, "--seed", 1, "--until-found",
                      "--rebuild", 0, 0, self.home)[0]["points"]
        dice = random.Random(self.options.seed)
        plans = [(dice.randrange(points // 20, points), dice.randrange(8), random.Random(dice.random()))
                 for _ in range(self.options.reboots)]
        servers.PROGRAM = str(self.build / "postroad")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:  # They mostly wait for times to come.
            repeats = sum(pool.map(lambda plan: self.reboot_at(*plan), plans))
        return f"{self.options.reboots} started again, everything acknowledged arrived, {repeats} recipients were served again"

    def promised_at(self, point):
        """Who was promised what up to a point of the log, and what a remote site took: as notes."""
        at, accepted, taken, deleted = 0, {}, [], set()
        for kind, *_, data in disks.records(self.log):
            at += 2 if kind == disks.WRITE_SYNC else 1
            if at > point:
                break
            words = data.decode().split() if kind == disks.NOTE else [""]
            if words[0] == "accepted":
                accepted[words[1]] = words[2:]
            elif words[0] == "taken":
                taken += [(words[1], address) for address in words[2:]]
            elif words[0] == "deleting":
                deleted.add(words[1])
        return accepted, taken, deleted

    def reboot_at(self, point, variant, dice):
        home = self.home / f"reboot-{point}-{variant}"
        folder = home / "org"
        folder.mkdir(parents=True)
        cuts(self.build, self.log, home / "work", "--seed", self.options.seed, "--rebuild", point, variant, folder)
        for name in ("lock.mdb", "in-doubt", "suspects", "greylist", "policies", "webhooks", "writer.lock"):  # Written through mappings, or empty: anything may be left.
            left = folder / "spool" / name
            if left.exists() and dice.random() < 0.7:
                left.write_bytes(bytes(dice.choice((0, 4096, 8192, 100))) if name != "writer.lock" else b"")
        accepted, taken, deleted = self.promised_at(point)
        remote = workload.Remote(lambda note: None)
        server = workload.Server(folder, None, remote, self.build)
        (folder / "log").unlink(missing_ok=True)
        try:
            server.start()
            server.run("queue", "release", "all", check=False)
            conftest.until(server.queue_is_empty, "an empty queue after the cut")
            taken += remote.taken
            arrived = collections.Counter(taken)
            for path in folder.glob("mail/*/*/new/*"):
                mail = path.read_bytes()
                to = re.search(rb"^Delivered-To: (\S+)", mail, re.M)[1].decode()
                arrived[workload.identity(mail), to] += 1
            for name, recipients in accepted.items():
                for address in recipients:
                    assert self.is_safe(server, arrived, deleted, name, address), f"{address} of {name} is lost; {home}"
            server.stop()
        finally:
            server.kill()
            remote.close()
        shutil.rmtree(home)
        return sum(count - 1 for count in arrived.values())

    def is_safe(self, server, arrived, deleted, name, address):
        """It arrived, or an operator took it away, or its sender got a report, or an alias became others who are safe."""
        if arrived[name, address] or name in deleted:
            return True
        for step in server.ask("trace", name)[0]["steps"]:
            if step.get("to") != address:
                continue
            if step["event"] == "bounced":
                report = step["report"]
                to = server.ask("trace", report)[0]["steps"][0]["to"]
                return self.is_safe(server, arrived, deleted, report, to)
            if step["event"] == "expanded":
                return all(self.is_safe(server, arrived, deleted, name, target) for target in step["targets"].split())
        return False

    # -- kills ------------------------------------------------------------------------------------------

    KILLS = ((disks.DIE_BEFORE, disks.FLUSH, "spool/data.mdb"), (disks.DIE_AFTER, disks.WRITE_SYNC, "spool/data.mdb"),
             (disks.DIE_AFTER, disks.RENAME, "mail/*"), (disks.DIE_BEFORE, disks.WRITE_SYNC, "spool/data.mdb"),
             (disks.DIE_AFTER, disks.FLUSH, "mail/*/new"), (disks.DIE_BEFORE, disks.RENAME, "mail/*"))

    def kill(self, program=None, name="kill", rounds=8):
        """Killed at chosen calls, started again each time: nothing is lost, and who gets it twice is named."""
        home = self.home / name
        shutil.rmtree(home, ignore_errors=True)
        disk = disks.Disk(home / "disk", home / "org", record=False)
        remote = workload.Remote(lambda note: None)
        servers.PROGRAM = str(program or self.build / "postroad")
        server = workload.Server(home / "org", disk, remote, self.build, lifetime="1h")
        dice = random.Random(f"{self.options.seed}.kill")
        accepted = []
        kinds = [workload.KINDS[i] for i in (0, 2, 3, 4)]
        try:
            for number in range(rounds):
                action, kind, pattern = self.KILLS[number % len(self.KILLS)]
                server.start()
                disk.order(disks.SLEEP, (disks.FLUSH,), "spool/data.mdb", parameter=3)
                order = disk.order(action, (kind,), pattern, skip=dice.randint(3, 25), times=1)
                while not disk.hits(order):
                    workload.send(server, lambda note: None, dice, kinds=kinds, count=3, accepted=accepted)
                disk.clear()
                server.kill()
            server.start()
            conftest.until(server.queue_is_empty, "an empty queue")
            arrived = collections.Counter(remote.taken)
            for path in (home / "org").glob("mail/*/*/new/*"):
                mail = path.read_bytes()
                arrived[workload.identity(mail), re.search(rb"^Delivered-To: (\S+)", mail, re.M)[1].decode()] += 1
            doubted = collections.Counter((e["id"], e["to"]) for e in server.log() if e["event"] == "in-doubt")
            server.stop()
        finally:
            server.kill()
            remote.close()
        lost = [(name, address) for name, recipients in accepted for address in recipients if not arrived[name, address]]
        twice = {key: count - 1 for key, count in arrived.items() if count > 1}
        assert not lost, f"lost: {lost}"
        unnamed = [key for key, count in twice.items() if doubted[key] < count]
        assert not unnamed, f"twice, and not named in the log: {unnamed}"
        return f"{rounds} kills, {len(accepted)} messages acknowledged, 0 lost, {sum(twice.values())} twice, each named"

    def cut_after_kill(self):
        """A Maildir whose maker was killed before he flushed its name: who comes after him must."""
        home = self.home / "heir"
        disk = disks.Disk(home / "disk", home / "root")
        remote = workload.Remote(disk.note)
        servers.PROGRAM = str(self.build / "postroad")
        server = workload.Server(home / "root", disk, remote, self.build, lifetime="1h")
        kinds = [lambda dice: (["alice@example.org"], 900)]
        death = disk.order(disks.DIE_AFTER, (disks.MAKE_FOLDER,), "mail/*/new", times=1)
        try:
            for life in range(2):
                server.start()
                for serial in range(3):  # One by one: several would be flushed together with everything else.
                    if life == 1:
                        conftest.until(server.queue_is_empty, "an empty queue")
                    workload.send(server, disk.note, random.Random(f"{life}.{serial}"), kinds=kinds)
                conftest.until(lambda: disk.hits(death) if life == 0 else server.queue_is_empty(), "its end")
                server.kill()
        finally:
            server.kill()
            remote.close()
            disk.close()
        summary, findings = cuts(self.build, disk.log_path, self.home / "heir-work", "--cuts", 500, "--seed", self.options.seed)
        assert not findings, "\n".join(findings)
        return f"{summary['cuts']} cuts, {summary['accepted']} messages acknowledged, 0 lost"

    # -- mutants ----------------------------------------------------------------------------------------

    def mutant(self, name):
        orders, kinds, sessions, changes = mutants.MUTANTS[name]
        program = mutants.make(self.build, name, changes)
        home = self.home / "mutant"
        shutil.rmtree(home, ignore_errors=True)
        disk = workload.record(home, self.build, 12, self.options.seed, orders, sessions=sessions, program=program,
                               kinds=kinds, operator=False)
        _, findings = cuts(self.build, disk.log_path, self.home / "work", "--cuts", 4000, "--seed", self.options.seed,
                           "--until-found")
        assert findings, "not found"
        return findings[0]

    def forgetful(self, name):
        """It is up to the moment whether a kill meets a message that another server has taken: so it is looked for until it does."""
        program = mutants.make(self.build, name, mutants.FORGETFUL[name])
        for _ in range(6):
            try:
                self.kill(program, "forgetful")
            except AssertionError as error:
                assert "not named" in str(error), error
                return str(error)[:100]
        raise AssertionError("not found")


def write_junit(path):
    suite = xml.Element("testsuite", tests=str(len(results)), skipped="0")
    for name, complaint, seconds in results:
        case = xml.SubElement(suite, "testcase", classname="crash", name=name, time=f"{seconds:.2f}")
        if complaint:
            xml.SubElement(case, "failure", message=complaint)
    root = xml.Element("testsuites")
    root.append(suite)
    xml.ElementTree(root).write(path)


def main():
    parser = argparse.ArgumentParser(prog="./dev crash")
    parser.add_argument("--cuts", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--messages", type=int, default=120)
    parser.add_argument("--reboots", type=int, default=24)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--no-mutants", action="store_true")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--junit")
    options = parser.parse_args()
    options.build = options.build.resolve()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # The model decides what is durable, not the disk.
    home = pathlib.Path(tempfile.mkdtemp(prefix="postroad-crash-", dir=memory))
    run = Run(options, home)
    check("recorded", run.record)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        judging = pool.submit(check, "cuts", run.cut)
        check("reboots", run.reboot)
        judging.result()
    check("kills", run.kill, None, "kill", options.kills)
    check("cuts after a kill", run.cut_after_kill)
    if not options.no_mutants:
        for name in mutants.MUTANTS:
            check(f"mutant: {name}", run.mutant, name)
        for name in mutants.FORGETFUL:
            check(f"mutant: {name}", run.forgetful, name)
    if options.junit:
        write_junit(options.junit)
    failed = sum(complaint is not None for _, complaint, _ in results)
    print(f"seed {options.seed}: {len(results) - failed} passed, {failed} failed" + (f"; kept: {home}" if failed else ""))
    if not failed:
        shutil.rmtree(home)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
