"""The manual's source: its chapters in order, and what stands in their fences.

A chapter is CommonMark with tables. The fence of a code block says what it is, by words behind its three ticks:

    sh run          typed by a test, in the chapter's one shell, from the first block to the last
    sh run until    the same, again and again until what is shown behind it has come true
    sh              of README.md and the start: typed in a copy of this tree by tests/e2e/test_readme.py; else for an administrator to type
    text shown      what the block before it prints: "..." stands for any text, a line of it for any lines
    conf            a whole configuration if it names a hostname, else a part of one; `postroad check` takes it
    text dovecot    a piece of dovecot.conf; `text postfix`: of main.cf
    text sieve      a script of Sieve; `text script`: one of the shell, in a file of its own
    text, json      for the eye alone
"""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "manual"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+\.md)(?:#[^)]*)?\)")
FENCE = re.compile(r"^```([a-z][a-z ]*)\n(.*?)^```$", re.M | re.S)


def chapters():
    """The paths of all chapters: the contents, and what they link to, in that order."""
    index = FOLDER / "index.md"
    linked = [(FOLDER / link).resolve() for link in LINK.findall(index.read_text())]
    return [index, *dict.fromkeys(linked)]


class Block:
    def __init__(self, path, line, words, text):
        self.path, self.line, self.words, self.text = path, line, words, text

    def __repr__(self):
        return f"{self.path.name}:{self.line}"


def blocks(path):
    """The code blocks of a chapter; those without a word behind their ticks are for the eye."""
    source = path.read_text()
    return [Block(path, source.count("\n", 0, found.start()) + 1, found.group(1).split(), found.group(2))
            for found in FENCE.finditer(source)]
