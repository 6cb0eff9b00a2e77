#!/usr/bin/env python3
"""make_completion.py PROGRAM bash|zsh|fish: what a shell completes, from what the program says of its commands in its help."""
import re
import subprocess
import sys


def said(program, *words):
    return subprocess.run([program, *words], capture_output=True, text=True, check=True).stdout


def options(program, name):
    """Those of a command: ["-c", "--sender", ...]"""
    return sorted({"-c", *re.findall(r"(?<![\w-])--[a-z][a-z-]*", said(program, "help", name))})


def commands(program):
    """{"queue": ["list", "show", ...], "reload": []}, and what each does."""
    found, meaning, last = {}, {}, []
    for line in said(program, "help").split("\n"):
        row = re.match(r"  ([a-z].*?)(?:\s{2,}(.*))?$", line)
        if row is None:
            told = re.match(r"\s{20,}(\S.*)", line)
            for name in last if told else []:
                meaning.setdefault(name, told.group(1))
            continue
        last = []
        for part in row.group(1).split(", "):
            words = part.split()
            below = re.split(r"\|", words[1].strip("[]")) if len(words) > 1 else []
            found.setdefault(words[0], []).extend(word for word in below if re.fullmatch(r"[a-z][a-z-]+", word))
            last.append(words[0])
            if row.group(2):
                meaning.setdefault(words[0], row.group(2))
    return found, meaning


def bash(found, meaning, takes):
    yield "# bash completion for postroad"
    yield "_postroad() {"
    yield '\tlocal word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD - 1]}"'
    yield '\tif [ "$before" = -c ]; then'
    yield '\t\tmapfile -t COMPREPLY < <(compgen -f -- "$word")'
    yield "\t\treturn"
    yield "\tfi"
    yield '\tif [ "$COMP_CWORD" = 1 ]; then'
    yield f'\t\tmapfile -t COMPREPLY < <(compgen -W "{" ".join(found)}" -- "$word")'
    yield "\t\treturn"
    yield "\tfi"
    yield "\tlocal words= options="
    yield '\tcase "${COMP_WORDS[1]}" in'
    for name in found:
        yield f'\t{name}) options="{" ".join(takes[name])}" ;;'
    yield "\tesac"
    yield '\tcase "$COMP_CWORD ${COMP_WORDS[1]}" in'
    for name, below in found.items():
        if below:
            yield f'\t"2 {name}") words="{" ".join(below)}" ;;'
    yield "\tesac"
    yield '\tmapfile -t COMPREPLY < <(compgen -W "$words $options" -f -- "$word")'
    yield "}"
    yield "complete -F _postroad postroad"


def zsh(found, meaning, takes):
    yield "#compdef postroad"
    yield "local -a commands below"
    yield "commands=("
    for name in found:
        yield "\t'" + name + ":" + meaning.get(name, "").replace("'", "").replace(":", "") + "'"
    yield ")"
    yield "if (( CURRENT == 2 )); then"
    yield "\t_describe command commands"
    yield "\treturn"
    yield "fi"
    yield '[[ $words[CURRENT-1] == -c ]] && { _files; return }'
    yield "(( CURRENT == 3 )) && case $words[2] in"
    for name, below in found.items():
        if below:
            yield f"{name}) below=({' '.join(below)}) ;;"
    yield "esac"
    yield "case $words[2] in"
    for name in found:
        yield f"{name}) below+=({' '.join(takes[name])}) ;;"
    yield "esac"
    yield "_alternative 'words:word:compadd -a below' 'files:file:_files'"


def fish(found, meaning, takes):
    yield "# fish completion for postroad"
    for name, below in found.items():
        told = meaning.get(name, "").replace("'", "")
        yield f"complete -c postroad -n __fish_use_subcommand -f -a {name} -d '{told}'"
        if below:
            yield f"complete -c postroad -n '__fish_seen_subcommand_from {name}' -f -a '{' '.join(below)}'"
        for option in takes[name]:
            if option.startswith("--"):
                yield f"complete -c postroad -n '__fish_seen_subcommand_from {name}' -l {option[2:]}"
    yield "complete -c postroad -s c -r -d 'configuration file'"


if __name__ == "__main__":
    found, meaning = commands(sys.argv[1])
    takes = {name: options(sys.argv[1], name) for name in found}
    print("\n".join({"bash": bash, "zsh": zsh, "fish": fish}[sys.argv[2]](found, meaning, takes)))
