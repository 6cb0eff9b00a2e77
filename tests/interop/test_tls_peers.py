"""TLS with clients and servers from Debian: swaks, msmtp, and Postfix on both sides."""
import os
import pathlib
import pwd
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import conftest  # noqa: E402
from certificates import Authority  # noqa: E402
from conftest import postroad  # noqa: E402,F401


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def server(postroad, authority):  # noqa: F811
    certificate, key = authority.issue("mail", "DNS:localhost", "IP:127.0.0.1")
    implicit = conftest.free_port()
    made = postroad(conf=f'tls {{ certificate = "{certificate}" key = "{key}" }}\n'
                    f'listen "127.0.0.1:{implicit}" {{ role = submission tls = implicit }}\n')
    made.implicit = implicit
    return made


def run(*words, text=None, **env):
    result = subprocess.run(list(map(str, words)), input=text, capture_output=True, text=True, timeout=60,
                            env={**os.environ, **env})
    assert result.returncode == 0, (words, result.stdout, result.stderr)
    return result.stdout


def with_tls(server, count):
    messages = server.mail("alice", count=count)
    return all(b"with ESMTPS (TLSv1.3 " in message for message in messages)


def test_swaks(server, authority):
    common = ("--from", "a@client.test", "--to", "alice@example.org", "--tls-verify", "--tls-ca-path", authority.path)
    run("swaks", "--server", f"{server.address}:{server.port}", "--tls", *common)
    run("swaks", "--server", f"{server.address}:{server.implicit}", "--tls-on-connect", *common)
    assert with_tls(server, 2)


def test_msmtp(server, authority):
    common = ("--from=a@client.test", "--auth=off", "--tls=on", f"--tls-trust-file={authority.path}", "alice@example.org")
    run("msmtp", "--host=localhost", f"--port={server.port}", "--tls-starttls=on", *common, text="Subject: one\n\none\n")
    run("msmtp", "--host=localhost", f"--port={server.implicit}", "--tls-starttls=off", *common, text="Subject: two\n\ntwo\n")
    assert with_tls(server, 2)


def test_the_client_of_postfix(server, authority, tmp_path):
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n")
    said = run("/usr/sbin/posttls-finger", "-c", "-l", "secure", "-F", authority.path, f"[127.0.0.1]:{server.port}",
               "127.0.0.1", "localhost", MAIL_CONFIG=str(tmp_path))
    assert "Verified TLS connection established" in said, said


MASTER = """127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
discard unix - - n - - discard
smtp unix - - n - - smtp
verify unix - - n - 1 verify
"""


def serve_postfix(authority, *more):
    """A Postfix that takes everything, under TLS, and throws it away; `more` lines end its main.cf. Gives its port, once."""
    if os.geteuid() != 0:
        pytest.skip("Postfix needs root to start")
    # Its daemons must be able to reach their folders.
    home = pathlib.Path(subprocess.run(["mktemp", "-d", "/tmp/postfix_test.XXXXXX"], check=True, capture_output=True,
                                       text=True).stdout.strip())
    home.chmod(0o755)
    certificate, key = authority.issue("postfix", "DNS:mx.postfix.test")
    port, owner = conftest.free_port(), pwd.getpwnam("postfix")
    for folder in ("etc", "spool", "data"):
        (home / folder).mkdir()
    os.chown(home / "data", owner.pw_uid, owner.pw_gid)
    (home / "etc/main.cf").write_text("\n".join([
        "compatibility_level = 3.6", f"queue_directory = {home}/spool", f"data_directory = {home}/data",
        "command_directory = /usr/sbin", "daemon_directory = /usr/lib/postfix/sbin", "mail_owner = postfix",
        "setgid_group = postdrop", "myhostname = mx.postfix.test", "inet_interfaces = 127.0.0.1", "inet_protocols = ipv4",
        "mynetworks = 127.0.0.0/8", "mydestination =", "alias_maps =", "alias_database =", "smtpd_peername_lookup = no",
        "default_transport = discard", "smtpd_relay_restrictions = permit_mynetworks, reject",
        f"smtpd_tls_cert_file = {certificate}", f"smtpd_tls_key_file = {key}", "smtpd_tls_security_level = encrypt",
        f"maillog_file = {home}/log", f"maillog_file_prefixes = {home}", *more, ""]))
    (home / "etc/master.cf").write_text(MASTER.format(port=port) + "postlog unix-dgram n - n - 1 postlogd\n")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(["/usr/sbin/postfix", "-c", home / "etc", "set-permissions"], **quiet)
    subprocess.run(["/usr/sbin/postfix", "-c", home / "etc", "start"], check=True, **quiet)
    yield port
    subprocess.run(["/usr/sbin/postfix", "-c", home / "etc", "stop"], **quiet)
    subprocess.run(["rm", "-rf", home], check=True)


@pytest.fixture
def postfix(authority):
    yield from serve_postfix(authority)


def test_postfix_takes_mail(postfix, postroad, authority):  # noqa: F811
    server = postroad(zone={"mx.postfix.test": {"A": ["127.0.0.1"]}}, conf=f'tls {{ ca = "{authority.path}" }}\n'
                      f'route "remote.test" {{ via = {{"mx.postfix.test:{postfix}"}} tls = required }}\n')
    for _ in range(2):
        with server.smtp() as client:
            client.sendmail("alice@example.org", ["carol@remote.test"], "Subject: x\r\n\r\nx\r\n")
    events = conftest.until(lambda: len(lines := [event for event in server.log() if event["event"] == "delivered"]) == 2
                            and lines, "two log lines")
    assert all(event["tls"].startswith("TLSv1.3 ") for event in events)
    assert "queued as" in events[0]["reply"]
