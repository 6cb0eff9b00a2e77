#!/usr/bin/python3
"""make_pages.py PROGRAM FOLDER: the manual pages of the commands, in FOLDER; and beside them those of files that are written by hand.

docs/postroad.8 says of each command what it does. Here each gets a page of its own, whose name, summary and synopsis are those of
the program's help, and postroad(8) is left with the list of them. A command that only one of the two knows ends this with a message.
"""
import pathlib
import re
import shutil
import sys

import make_completion

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = "The commands are:\n.Bl -tag -width Ds\n", "\n.El\n"
# They say nothing that needs a page.
WITHOUT = ("help", "version")
MANY = {"reload": "read the configuration again", "upgrade": "put the installed program in the place of the running one",
        "stop": "end the running server", "queue": "what waits, and what is to become of it",
        "reports": "reports of a day, and what others report about our domains"}
SENDMAIL = (".Pp\n.Nm sendmail\nreads a message", "\n.Sh ")


def blocks(source):
    """(command, head, prose) for each item of the list, in its order."""
    start = source.index(BEGIN) + len(BEGIN)
    items = re.split(r"^\.It Cm ", source[start:source.index(END, start)], flags=re.M)[1:]
    for item in items:
        head, prose = item.split("\n", 1) if "\n" in item else (item, "")
        yield head.split()[0], head, prose.rstrip("\n") + "\n"


def usage_of(program, command):
    return make_completion.said(program, "help", command)


def forms(usage):
    """The lines of a usage that show how a command is called, each in one; what is said behind them is left out."""
    found = []
    for line in usage.removeprefix("usage: ").splitlines():
        form = re.sub(r"\s{2,}.*", "", line.strip())
        if re.match(r"(?:\s{7})?(?:postroad|sendmail) ", line):
            found.append(form)
        elif re.match(r"\s{9}", line) and found:
            found[-1] += " " + form
        else:
            break
    return found


def marked(token):
    """A token of a form as mdoc calls it."""
    if token in ("[", "]"):
        return "Oo" if token == "[" else "Oc"
    if token.startswith("-") and len(token) > 1:
        return f"Fl {token[1:]}"
    if token == "|":
        return token
    if re.match(r".*[A-Z]|\d", token):
        return f"Ar {token.lower()}"
    return f"Cm {token}" if token[0].isalpha() else f"No {token}"


def synopsis(usage):
    """The section, in mdoc. Where two tokens touch they do so there."""
    for form in forms(usage):
        name, rest = form.split(" ", 1)
        if name == "postroad" and "-c " not in rest:
            rest += " [-c FILE]"
        line, touches = "", True
        for token in re.findall(r"\s+|--?[a-z][a-z-]*|\[|\]|\||[^\s\[\]|]+", rest):
            if token.isspace():
                touches = False
                continue
            line += (" Ns" if line and touches else "") + " " + marked(token)
            touches = True
        # Brackets make their own distance.
        line = re.sub(r"\bOo Ns\b", "Oo", line).replace(" Ns Oc", " Oc")
        yield f".Nm {name}\n.{line.strip()}\n"


def elsewhere(prose):
    """Sections of postroad(8) are in another page now."""
    return re.sub(r"^\.Sx (.*?)( [.,])?$", lambda found: f".Dq {found.group(1)}\nin\n.Xr postroad 8{found.group(2) or ''}", prose, flags=re.M)


def folded(text):
    """No line of prose longer than mandoc likes it."""
    for line in text.split("\n"):
        while len(line) > 80 and not line.startswith("."):
            at = line.rfind(" ", 0, 80)
            if at < 0:
                break
            yield line[:at]
            line = line[at + 1:]
        yield line


def page(date, command, summary, items, usage, more):
    text = f".Dd {date}\n.Dt POSTROAD-{command.upper()} 8\n.Os\n.Sh NAME\n.Nm postroad-{command}\n.Nd {summary.rstrip('?')}\n.Sh SYNOPSIS\n"
    text += "".join(synopsis(usage)) + ".Sh DESCRIPTION\n"
    if len(items) == 1:
        text += items[0][1]
    else:
        text += ".Bl -tag -width Ds\n" + "".join(f".It Cm {head}\n{prose}" for head, prose in items) + ".El\n"
    text = "\n".join(folded(elsewhere(text + more)))
    return text + ".Sh EXIT STATUS\nAs\n.Xr postroad 8\nsays, unless it is told above.\n.Sh SEE ALSO\n.Xr postroad.conf 5 ,\n.Xr postroad 8\n"


def overview(source, summaries):
    """postroad(8) with the list of its commands."""
    start = source.index(BEGIN) + len(BEGIN)
    items = "".join(f".It Xr postroad-{name} 8\n{summary[0].upper() + summary[1:]}{'' if summary.endswith('?') else '.'}\n"
                    for name, summary in summaries.items())
    items += ".It Cm version , help\nThe version; the commands in short."
    return source[:start] + items + source[source.index(END, start):]


def make(program, folder):
    source = (ROOT / "docs" / "postroad.8").read_text()
    found, meanings = make_completion.commands(program)
    by_command = {}
    for command, head, prose in blocks(source):
        by_command.setdefault(command, []).append((head, prose))
    if set(by_command) - set(WITHOUT) != set(found) - set(WITHOUT):
        sys.exit(f"docs/postroad.8 and postroad help know different commands: {sorted(set(by_command) ^ set(found))}")
    date = re.search(r"^\.Dd (.*)$", source, re.M).group(1)
    start = source.index(SENDMAIL[0])
    sendmail = source[start:source.index(SENDMAIL[1], start) + 1]
    summaries = {name: MANY.get(name, meanings.get(name, "")) for name in found if name not in WITHOUT}
    folder.mkdir(parents=True, exist_ok=True)
    for path in (ROOT / "docs").glob("*.5"):
        shutil.copy(path, folder)
    for name, summary in summaries.items():
        (folder / f"postroad-{name}.8").write_text(page(date, name, summary, by_command[name], usage_of(program, name), sendmail if name == "send" else ""))
    (folder / "postroad.8").write_text("\n".join(folded(overview(source.replace(sendmail, ""), summaries))))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    make(sys.argv[1], pathlib.Path(sys.argv[2]))
