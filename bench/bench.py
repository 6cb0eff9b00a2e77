#!/usr/bin/python3
"""CPU microseconds per message, postroad beside Postfix and smtp-sink in one run; memory and depth besides.

  accept    taken in and kept in the queue (postroad: retried in an hour; Postfix: on hold; smtp-sink: thrown away)
  relay     taken in and sent on to smtp-sink
  mailbox   taken in and written to a Maildir
  idle      connections that stay silent: memory of each, and mail flowing beside them
  abuse     a crowd of bad clients: how long a message of a good one takes without and with it
  deep      a queue filled beforehand: memory, start, `queue list`, and the cost of a message that passes

All on loopback, TLS off, everything durable. CPU is that of all processes of a server, so that it includes what is
put off until after the last 250. Compare CPU before rates: the rate moves with whatever else the machine and its
disk are doing. A table goes to stdout, every run to bench/results.json, a plot to bench/results.svg.
"""
import argparse
import json
import os
import statistics
import sys

from abuse import measure_abuse
from deep import measure_deep
from flow import measure, remove_homes
from idle import measure_idle
from plot import plot
from measured import ROOT, Postfix, Postroad, Sink

SHALLOW = 1000


def words_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=5000, help="of 4 KiB at 50 sessions; other loads follow from it")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each load; the table shows medians")
    parser.add_argument("--only", choices=["postroad", "postfix", "smtp-sink"], help="one server")
    parser.add_argument("--scenario", action="append", choices=["accept", "relay", "mailbox", "idle", "abuse", "deep"],
                        help="these alone; may be repeated")
    parser.add_argument("--idle", type=int, default=2000, help="silent connections (20000 takes root)")
    parser.add_argument("--abuse", type=int, default=1000, help="bad clients at one time")
    parser.add_argument("--deep", type=int, default=100000, help="messages in the deep queue")
    return parser.parse_args(arguments)


def loads_of(scenario, messages):
    """Big messages and single sessions are slower: fewer of them are enough."""
    every = [{"bytes": size, "sessions": sessions, "reconnect": reconnect,
              "messages": max(100, messages // (1 if size == 4096 else 4) // (1 if sessions > 1 else 5))}
             for size in (4096, 51200) for sessions in (50, 1) for reconnect in (False, True)]
    return every if scenario == "accept" else every[:1]


def label_of(scenario, load):
    return (f"{scenario} {load['bytes'] // 1024} KiB, {load['sessions']} session{'s' * (load['sessions'] > 1)}"
            + (", reconnecting" if load["reconnect"] else ""))


def bench_flow(kinds, scenario, words, results):
    """One group of bars for each load."""
    groups = []
    for load in loads_of(scenario, words.messages):
        label, bars = label_of(scenario, load), {}
        for kind in kinds:
            if kind is Sink and scenario != "accept":
                continue
            runs = [measure(kind, scenario, load) for _ in range(words.repeat)]
            middle = sorted(runs, key=lambda run: run["cpu_us"])[len(runs) // 2]
            bars[kind.name] = statistics.median(run["cpu_us"] for run in runs)
            results += runs
            print(f"{label:42} {kind.name:9} {bars[kind.name]:9.1f} {min(run['cpu_us'] for run in runs):9.1f} "
                  f"{middle['accepted_per_s']:11} {middle['settled_per_s']:10} "
                  f"{middle.get('flushes_per_message', ''):>12}", flush=True)
        if "postroad" in bars and "postfix" in bars:
            print(f"{'':42} Postfix takes {bars['postfix'] / bars['postroad']:.1f} times the CPU")
        groups.append((label, bars))
    return groups


def bench_idle(kinds, words, results):
    load = {"bytes": 4096, "sessions": 50, "reconnect": False, "messages": max(100, words.messages // 4)}
    for kind in kinds:
        if kind is Sink:
            continue
        # A process for each connection: a hundred tell as much of Postfix as thousands would.
        run = measure_idle(kind, words.idle if kind is Postroad else min(words.idle, 100), load)
        results.append(run)
        print(f"idle: {run['connections']} connections at {kind.name}: {run['kib_per_connection']} KiB each "
              f"({run['mapped_kib_per_connection']} with shared pages); mail beside them: {run['cpu_us']} us, "
              f"{run['accepted_per_s']}/s", flush=True)


def bench_abuse(words, results):
    run = measure_abuse(Postroad, words.abuse, max(100, words.messages // 10))
    results.append(run)
    print(f"abuse: a message takes {run['alone_ms']} ms, and {run['beside_ms']} ms (at worst {run['beside_worst_ms']}) beside "
          f"{run['crowd']} bad clients, who connect {run['connections_per_s']} times a second; {run['processors']} processors, "
          f"{run['own_mib_more']} MiB more", flush=True)


def bench_deep(words, results):
    load = {"bytes": 4096, "sessions": 50, "reconnect": False, "messages": words.messages}
    for depth in (SHALLOW, words.deep):
        run = measure_deep(depth, load)
        results.append(run)
        print(f"deep: {depth} queued: ready in {run['ready_ms']} ms, first page of the list in {run['list_ms']} ms, "
              f"{run['own_mib']} MiB of its own ({run['mapped_mib']} with pages of the spool); accept "
              f"{run['accept_cpu_us']} us, relay {run['relay_cpu_us']} us", flush=True)


def main():
    words = words_of(sys.argv[1:])
    kinds = [kind for kind in (Postroad, Sink, Postfix) if words.only in (None, kind.name)]
    scenarios = words.scenario or ["accept", "relay", "mailbox", "idle", "abuse", "deep"]
    if Postfix in kinds and os.geteuid() != 0:
        sys.exit("bench: Postfix needs root to start; use --only postroad")
    results, groups = [], []
    print(f"{'':42} {'server':9} {'CPU us':>9} {'least':>9} {'accepted/s':>11} {'settled/s':>10} {'flushes/msg':>12}")
    try:
        for scenario in scenarios:
            if scenario == "idle":
                bench_idle(kinds, words, results)
            elif scenario == "abuse":
                bench_abuse(words, results)
            elif scenario != "deep":
                groups += bench_flow(kinds, scenario, words, results)
            elif Postroad in kinds:
                bench_deep(words, results)
    finally:
        remove_homes()
        keep(results, groups)
    print(f"medians of {words.repeat} runs; all of them are in bench/results.json")


def keep(results, groups):
    """Also of a run that was broken off."""
    (ROOT / "bench" / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    groups = [group for group in groups if group[1]]
    if groups:
        (ROOT / "bench" / "results.svg").write_text(plot(groups, "CPU microseconds a message, everything durable"))


if __name__ == "__main__":
    main()
