"""What docs/PROCESSES.md says of the roles, looked up in /proc, and tried by somebody who has taken over each of them."""
import os
import pathlib
import pwd
import re
import resource
import shutil
import signal
import subprocess
import tempfile

import pytest

import conftest
from certificates import Authority
from test_roles import HELLO, role_pid

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not pathlib.Path(conftest.PLAIN).exists(),
                                reason="needs root, and a program without sanitizers, which may do more")

ROLES = ("mail", "mailbox", "auth", "web")
MAIL, AUTH, PERSON = "pr-test-mail", "pr-test-auth", "pr-test-person"
# CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_SETGID, CAP_SETUID
OWNERS = 1 << 0 | 1 << 1 | 1 << 6 | 1 << 7

EVERYWHERE = {
    "read-passwd": "EACCES", "read-shadow": "EACCES", "read-environment": "EACCES", "write-tmp": "EACCES", "link": "EPERM",
    "fork": "EPERM", "exec": "EPERM", "ptrace": "EPERM", "kill": "EPERM", "setuid": "EPERM", "unshare": "EPERM",
    "limit": "EPERM", "dumpable": "EPERM", "execute-written": "EPERM", "write-and-execute": "EPERM", "packet": "EPERM",
}
NO_SOCKETS = {"internet": "EPERM", "unix": "EPERM"}
EXPECTED = {
    "mail": EVERYWHERE | {"internet": "done", "unix": "done"},
    "mailbox": EVERYWHERE | NO_SOCKETS,
    "auth": EVERYWHERE | {"internet": "EPERM", "unix": "done"} | {name: "EPERM" for name in ("read-passwd", "read-shadow", "read-environment", "write-tmp")},
    "web": EVERYWHERE | {"internet": "EPERM", "unix": "done"} | {name: "EPERM" for name in ("read-passwd", "read-shadow", "read-environment", "write-tmp")},
}


@pytest.fixture(scope="module")
def people():
    """Users of the system, for as long as these tests last."""
    made = []
    try:
        for name, words in ((MAIL, ["--system"]), (AUTH, ["--system"]), (PERSON, ["--uid", "54321"])):
            subprocess.run(["useradd", "--no-create-home", "--no-user-group", "--gid", "nogroup", *words, name], check=True,
                           capture_output=True)
            made.append(name)
        yield
    finally:
        for name in made:
            subprocess.run(["userdel", name], capture_output=True)


@pytest.fixture(scope="module")
def server(people):
    """Started as root, for the users of the system, with a key that only root may read, and an intruder in each role."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="postroad-confinement-"))
    os.chmod(home, 0o755)  # What pytest makes is root's alone.
    (home / "told").mkdir()
    certificate, key = Authority(home / "authority").issue("mail", "DNS:mail.example.org", "IP:127.0.0.1")
    os.chmod(key, 0o600)
    made = conftest.Postroad(home, conf=f'tls {{ certificate = "{certificate}" key = "{key}" }}\n')
    made.base = made.base.replace('users = "users"\n', "").replace(
        'run-as = ""', f'run-as = "{MAIL}"\nrun-as-auth = "{AUTH}"').replace('log { to = "log"', 'log { to = "logs/log"')
    (home / "logs").mkdir()
    (home / "password").write_text("pencil\n")
    os.chmod(home / "password", 0o600)
    made.write_conf(f'tls {{ certificate = "{certificate}" key = "{key}" }}\n'
                    'route "provider.test" { via = {"127.0.0.1:1"} user = "carol" password-file = "password" }\n'
                    f'web {{ listen = "127.0.0.1:{conftest.free_port("127.0.0.1")}" }}\n')
    made.key, made.program = pathlib.Path(key), conftest.PLAIN
    made.environment = {**conftest.preload(home, "intruder"), "INTRUDER": str(home / "told")}
    made.start()
    yield made
    conftest.servers.Server.stop(made)
    shutil.rmtree(home)


def log_of(server):
    return server.home / "logs" / "log"


def status(server, role):
    lines = pathlib.Path(f"/proc/{role_pid(server, role)}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_users_and_capabilities(server):
    of = {role: status(server, role) for role in ROLES}
    uids = {role: [int(uid) for uid in of[role]["Uid"].split()] for role in ROLES}
    assert uids["mail"] == [pwd.getpwnam(MAIL).pw_uid] * 4
    assert uids["auth"] == [pwd.getpwnam(AUTH).pw_uid] * 4
    assert uids["web"] == uids["mail"]
    assert uids["mailbox"] == [0] * 4
    for role in ROLES:
        kept = OWNERS if role == "mailbox" else 0
        assert of[role]["Groups"].strip() == "", role
        assert [int(of[role][name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == [kept, kept, 0, 0], role
        assert of[role]["NoNewPrivs"] == "1" and of[role]["Seccomp"] == "2", role
        assert of[role]["Name"] == f"postroad-{role}"[:15]
    assert int(of["mailbox"]["CapBnd"], 16) == OWNERS


def test_every_thread_is_bound(server):
    for task in pathlib.Path(f"/proc/{role_pid(server, 'mail')}/task").iterdir():
        text = (task / "status").read_text()
        assert "Seccomp:\t2" in text and "NoNewPrivs:\t1" in text and "CapEff:\t0000000000000000" in text, text


def test_limits(server):
    for role, most in (("mail", resource.getrlimit(resource.RLIMIT_NOFILE)[1]), ("mailbox", 1024), ("auth", 256), ("web", 256)):
        limits = pathlib.Path(f"/proc/{role_pid(server, role)}/limits").read_text()
        assert re.search(r"Max core file size\s+(\S+)\s+(\S+)", limits).groups() == ("0", "0"), role
        assert re.search(r"Max open files\s+(\S+)", limits).group(1) == str(most), role


def targets(server, role):
    """What the descriptors of a role are, without what the intruder opened."""
    found = {}
    for link in pathlib.Path(f"/proc/{role_pid(server, role)}/fd").iterdir():
        target = re.sub(r"\[\d+\]", "", os.readlink(link))
        if "/told/" not in target:
            found[int(link.name)] = target
    return found


def test_descriptors(server):
    home, lanes = str(server.home), len(os.sched_getaffinity(0))
    for role in ROLES:
        fds = targets(server, role)
        assert fds[0] == "/dev/null" and fds[1] == fds[2] == f"{home}/stderr" and fds[3] == "socket:", (role, fds)
    for role in ("mailbox", "auth"):
        # With each channel auth has what wakes its thread.
        rest = [target for fd, target in targets(server, role).items() if fd > 3 and not target.startswith("anon_inode:")]
        assert rest == ["socket:"] * lanes, (role, rest)
    for target in targets(server, "mail").values():
        assert re.match(rf"/dev/null|{home}/(stderr|logs/log|spool/[\w.-]+)|socket:|pipe:|anon_inode:|/memfd:(conf|names)", target), target


@pytest.mark.parametrize("role", ROLES)
def test_what_an_intruder_can_do(server, role):
    told = server.home / "told" / role
    os.kill(role_pid(server, role), signal.SIGUSR1)
    conftest.until(lambda: "end\n" in told.read_text(), "the intruder to be through")
    assert dict(line.split() for line in told.read_text().splitlines() if line != "end") == EXPECTED[role]
    assert f"role {role[:6]}" in server.said() and "may not call execve" in server.said()


def test_mailboxes_belong_to_their_owners(server):
    with server.smtp() as client:
        client.sendmail("a@client.test", [f"{PERSON}@example.org"], HELLO)
    [message] = conftest.until(lambda: server.mailbox(PERSON), "the message")
    person = pwd.getpwnam(PERSON)
    for path in (message, message.parent, message.parent.parent):
        assert (path.stat().st_uid, path.stat().st_gid) == (person.pw_uid, person.pw_gid), path
    assert message.stat().st_mode & 0o777 == 0o600
    shared = message.parents[2].stat()
    assert (shared.st_uid, shared.st_mode & 0o777) == (0, 0o755)


def test_a_link_of_the_owner_leads_nowhere_that_the_owner_may_not_go(server):
    mailbox = server.home / "mail" / "example.org" / PERSON
    forbidden = server.home / "forbidden"
    forbidden.mkdir(mode=0o700)
    shutil.rmtree(mailbox, ignore_errors=True)
    mailbox.mkdir(parents=True)
    (mailbox / "tmp").symlink_to(forbidden)
    os.chown(mailbox, pwd.getpwnam(PERSON).pw_uid, -1)
    with server.smtp() as client:
        client.sendmail("a@client.test", [f"{PERSON}@example.org"], HELLO)
    conftest.until(lambda: "may not be written" in log_of(server).read_text(), "the deferral")
    assert list(forbidden.iterdir()) == []
    (mailbox / "tmp").unlink()


@pytest.mark.parametrize("user, answered", [(MAIL, True), (AUTH, False), (PERSON, False)])
def test_who_may_ask_by_the_control_socket(server, user, answered):
    ask = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); " \
          "s.sendall(b'{\"do\": \"stats\"}\\n'); print(s.makefile().readline())"
    said = subprocess.run(["/usr/bin/python3", "-c", ask, server.home / "control.sock"], user=user, cwd="/", capture_output=True,
                          text=True, timeout=conftest.PATIENCE_S)
    assert said.returncode == 0, said.stderr
    assert ("only root and the server's own user" in said.stdout) is not answered and said.stdout.startswith("{"), said.stdout


def test_a_key_that_only_root_reads_is_replaced(server):
    certificate, key = Authority(server.home / "other").issue("new", "DNS:mail.example.org", "IP:127.0.0.1")

    def issuer():
        with server.smtp() as client:
            client.starttls()
            return client.sock.getpeercert(True)

    old = issuer()
    os.chmod(key, 0o600)
    conf = server.conf.read_text()
    server.conf.write_text(re.sub(r"tls \{.*\}", f'tls {{ certificate = "{certificate}" key = "{key}" }}', conf))
    server.run("reload")
    conftest.until(lambda: issuer() != old, "the new certificate")


def test_a_password_that_only_root_reads_is_used(server):
    with server.smtp() as client:
        client.sendmail(f"{PERSON}@example.org", ["bob@provider.test"], HELLO)
    # Nobody is there; who had no password would not have dialled.
    conftest.until(lambda: "connection refused" in server.run("queue", "list").stdout, "an attempt")
    server.run("queue", "delete", "all")


def test_a_rotated_log_is_made_anew(server):
    log = log_of(server)
    os.rename(log, server.home / "logs" / "log.1")
    server.run("reload")

    def written():
        with server.smtp() as client:
            client.sendmail("a@client.test", [f"{PERSON}@example.org"], HELLO)
        return log.exists() and "received" in log.read_text()

    conftest.until(written, "the new log to be written")
    assert log.stat().st_uid == pwd.getpwnam(MAIL).pw_uid
