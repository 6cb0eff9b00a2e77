"""Under a service manager: what it hears of us, and the sockets that it opens for us."""
import os
import pathlib
import signal
import socket

import conftest
from test_roles import role_pid, send

# As a manager does: sockets from descriptor 3 on, for the process that becomes the program.
OPENER = """#!/usr/bin/python3
import os, socket, sys
if sys.argv[1] == "serve":
    sockets = []
    for port in {ports}:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        s.listen()
        sockets.append(s)
    with open({inodes!r}, "w") as file:
        file.write(" ".join(str(os.fstat(s.fileno()).st_ino) for s in sockets))
    kept = [os.dup(s.fileno()) for s in sockets]
    for i, fd in enumerate(kept):
        os.dup2(fd, 3 + i)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(kept)), LISTEN_FDNAMES="smtp")
os.execv({program!r}, ["postroad", *sys.argv[1:]])
"""


class Manager:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(conftest.PATIENCE_S)
        self.environment = {"NOTIFY_SOCKET": str(path)}

    def hears(self, what):
        """What comes before is passed over."""
        heard = []
        while what not in heard:
            heard += self.socket.recv(4096).decode().split("\n")
        return heard


def test_the_manager_hears_how_we_are(postroad, tmp_path):
    manager = Manager(tmp_path / "notify")
    server = postroad(start=False)
    server.environment = {**manager.environment, "WATCHDOG_USEC": "1500000"}
    server.start()
    manager.hears("READY=1")
    for name in ("mail", "mailbox", "auth"):
        assert "NOTIFY_SOCKET" not in pathlib.Path(f"/proc/{role_pid(server, name)}/environ").read_text()
    manager.hears("WATCHDOG=1")
    server.run("reload")
    assert "READY=1" not in manager.hears("RELOADING=1")
    manager.hears("READY=1")
    server.write_conf("nonsense = 1\n")
    os.kill(server.process.pid, signal.SIGHUP)
    manager.hears("RELOADING=1")
    assert "STATUS=At work; the last reload was refused" in manager.hears("READY=1") + manager.hears("WATCHDOG=1")
    server.write_conf()
    # The one that takes our place tells the same manager.
    server.run("upgrade")
    manager.hears("READY=1")
    manager.hears("WATCHDOG=1")
    server.stop()
    manager.hears("STOPPING=1")


def test_sockets_of_the_manager_are_served(postroad, tmp_path):
    server = postroad(start=False)
    stray = conftest.free_port("127.0.0.1")
    inodes, opener = tmp_path / "inodes", tmp_path / "opener"
    opener.write_text(OPENER.format(ports=[stray, server.port], inodes=str(inodes), program=server.program))
    opener.chmod(0o755)
    server.program = str(opener)
    server.start()
    folder = pathlib.Path(f"/proc/{server.process.pid}/fd")
    held = {os.readlink(link) for link in folder.iterdir()}
    lost, served = inodes.read_text().split()
    assert f"socket:[{served}]" in held and f"socket:[{lost}]" not in held
    assert f"the socket at 127.0.0.1:{stray} is closed: no listen section names it" in server.said()
    send(server)
    server.mail("alice", count=1)
