"""`postroad verify` as a function, and the zones of test suites in the form that it reads."""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("POSTROAD", str(ROOT / "build" / "src" / "programs" / "postroad"))
VECTORS = ROOT / "tests" / "vectors"
# No file of this name: the system's configuration is not to be looked at.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "POSTROAD_CONFIG"}


def run(*words, message=None):
    return subprocess.run([PROGRAM, *map(str, words)], input=message, capture_output=True, timeout=60, env=ENVIRONMENT)


def verify(zone, *words, message=None):
    """The report of `postroad verify WORDS`, about a message on standard input if there is one; `zone` is a dict."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(zone, file)
        file.flush()
        result = run("verify", *words, "--zone", file.name, "--json", message=message)
    assert result.returncode == 0, (words, result.stderr.decode(errors="replace"))
    return json.loads(result.stdout)


def each(cases, judge):
    """Run `judge` over a dict of cases, two at a time, and say what is wrong: {name: complaint}."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = zip(cases, pool.map(judge, cases.values()))
        return {name: complaint for name, complaint in complaints if complaint}


def table(record_property, title, count, wrong, disputed):
    """One line of totals, for who runs the tests."""
    record_property("table", f"{title:32} {count:4} cases {count - len(wrong) - len(disputed):4} as expected"
                    f" {len(disputed):3} disputed {len(wrong):3} wrong")
