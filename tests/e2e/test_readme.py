"""What the README tells to type, and the start before there is a program, is typed: in a copy of this tree with what is built of it."""
import os
import re
import signal
import subprocess

import conftest
import manual
import pytest
from conftest import until
from test_manual import README, ROOT, Shell, alone

# What is not typed, and why.
EXCUSED = {
    "./dev test": "it is what runs this",
    "./dev package": "it builds everything anew, for minutes; tests/packaging makes the package and uses it on a fresh Debian, as root",
}
UNTIL_CTRL_C = "./dev run"
COMMANDS = [line for path in (README, manual.FOLDER / "start.md") for block in manual.blocks(path) if block.words == ["sh"]
            for line in block.text.splitlines()]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """With the times of its files, so that there is nothing left to build. What is excluded is made by others."""
    if not (ROOT / "build" / "build.ninja").exists():
        pytest.skip("nothing is built in build")
    copy = tmp_path_factory.mktemp("readme") / "postroad"
    copy.mkdir()
    subprocess.run(f"tar -c --exclude=./build-* --exclude=./build/peers --exclude=./build/package --exclude=./.git . | tar -x -C '{copy}'",
                   cwd=ROOT, shell=True, check=True)
    return copy


def test_what_is_told_to_type_works(tree, tmp_path):
    shell = Shell(tmp_path)
    try:
        assert shell.type(f"cd '{tree}'\n")[1]
        for line in dict.fromkeys(COMMANDS):
            if line not in EXCUSED and line != UNTIL_CTRL_C:
                out, good = shell.type(line + "\n")
                assert good, f"{line}\n{out}{shell.words()}"
        out, good = shell.type("command -v postroad; postroad version; test -s build/docs/html/index.html -a -s build/docs/postroad.8\n")
        assert good and out.startswith(f"{tree}/build/postroad\npostroad "), out
    finally:
        shell.end()


def test_the_two_servers_run_until_ctrl_c(tree):
    with open(tree / "story", "w+", encoding="utf-8") as story:
        process = subprocess.Popen([*alone(), "sh", "-c", f"exec {UNTIL_CTRL_C}"], cwd=tree, stdout=story, start_new_session=True)
        try:
            said = until(lambda: (text := (tree / "story").read_text()).endswith("Stop with Ctrl-C.\n") and text or process.poll() is not None, "the story")
            assert process.poll() is None, (tree / "story").read_text()
            tries = re.findall(r"^   ((?:echo|\S*postroad) .*)$", said.split("Try:")[1], re.M)
            assert len(tries) == 3
            for line in tries:
                result = subprocess.run(["bash", "-c", line], cwd=tree, capture_output=True, text=True)
                assert result.returncode == 0, f"{line}\n{result.stderr}"
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(conftest.PATIENCE_S)
    assert code == 0 and (tree / "story").read_text().endswith("\nStopped.\n")


def test_the_story_ends_by_itself_when_it_is_told_once(tree):
    result = subprocess.run([*alone(), *UNTIL_CTRL_C.split(), "--once"], cwd=tree, capture_output=True, text=True)
    assert result.returncode == 0 and "none lost" in result.stdout, result.stdout + result.stderr


def test_every_command_is_typed_or_excused():
    assert {UNTIL_CTRL_C, "./dev docs", "./dev build", *EXCUSED} <= set(COMMANDS)
    told = re.findall(r"`\./dev (\w+)", README.read_text()) + [line.split()[1] for line in COMMANDS if line.startswith("./dev ")]
    for command in told:
        assert re.search(rf"^  {command}\b", subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout, re.M), command
    for command in re.findall(r"`postroad (\w+)", README.read_text()):
        assert subprocess.run([conftest.PROGRAM, "help", command], capture_output=True).returncode == 0, command


def test_no_block_of_a_shell_hides_from_this():
    """A block by another name would be neither typed nor looked for."""
    for path in (README, manual.FOLDER / "start.md"):
        fences = re.findall(r"^```(\S.*)$", path.read_text(), re.M)
        assert set(fences) <= {"sh", "sh run", "sh run until", "text shown", "conf", "text"}, path
        assert os.path.getsize(path) and len(re.findall(r"^```", path.read_text(), re.M)) == 2 * len(fences), f"{path}: a block without a word"
