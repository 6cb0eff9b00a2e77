"""A real Dovecot: as the one who checks passwords, and as another reader of the users file."""
import os
import pathlib
import signal
import smtplib
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import conftest  # noqa: E402
from conftest import postroad  # noqa: E402,F401
from test_logins import arrived, authority, context, events, run, serve  # noqa: E402,F401

CONF = """
base_dir = {home}/base
state_dir = {home}/base
log_path = {home}/log
protocols =
ssl = no
default_internal_user = root
default_internal_group = root
default_login_user = nobody
auth_mechanisms = plain login scram-sha-256 cram-md5
auth_failure_delay = 1 secs
passdb {{
  driver = passwd-file
  args = {users}
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nowhere
}}
# Without the waits that Dovecot has for an address with failures.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  unix_listener auth-client {{
    mode = 0666
  }}
}}
"""


class Dovecot:
    def __init__(self, users):
        # A socket's path has at most 107 bytes, and pytest's folders are deep.
        self.folder = tempfile.TemporaryDirectory(prefix="dovecot.")
        self.home = pathlib.Path(self.folder.name)
        (self.home / "base").mkdir()
        self.conf = self.home / "dovecot.conf"
        self.conf.write_text(CONF.format(home=self.home, users=users))
        self.socket = self.home / "base" / "auth-client"
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.conf], start_new_session=True)
        conftest.until(self.socket.exists, "Dovecot's socket")

    def stop(self):
        """All of its processes: its auth service would go on without the others, as long as somebody is connected."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=conftest.PATIENCE_S)
        self.process = None

    def knows(self, user, password):
        result = subprocess.run(["doveadm", "-c", self.conf, "auth", "test", user], input=password + "\n", text=True, capture_output=True,
                                timeout=conftest.PATIENCE_S)
        assert ("auth succeeded" in result.stdout) == (result.returncode == 0), result
        return result.returncode == 0


@pytest.fixture
def dovecot():
    made = []

    def make(users):
        made.append(Dovecot(users))
        return made[-1]
    yield make
    for one in made:
        one.stop()
        one.folder.cleanup()


def test_dovecot_reads_what_user_add_wrote(postroad, dovecot):  # noqa: F811
    server = postroad(users=(), start=False)
    (server.home / "users").write_text("")
    for name, password in (("alice", "pencil"), ("bob@example.org", "pässwörd")):
        server.run("user", "add", name, text=f"{password}\n")
    reader = dovecot(server.home / "users")
    assert reader.knows("alice", "pencil") and reader.knows("bob@example.org", "pässwörd")
    assert not reader.knows("alice", "pen")
    server.run("user", "password", "alice", text="crayon\n")
    conftest.until(lambda: reader.knows("alice", "crayon"), "Dovecot to see the new file")


@pytest.fixture
def served(postroad, authority, dovecot, tmp_path):  # noqa: F811
    """Dovecot knows alice and carol; we know alice, by name alone, and bob, whose password is for nothing."""
    (tmp_path / "passwords").write_text("alice:{PLAIN}pencil\ncarol:{PLAIN}crayon\n")
    checker = dovecot(tmp_path / "passwords")
    server = serve(postroad, authority, users="alice\nbob:{PLAIN}eraser\n", conf=f'auth {{ dovecot = "unix:{checker.socket}" }}\n')
    return server, checker


def test_a_dovecot_that_was_never_there(postroad, authority, tmp_path):  # noqa: F811
    server = serve(postroad, authority, users="alice\n", conf=f'auth {{ dovecot = "unix:{tmp_path}/none" }}\n')
    conftest.until(lambda: "is away" in server.said(), "the look for Dovecot")
    with connect(server, authority) as client:
        assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"]
        code, words = client.docmd("AUTH", "PLAIN AGFsaWNlAHBlbmNpbA==")
        assert code == 454 and words.startswith(b"4.7.0 "), words


def connect(server, authority):  # noqa: F811
    client = smtplib.SMTP_SSL("127.0.0.1", server.implicit, context=context(authority), timeout=conftest.PATIENCE_S)
    client.ehlo()
    return client


def test_dovecot_checks_passwords(served, authority):  # noqa: F811
    server, checker = served
    common = ("--host=localhost", f"--port={server.implicit}", "--tls=on", "--tls-starttls=off",
              f"--tls-trust-file={authority.path}", "--from=alice@example.org", "bob@example.org")

    def send(mechanism, user, password, good=True):
        run("msmtp", f"--auth={mechanism}", f"--user={user}", f"--passwordeval=echo {password}", *common, text="Subject: one\n\none\n",
            good=good)
    with connect(server, authority) as client:
        assert client.esmtp_features["auth"].split() == ["SCRAM-SHA-256", "PLAIN", "LOGIN"]
    for mechanism in ("plain", "login", "scram-sha-256"):
        send(mechanism, "alice", "pencil")
    assert arrived(server, 3)
    with connect(server, authority) as slow, connect(server, authority) as client:
        slow.putcmd("AUTH", "PLAIN AGJvYgBlcmFzZXI=")  # bob, whom Dovecot does not know, waits for his answer ...
        client.login("carol", "crayon")                # ... and nobody with him.
        client.sendmail("carol@example.org", ["bob@example.org"], "Subject: two\r\n\r\ntwo\r\n")
        assert slow.getreply()[0] == 535
    users = [event["user"] for event in conftest.until(lambda: len(events(server, "received")) == 4 and events(server, "received"), "the log")]
    assert users == ["alice"] * 3 + ["carol"]
    # It goes, and comes again.
    checker.stop()
    conftest.until(lambda: "is away" in server.said(), "the loss of Dovecot")
    with connect(server, authority) as client:
        assert client.esmtp_features["auth"].split() == ["SCRAM-SHA-256", "PLAIN", "LOGIN"]
        assert client.docmd("AUTH", "PLAIN AGFsaWNlAHBlbmNpbA==")[0] == 454
        line, = conftest.until(lambda: events(server, "login-deferred"), "the log line")
        assert line["mechanism"] == "PLAIN" and line["reason"].startswith("Dovecot ")
        checker.start()
        conftest.until(lambda: client.docmd("AUTH", "PLAIN AGFsaWNlAHBlbmNpbA==")[0] == 235, "Dovecot to be there again")
    assert server.ask("stats")["counters"]["logins-deferred"] >= 1
