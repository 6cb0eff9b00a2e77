"""Promises broken on purpose: each must be found. Some through the disk, which only pretends to flush; some by one changed
place in a copy of a source file, compiled and linked before the library that has the right one."""
import json
import pathlib
import shlex
import subprocess

import workload
from workload import disks

ROOT = workload.ROOT
LOCAL = [lambda dice: (list(workload.LOCAL), 9000)]
BOUNCED = [lambda dice: (["nobody@refuse.test"], 500)]
SLOW = (disks.SLEEP, (disks.FLUSH, disks.FLUSH_ALL), "", 0, -1, 8)
ONE_MAILBOX = [lambda dice: (["alice@example.org"], 9000)]


def swallow(kind, pattern=""):
    return (disks.SWALLOW, (kind,), pattern)


# name: (orders, kinds of messages, sessions, [(file, [(old, new)])])
MUTANTS = {
    "the flush of the database is skipped": ([swallow(disks.FLUSH, "spool/data.mdb")], ONE_MAILBOX, 3, []),
    "the flush of the root is skipped": ([swallow(disks.WRITE_SYNC, "spool/data.mdb")], ONE_MAILBOX, 3, []),
    "the flush of mailboxes is skipped": ([swallow(disks.FLUSH_ALL)], LOCAL, 3, []),
    "the flush of the message's file is skipped": ([swallow(disks.FLUSH, "mail/*/tmp/*")], ONE_MAILBOX, 1, []),
    "the flush of names in a mailbox is skipped": ([swallow(disks.FLUSH, "mail/*/new")], ONE_MAILBOX, 3, []),
    "250 before the flush": ([SLOW], ONE_MAILBOX, 3, [
        ("src/spool/lmdb.c", [("flags | MDB_NOTLS", "flags | MDB_NOSYNC | MDB_NOTLS")]),
        ("src/spool/lmdb_writer.c", [
            ("ports_finish(&lmdb->spool, list, error == OK ? &batch.news : NULL);",
             "ports_finish(&lmdb->spool, list, error == OK ? &batch.news : NULL);\n\t(void)mdb_env_sync(lmdb->env, 1);")])]),
    "a mailbox shows its mail before the flush": ([], LOCAL, 3, [
        ("src/mailbox/batch.c", [
            ("\tflush_files(batch);\n\tfor (size_t i = 0;", "\tfor (size_t i = 0;"),
            ("\tif (folder_count(batch) >", "\tflush_files(batch);\n\tif (folder_count(batch) >")])]),
    "a report is stored behind its cause, not with it": ([SLOW], BOUNCED, 1, [
        ("src/queue/settle.c", [
            ("static void job_settled(void *context, enum error result);",
             "static void job_settled(void *context, enum error result);\nstatic _Thread_local struct spool_change *second;"),
            ("|| !report_add(job, change, &report))",
             "|| !report_add(job, second = spool_change_new(), &report))"),
            ("\tclear_doubt(job);\n\tif (job->route.kind != ROUTE_EXPAND)",
             "\tclear_doubt(job);\n\tif (second != NULL)\n\t\tspool_submit(queue->parts.port, take(second), NULL, NULL);\n"
             "\tif (job->route.kind != ROUTE_EXPAND)")])]),
}
FORGETFUL = {
    "the outbound mark is forgotten": [("src/outbound/connection.c", [
        ("\tif (world->in_doubt == NULL)", "\tif (world->in_doubt != NULL)")])],
}


def commands(build):
    compiled = {entry["file"]: entry["command"] for entry in json.loads((build / "compile_commands.json").read_text())}
    linked = subprocess.run(["ninja", "-C", str(build), "-t", "commands", "src/programs/postroad"], check=True, text=True,
                            capture_output=True).stdout.splitlines()[-1]
    return compiled, shlex.split(linked)


def make(build, name, changes):
    """The program with changed sources; an object before the libraries takes the place of theirs."""
    if not changes:
        return None
    build = pathlib.Path(build).resolve()
    folder = build / "mutants" / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    compiled, link = commands(build)
    objects = []
    for path, replacements in changes:
        source = (ROOT / path).read_text()
        for old, new in replacements:
            assert source.count(old) == 1, f"{path} has changed: {old!r} is to be there once"
            source = source.replace(old, new)
        copy = folder / pathlib.Path(path).name
        copy.write_text(source)
        words = shlex.split(compiled["../" + path])
        words[words.index("-c") + 1] = str(copy)
        words[words.index("-o") + 1] = str(copy) + ".o"
        words = [word for i, word in enumerate(words) if word not in ("-MD",) and words[i - 1] not in ("-MQ", "-MF")
                 and word not in ("-MQ", "-MF")]
        subprocess.run(words + ["-Wno-error"], cwd=build, check=True)
        objects.append(str(copy) + ".o")
    program = folder / "postroad"
    link[link.index("-o") + 1] = str(program)
    at = next(i for i, word in enumerate(link) if word.endswith(".o"))
    subprocess.run(link[:at] + objects + link[at:], cwd=build, check=True)
    return program
