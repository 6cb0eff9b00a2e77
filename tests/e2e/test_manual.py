"""The manual tells the truth: what it tells to type works, its configurations are right, its links lead somewhere."""
import html.parser
import os
import pathlib
import re
import selectors
import signal
import subprocess
import sys
import time
import urllib.request

import conftest
import pytest
from certificates import Authority

sys.path.insert(0, str(conftest.servers.ROOT / "tools"))
import make_manual  # noqa: E402
import make_pages  # noqa: E402
import manual  # noqa: E402

ROOT = manual.ROOT
README = ROOT / "README.md"
CHAPTERS = [path for path in manual.chapters() if path.parent == manual.FOLDER]
PROGRAM = conftest.servers.PROGRAM
BUILD = pathlib.Path(os.environ.get("POSTROAD_BUILD", ROOT / "build"))

def alone():
    """The words before a command that give it a network of its own, where that may be: ports there are free."""
    words = ["unshare", "--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]
    may = os.geteuid() == 0 and subprocess.run([*words, "true"], capture_output=True).returncode == 0
    return words if may else []


class Shell:
    """Somebody at a shell, in a folder, alone."""

    MARK = "=== typed ==="

    def __init__(self, folder):
        tools = folder / "tools"
        tools.mkdir()
        (tools / "postroad").symlink_to(PROGRAM)
        environment = {**os.environ, "HOME": str(folder), "PATH": f"{tools}:{os.environ['PATH']}"}
        environment.pop("POSTROAD_CONFIG", None)
        self.said = open(folder / "said", "w+", encoding="utf-8")
        self.process = subprocess.Popen([*alone(), "bash"], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said,
                                        start_new_session=True)

    def type(self, text):
        """What it prints, and whether all of its commands succeeded."""
        self.process.stdin.write(f"failed=0; trap failed=1 ERR\n{text}trap - ERR; echo '{self.MARK}' $failed\n".encode())
        self.process.stdin.flush()
        out, end = b"", time.monotonic() + conftest.PATIENCE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not (found := re.search(rf"(.*?)^{self.MARK} ([01])\n".encode(), out, re.S | re.M)):
                if not selector.select(max(0, end - time.monotonic())):
                    raise conftest.servers.Trouble(f"no end of: {text}{out.decode()}")
                piece = os.read(self.process.stdout.fileno(), 65536)
                assert piece, f"the shell has ended: {out.decode()}{self.words()}"
                out += piece
        return found.group(1).decode(), found.group(2) == b"0"

    def words(self):
        self.said.seek(0)
        return self.said.read()

    def end(self):
        """Also of servers that were not stopped."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        said = self.words()
        self.said.close()
        return said


def as_shown(shown):
    """What a text with "..." in it stands for."""
    lines = [r"(?:.*\n)*?" if line == "..." else ".*?".join(map(re.escape, line.split("..."))) + r"\n" for line in shown.splitlines()]
    return re.compile("".join(lines))


def steps(path):
    """Each block that is typed, and what is shown behind it."""
    blocks = manual.blocks(path)
    for block, behind in zip(blocks, blocks[1:] + [None]):
        if block.words[:2] == ["sh", "run"]:
            yield block, behind.text if behind is not None and behind.words == ["text", "shown"] else None


def type_chapter(shell, path):
    count = 0
    for block, shown in steps(path):
        out, good = shell.type(block.text)
        end = time.monotonic() + conftest.PATIENCE_S
        while "until" in block.words and time.monotonic() < end and not (good and (shown is None or as_shown(shown).fullmatch(out))):
            time.sleep(0.05)
            out, good = shell.type(block.text)
        assert good, f"{block}: failed\n{block.text}{out}{shell.words()}"
        assert shown is None or as_shown(shown).fullmatch(out), f"{block}: shown is\n{shown}and it prints\n{out}{shell.words()}"
        count += 1
    return count


def test_the_ten_minute_start_does_what_it_says(tmp_path):
    shell = Shell(tmp_path)
    try:
        assert type_chapter(shell, manual.FOLDER / "start.md") >= 10
        _, ended = shell.type("wait\n")
        assert ended
    finally:
        said = shell.end()
    assert "Sanitizer" not in said


# -- Configurations --------------------------------------------------------------------

BASE = 'hostname = "mail.example.org"\ndomains = {"example.org"}\nlisten "0.0.0.0:2525" { role = mx }\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the examples name stands beside them."""
    home = tmp_path_factory.mktemp("examples")
    certificate, key = Authority(home / "authority").issue("mail", "DNS:mail.example.org")
    certificate.rename(home / "fullchain.pem")
    key.rename(home / "privkey.pem")
    (home / "dkim").mkdir()
    for name, text in {"users": "alice:\nbob:\nsales:\n", "aliases": "postmaster: alice\n", "provider.password": "secret\n",
                       "web-tokens": f"monitoring:{'0' * 64}:metrics,read\n", "srs.secret": "x" * 32 + "\n", "webhook.secret": "swordfish\n"}.items():
        (home / name).write_text(text)
        (home / name).chmod(0o600)
    return home


def checked(home, text):
    path = home / "postroad.conf"
    path.write_text(("" if re.search(r"^hostname", text, re.M) else BASE) + text + 'run-as = ""\n')
    return subprocess.run([PROGRAM, "check", "-c", path], capture_output=True, text=True, timeout=conftest.PATIENCE_S)


@pytest.mark.parametrize("path", [README, *CHAPTERS], ids=lambda path: path.stem)
def test_the_configurations_of_a_chapter_are_right(folder, path):
    for block in manual.blocks(path):
        if block.words == ["conf"]:
            result = checked(folder, block.text)
            assert result.returncode == 0, f"{block}: {result.stderr}"


def test_dovecot_reads_what_the_manual_has_for_it(tmp_path):
    pieces = [block.text for block in manual.blocks(manual.FOLDER / "dovecot.md") if block.words == ["text", "dovecot"]]
    (tmp_path / "dovecot.conf").write_text("".join(pieces))
    result = subprocess.run(["doveconf", "-n", "-c", tmp_path / "dovecot.conf"], capture_output=True, text=True)
    assert len(pieces) == 3 and result.returncode == 0, result.stderr


def test_a_backup_takes_mail_for_everybody(postroad):
    """What the chapter promises of a route for one of our domains."""
    server = postroad(conf='route "example.org" { via = {"mail.example.org:25"} }\n', users=("bob@example.org",))
    assert "mail.example.org" in server.run("explain", "anybody@example.org").stdout
    assert "mailbox" in server.run("explain", "bob@example.org").stdout


# -- Commands and options -----------------------------------------------------------------


def options_of(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def described():
    """{"queue": options}: of each command, as the manual pages have them."""
    found = {}
    for command, head, prose in make_pages.blocks((ROOT / "docs" / "postroad.8").read_text()):
        found.setdefault(command, set()).update(f"--{word}" for word in re.findall(r"\bFl -([a-z][a-z-]*)", head + "\n" + prose))
    return found


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_command_of_a_chapter_exists(path):
    pages = described()
    for block in manual.blocks(path):
        for command, rest in re.findall(r"^(?:sudo )?postroad ([a-z]+)(.*)$", block.text, re.M) if block.words[0] == "sh" else []:
            assert command in pages, f"{block}: {command}"
            assert options_of(rest) <= pages[command], f"{block}: {command} {rest}"


def test_the_pages_tell_of_every_option_that_the_program_tells():
    told = 0
    for command, known in described().items():
        usage = make_pages.usage_of(conftest.PLAIN, command)
        options = options_of(usage)
        assert options <= known, (command, usage)
        told += len(options)
    assert told > 30


def our_options():
    found = re.findall(r'^OPTION\("([a-z-]*)", "([a-z0-9-]+)"', (ROOT / "src" / "conf" / "options.def").read_text(), re.M)
    return {f"{section} {name}".strip() for section, name in found} | {section for section, _ in found}


def test_the_table_of_postfix_is_true():
    defaults = dict(line.split(" =", 1) for line in subprocess.run(["postconf", "-d"], capture_output=True, text=True, check=True).stdout.splitlines())
    rows = re.findall(r"^\| `([a-z_]+)` \| (.*?) \| ?(.*?) \| (.*)\|$", (manual.FOLDER / "postfix.md").read_text(), re.M)
    rows += re.findall(r"^\| `([a-z_]+)` \| ?()\| (.*?) \| (.*)\|$", (manual.FOLDER / "postfix.md").read_text(), re.M)
    ours = our_options()
    assert len(rows) > 60
    for theirs, default, names, _ in rows:
        assert theirs in defaults, theirs
        if not default.startswith("("):
            assert default.strip("`") == defaults[theirs].strip(), theirs
        for name in re.findall("`(.*?)`", names):
            assert name in ours, (theirs, name)


def test_every_metric_is_in_the_manual(postroad):
    port = conftest.free_port()
    postroad(conf=f'web {{ listen = "127.0.0.1:{port}" }}\n')

    def served():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=conftest.PATIENCE_S) as answer:
                return answer.read().decode()
        except OSError:
            return None

    names = set(re.findall(r"^# TYPE (\w+)", conftest.until(served, "metrics"), re.M))
    words = re.findall(r"^COUNTER\(\w+, ([\w-]+)", (ROOT / "src" / "events" / "counters.def").read_text(), re.M)
    names -= {f"postroad_{word.replace('-', '_')}_total" for word in words}
    chapter = (manual.FOLDER / "http.md").read_text()
    assert len(names) > 10
    assert [name for name in sorted(names) if not re.search(rf"`{name}[`{{]", chapter)] == []


# -- Pages ---------------------------------------------------------------------------------


class Links(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loaded = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if "id" in named:
            self.anchors.append(named["id"])
        if tag == "a" and "href" in named:
            self.links.append(named["href"])
        elif "href" in named or "src" in named:
            self.loaded.append(named.get("href") or named["src"])


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    home = tmp_path_factory.mktemp("pages")
    make_pages.make(conftest.PLAIN, home)
    for name in ("postroad.conf.5", "postroad.log.5"):
        (home / name).write_bytes((BUILD / "docs" / name).read_bytes())
    return home


def test_mandoc_finds_nothing_in_the_manual_pages(pages):
    result = subprocess.run([ROOT / "tools" / "lint_pages.sh", *sorted(pages.glob("*.[58]"))], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
    assert len(list(pages.glob("*.[58]"))) > 20


def test_every_link_of_the_manual_leads_somewhere(pages, tmp_path):
    folder = tmp_path / "html"
    make_manual.make(pages, folder)
    found = {path.name: Links(path.read_text()) for path in folder.glob("*.html")}
    assert {"index.html", "start.html", "postroad.8.html", "postroad-queue.8.html", "postroad.conf.5.html"} <= set(found)
    for name, page in found.items():
        assert len(page.anchors) == len(set(page.anchors)), name
        assert set(page.loaded) <= {"data:,", "manual.css"}, name
        for link in page.links:
            target, _, anchor = link.partition("#")
            assert "://" not in link and (target or name) in found, f"{name}: {link}"
            assert not anchor or anchor in found[target or name].anchors, f"{name}: {link}"
    assert "url(" not in (folder / "manual.css").read_text() and "@import" not in (folder / "manual.css").read_text()
    linked = {link.partition("#")[0] for link in found["index.html"].links}
    assert set(found) - {"index.html"} <= linked
