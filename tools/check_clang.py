"""Clang's warnings about all that gcc has compiled: what it says, the count of files it objects to last, exit code 1 if there is one.

Its front end alone finds them (the analyses behind -Wall and -Wextra are part of it), so no code is made. The options are those that
meson gave gcc, the warnings and -Werror among them: with clang it chooses the same ones.

usage: check_clang.py BUILD_FOLDER (built with gcc, so its generated headers are there)"""

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

WITH_A_VALUE = ("-o", "-MQ", "-MF")
ALONE = ("-c", "-MD")
ONLY_OF_GCC = ("-fdiagnostics-color=always",)  # No colours: this is read in logs.


def clang(command):
    """The words of the same compilation by clang, up to its warnings."""
    words = iter(shlex.split(command))
    while Path(word := next(words)).name == "ccache":
        pass
    kept = ["clang", "-fsyntax-only"]
    for word in words:
        if word in WITH_A_VALUE:
            next(words)
        elif word not in ALONE + ONLY_OF_GCC:
            kept.append(word)
    return kept


def compilations(folder):
    """A source that several programs share is looked at once for each way in which it is compiled: what differs otherwise is
    their own folder of generated headers (-INAME.p), and such headers we do not have."""
    found = {}
    for entry in json.loads((folder / "compile_commands.json").read_text()):
        words = clang(entry["command"])
        found.setdefault(tuple(word for word in words if not (word.startswith("-I") and word.endswith(".p"))), words)
    return list(found.values())


def look(folder, words):
    """What clang says; that it fails without a word is said, too."""
    run = subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         errors="replace")
    return run.stdout or f"{words[-1]}: clang failed ({run.returncode})\n" if run.returncode or run.stdout else ""


def main():
    folder = Path(sys.argv[1]).resolve()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        said = [text for text in pool.map(lambda words: look(folder, words), compilations(folder)) if text]
    print("".join(said) + f"clang objects to {len(said)} files")
    sys.exit(1 if said else 0)


main()
