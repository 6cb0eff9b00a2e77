"""clang-tidy and cppcheck over src and fuzz, tests aside: a line per finding, the count last, exit code 1 if there is one.

usage: run_lint.py BUILD_FOLDER (configured with clang, its generated headers made)"""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUPPRESSIONS = ROOT / "tools" / "cppcheck.suppressions"
TIDY_LINE = re.compile(r"^(?P<file>[^:\s]+):(?P<line>\d+):\d+: (?:warning|error): (?P<text>.*)$")
CPPCHECK = ["cppcheck", "--project=compile_commands.json", "--enable=warning,performance,portability", "--quiet",
            "--file-filter=*/src/*", "--file-filter=*/fuzz/*", "--inline-suppr",
            f"--suppressions-list={SUPPRESSIONS}", "--template={file}:{line}: {message} [{id}]"]


def tidy(folder, source):
    run = subprocess.run(["clang-tidy", "--quiet", "-p", folder, source], capture_output=True, text=True)
    found = {f"{os.path.relpath(m['file'], ROOT)}:{m['line']}: {m['text']}"
             for m in map(TIDY_LINE.match, run.stdout.splitlines()) if m}
    # A tool that did not work has found nothing, and must not pass for that.
    return found or ({f"{os.path.relpath(source, ROOT)}: clang-tidy failed"} if run.returncode else set())


def cppcheck(folder, workers):
    run = subprocess.run([*CPPCHECK, f"-j{workers}"], cwd=folder, capture_output=True, text=True)
    found = {line.replace(f"{ROOT}/", "") for line in run.stderr.splitlines() if line and is_ours(line.split(":")[0])}
    return found or ({"cppcheck failed: " + run.stdout.strip()} if run.returncode else set())


def is_ours(file):
    name = os.path.basename(file)
    return file.startswith((f"{ROOT}/src/", f"{ROOT}/fuzz/")) and not name.startswith("test_") and not name.endswith("_test.c")


def sources(folder):
    commands = json.loads((folder / "compile_commands.json").read_text())
    files = {os.path.normpath(os.path.join(command["directory"], command["file"])) for command in commands}
    return sorted(file for file in files if is_ours(file))


def main():
    folder = Path(sys.argv[1]).resolve()
    workers = os.cpu_count() or 1
    found = cppcheck(folder, workers)
    with ThreadPoolExecutor(workers) as pool:
        found = found.union(*pool.map(lambda source: tidy(folder, source), sources(folder)))
    for line in sorted(found):
        print(line)
    print(f"{len(found)} findings")
    sys.exit(1 if found else 0)


main()
