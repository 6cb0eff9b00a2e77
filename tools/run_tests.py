#!/usr/bin/python3
"""Everything that must pass: builds, unit tests, sanitizers, house rules, real servers.

usage: run_tests.py [builds] [unit] [house] [servers] [crash]       all of them when none is named

The last line says `N passed, N failed`. A build that fails counts as one failure, and so does a test program that
dies or says nothing.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent

# folder: (compiler, meson options, patience with its tests). Warnings of gcc that follow the flow of values go wrong where a
# sanitizer adds to it and less is optimized. Of what a debugger wants, reports of sanitizers need the lines alone (-g1), which
# are compiled sooner. Clang is there for its warnings alone: see check_clang.py.
BUILDS = {
    "build": ("gcc", [], 1),
    "build-asan": ("gcc", ["-Db_sanitize=address,undefined", "-Doptimization=1", "-Dwerror=false", "-Dc_args=-g1"], 3),
    "build-tsan": ("gcc", ["-Db_sanitize=thread", "-Dc_args=-g1"], 10),
}
# The thread sanitizer is for what runs in threads; the rest need not be built for it.
THREADED = {"build-tsan": ("io/", "sasl/", "spool/", "mailbox/")}
UNIT_TESTS_IN = ("build", "build-asan", "build-tsan")
SERVERS_FROM = "build-asan"

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:print_summary=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}

passed = failed = 0


def heading(text):
    print(f"\n== {text}", flush=True)


def count(good, bad, started, what):
    global passed, failed
    passed += good
    failed += bad
    print(f"{'FAIL' if bad else 'ok  '} {what}: {good} passed, {bad} failed ({time.monotonic() - started:.0f} s)", flush=True)


def run(command, **settings):
    """Exit code and output; never hangs for ever, never raises."""
    try:
        result = subprocess.run([str(word) for word in command], cwd=ROOT, text=True, errors="replace",
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **settings)
        return result.returncode, result.stdout
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
        return -1, (said if isinstance(said, str) else said.decode("utf-8", "replace")) + "\ntimed out"
    except OSError as error:
        return -1, str(error)


def tests_of(folder):
    """What meson knows of the tests: programs that were removed but still lie about are none. Those that may take long come
    first, so that no core is idle while the last one runs."""
    _, output = run(["meson", "introspect", "--tests", folder])
    only = THREADED.get(folder)
    tests = [test for test in json.loads(output) if not only or test["name"].startswith(only)]
    return sorted(tests, key=lambda test: -test["timeout"])


def build(folder):
    compiler, options, _ = BUILDS[folder]
    started, what = time.monotonic(), " ".join([f"{folder}:", compiler, *options])
    environment = {**os.environ, "CC": compiler}
    code, output = 0, ""
    if not (ROOT / folder / "build.ninja").exists():
        code, output = run(["meson", "setup", folder, *options], env=environment)
    if code == 0:
        # First what meson.build says now, then what is to be built by it.
        code, output = run(["ninja", "-C", folder, "build.ninja"], env=environment)
    if code == 0:
        targets = []
        if folder in THREADED:
            targets = [pathlib.Path(test["cmd"][0]).relative_to(ROOT / folder) for test in tests_of(folder)]
        code, output = run(["ninja", "-C", folder, *targets], env=environment)
    if code != 0:
        print("\n".join(line for line in output.splitlines() if not line.startswith("["))[-8000:])
    else:
        link = ROOT / folder / "postroad"
        if not link.is_symlink():
            link.unlink(missing_ok=True)
            link.symlink_to("src/programs/postroad")
    count(int(code == 0), int(code != 0), started, what)
    return code == 0


def clang_warnings():
    """After the build by gcc: it needs the generated headers."""
    started = time.monotonic()
    code, output = run(["/usr/bin/python3", "tools/check_clang.py", "build"])
    if code != 0:
        print(output[-8000:])
    count(int(code == 0), int(code != 0), started, "warnings of clang")


def fixed_addresses():
    """The thread sanitizer of gcc 12 dies on kernels that spread addresses too widely; so they are not spread."""
    machine = os.uname().machine
    return ["setarch", machine, "-R"] if run(["setarch", machine, "-R", "true"])[0] == 0 else []


def unit_test(test, prefix, patience):
    """Good and bad tests of one cmocka program, which speaks TAP, and what to show of it."""
    environment = {**os.environ, **SANITIZERS, **test["env"], "CMOCKA_MESSAGE_OUTPUT": "TAP"}
    code, output = run([*prefix, *test["cmd"]], env=environment, timeout=test["timeout"] * patience)
    good = len(re.findall(r"^ok \d", output, re.M))
    bad = len(re.findall(r"^not ok \d", output, re.M))
    if bad == 0 and (code != 0 or good == 0):
        bad = 1
    return good, bad, f"--- {test['name']} (exit {code})\n{output[-6000:]}" if bad else ""


def unit_tests(folder):
    started = time.monotonic()
    prefix = fixed_addresses() if folder == "build-tsan" else []
    patience = BUILDS[folder][2]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda test: unit_test(test, prefix, patience), tests_of(folder)))
    for _, _, show in results:
        if show:
            print(show)
    count(sum(result[0] for result in results), sum(result[1] for result in results), started, f"unit tests in {folder}")


def python_tests(what, folders, *options, **more):
    started = time.monotonic()
    folders = [folder for folder in folders if list((ROOT / folder).glob("test_*.py"))]
    report = ROOT / "build" / f"{what}.xml"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    environment = {**os.environ, **SANITIZERS, **more, "PYTHONDONTWRITEBYTECODE": "1"}
    code, output = run(["/usr/bin/python3", "-m", "pytest", "-q", "--tb=short", "--durations=5", "-p", "no:cacheprovider",
                        f"--junitxml={report}", *options, *folders], env=environment, timeout=1100)
    if not folders or not report.exists():
        print(output[-8000:])
        count(0, 1, started, what)
        return
    suite = xml.parse(report).getroot().find("testsuite")
    skipped = int(suite.get("skipped"))
    # A test that runs once for each of many files is one rule, and counts once.
    results = {}
    for case in suite.iter("testcase"):
        wrong = case.find("failure") is not None or case.find("error") is not None
        if case.find("skipped") is None:
            rule = case.get("classname") + "." + case.get("name").split("[src")[0].split("[lib")[0]
            results[rule] = results.get(rule, False) or wrong
    total, bad = len(results), sum(results.values())
    if bad or code != 0:
        print(output[-16000:])
        bad = bad or 1
    # Suites of others: how many of their cases, and how many of those we dispute.
    for line in suite.iter("property"):
        print(f"     {line.get('value')}")
    if skipped:
        print(f"     {skipped} skipped: {', '.join(sorted({case.get('message', '') for case in suite.iter('skipped')}))}")
    count(max(total - bad, 0), bad, started, what)


def power_cuts():
    started = time.monotonic()
    report = ROOT / "build" / "crash.xml"
    report.unlink(missing_ok=True)
    _, output = run(["/usr/bin/python3", "tests/crash/crash.py", "--cuts", "5000", "--reboots", "12", "--kills", "8",
                     "--junit", report], env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, timeout=600)
    print(output[-8000:].rstrip())
    if not report.exists():
        count(0, 1, started, "crash")
        return
    suite = xml.parse(report).getroot().find("testsuite")
    bad = sum(case.find("failure") is not None for case in suite.iter("testcase"))
    count(int(suite.get("tests")) - bad, bad, started, "crash")


def main():
    parts = sys.argv[1:] or ["builds", "unit", "house", "servers", "crash"]
    started = time.monotonic()
    built = set(BUILDS)
    if "builds" in parts:
        heading("builds: warnings are errors")
        built = {folder for folder in BUILDS if build(folder)}
        if "build" in built:
            clang_warnings()
    if "unit" in parts:
        heading("unit tests: plain, under the address and undefined sanitizers, under the thread sanitizer")
        for folder in UNIT_TESTS_IN:
            if folder in built:
                unit_tests(folder)
    if "house" in parts:
        heading("the house: layers, state and style")
        python_tests("house-rules", ["tests/house"])
    if "servers" in parts and SERVERS_FROM in built:
        heading("real servers over real sockets, under the address and undefined sanitizers")
        # Side by side, whole files of them: the tests of some files share a server, and much of their time is waiting.
        python_tests("servers", ["tests/e2e", "tests/interop"], "-n", str(os.cpu_count() * 3 // 2), "--dist", "loadfile",
                     POSTROAD=str(ROOT / SERVERS_FROM / "postroad"), POSTROAD_BUILD=str(ROOT / SERVERS_FROM),
                     ASAN_OPTIONS=SANITIZERS["ASAN_OPTIONS"].replace("detect_leaks=1", "detect_leaks=0"))  # Servers do, see there.
    if "crash" in parts and "build" in built:
        heading("power cuts and kills: a recorded disk, cut anywhere")
        power_cuts()
    print(f"\n{time.monotonic() - started:.0f} seconds\n{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
