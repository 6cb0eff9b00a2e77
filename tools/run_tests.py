#!/usr/bin/python3
"""Everything that must pass: builds, unit tests, sanitizers, house rules, real servers.

The last line says `N passed, N failed`. A build that fails counts as one failure.
"""
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILDS = {
    "build": ("gcc", []),
    "build-clang": ("clang", []),
    "build-asan": ("gcc", ["-Db_sanitize=address,undefined"]),
    "build-tsan": ("gcc", ["-Db_sanitize=thread"]),
}
# The thread sanitizer is for what runs in threads.
THREADED = ["spool", "io", "mailbox"]
passed = failed = 0


def heading(text):
    print(f"\n== {text}", flush=True)


def count(good, bad, seconds, what):
    global passed, failed
    passed += good
    failed += bad
    print(f"{'ok  ' if not bad else 'FAIL'} {what}: {good} passed, {bad} failed ({seconds:.0f} s)", flush=True)


def build(folder):
    compiler, options = BUILDS[folder]
    started = time.monotonic()
    commands = [["ninja", "-C", folder]]
    if not (ROOT / folder / "build.ninja").exists():
        commands.insert(0, ["meson", "setup", folder, *options])
    for command in commands:
        result = subprocess.run(command, cwd=ROOT, env={**os.environ, "CC": compiler}, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if result.returncode != 0:
            print(result.stdout[-6000:])
            count(0, 1, time.monotonic() - started, f"{folder} ({compiler} {' '.join(options)})")
            return False
    link = ROOT / folder / "postroad"
    if not link.is_symlink():
        link.symlink_to("src/programs/postroad")
    count(1, 0, time.monotonic() - started, f"{folder} ({compiler} {' '.join(options)})")
    return True


def unit_tests(folder, only=None):
    """cmocka programs speak TAP: each `ok` and `not ok` is one test; a death is a failure."""
    started, good, bad = time.monotonic(), 0, 0
    environment = {**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
                   "TSAN_OPTIONS": "halt_on_error=1", "POSTROAD_ROOT": str(ROOT)}
    programs = sorted(path for path in (ROOT / folder / "src").glob("*/*_test") if path.is_file())
    for program in programs:
        if only and program.parent.name not in only:
            continue
        try:
            result = subprocess.run([str(program)], cwd=ROOT, env=environment, text=True, errors="replace", timeout=300,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            output, code = result.stdout, result.returncode
        except subprocess.TimeoutExpired as late:
            output, code = (late.stdout or b"").decode("utf-8", "replace") + "\ntimed out", -1
        oks = len(re.findall(r"^ok \d", output, re.M))
        wrong = len(re.findall(r"^not ok \d", output, re.M))
        if code != 0 and wrong == 0:
            wrong = 1
        if wrong or not oks:
            print(f"--- {program.relative_to(ROOT)} (exit {code})\n{output[-5000:]}")
            wrong = wrong or 1
        good, bad = good + oks, bad + wrong
    count(good, bad, time.monotonic() - started, f"unit tests in {folder}")


def python_tests(folders, what, program=None):
    started = time.monotonic()
    folders = [folder for folder in folders if list((ROOT / folder).glob("test_*.py"))]
    if not folders:
        return
    report = ROOT / "build" / (what.replace(" ", "-") + ".xml")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "ASAN_OPTIONS": "detect_leaks=1"}
    if program:
        environment["POSTROAD"] = str(ROOT / program)
    report.unlink(missing_ok=True)
    result = subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "--tb=short",
                             "-p", "no:cacheprovider", f"--junitxml={report}", *folders], cwd=ROOT, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if not report.exists():
        print(result.stdout[-6000:])
        count(0, 1, time.monotonic() - started, what)
        return
    suite = xml.parse(report).getroot().find("testsuite")
    total = int(suite.get("tests"))
    bad = int(suite.get("failures")) + int(suite.get("errors"))
    if bad or result.returncode != 0:
        print(result.stdout[-12000:])
        bad = bad or 1
    count(total - bad - int(suite.get("skipped")), bad, time.monotonic() - started, what)


def main():
    heading("builds: warnings are errors")
    built = {folder: build(folder) for folder in BUILDS}
    heading("unit tests")
    if built["build"]:
        unit_tests("build")
    if built["build-asan"]:
        unit_tests("build-asan")
    if built["build-tsan"]:
        unit_tests("build-tsan", THREADED)
    heading("the house: layers and style")
    python_tests(["tests/house"], "house rules")
    if built["build-asan"]:
        heading("real servers over real sockets, under the address and undefined sanitizers")
        python_tests(["tests/e2e", "tests/interop"], "end to end", "build-asan/postroad")
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
