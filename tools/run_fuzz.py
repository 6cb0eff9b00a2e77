#!/usr/bin/python3
"""Run the fuzz targets that `./dev fuzz` built in build-fuzz.

usage: run_fuzz.py [TARGET] [SECONDS]

All targets, or one, for SECONDS each (60 unless given). What they learn stays in build-fuzz/corpus; an input
that breaks something goes to build-fuzz/crashes, and the exit code is 1. To see it again:
build-fuzz/fuzz/fuzz_TARGET build-fuzz/crashes/FILE
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build-fuzz"
CRASHES = BUILD / "crashes"
SECONDS = 60


def targets():
    return sorted(path.name.removeprefix("fuzz_") for path in (BUILD / "fuzz").glob("fuzz_*") if path.is_file())


def arguments(words):
    numbers = [word for word in words if word.isdigit()]
    names = [word for word in words if not word.isdigit()]
    known = targets()
    if len(numbers) > 1 or len(names) > 1 or not set(names) <= set(known):
        sys.exit(f"usage: ./dev fuzz [TARGET] [SECONDS]\ntargets: {' '.join(known)}")
    return names or known, int(numbers[0]) if numbers else SECONDS


def run(target, seconds):
    """True when nothing broke."""
    learned = BUILD / "corpus" / target
    learned.mkdir(parents=True, exist_ok=True)
    command = [BUILD / "fuzz" / f"fuzz_{target}", f"-max_total_time={seconds}", "-timeout=60", "-max_len=4096",
               f"-artifact_prefix={CRASHES}/{target}-", learned, ROOT / "fuzz" / "corpus" / target]
    environment = {**os.environ, "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    result = subprocess.run(command, cwd=BUILD, env=environment, text=True, errors="replace",
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    done = re.search(r"Done (\d+) runs", result.stdout)
    if result.returncode == 0 and done:
        print(f"ok   {target}: {done.group(1)} inputs", flush=True)
        return True
    print(result.stdout[-6000:])
    print(f"FAIL {target}", flush=True)
    return False


def main():
    names, seconds = arguments(sys.argv[1:])
    CRASHES.mkdir(parents=True, exist_ok=True)
    good = [run(name, seconds) for name in names]
    return 0 if all(good) and good else 1


if __name__ == "__main__":
    sys.exit(main())
