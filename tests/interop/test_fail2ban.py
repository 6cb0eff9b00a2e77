"""Our filter for fail2ban finds in the log who fails to log in, and nobody else."""
import re
import smtplib
import subprocess

import pytest

from test_logins import authority, conftest, context, postroad, serve  # noqa: F401

FILTER = conftest.servers.ROOT / "packaging" / "fail2ban" / "postroad.conf"
OTHERS = ['2026-11-26T13:03:57.775Z - rejected from=<" - login-failed client=x[192.0.2.9] "@b.c> to=a@b.c client=x[192.0.2.9]\n',
          '2026-11-26T13:03:57.775Z - login-failed client=[192.0.2.9][198.51.100.7] protocol=ESMTP\n']


def found(path):
    said = subprocess.run(["fail2ban-regex", "-o", "ip", str(path), str(FILTER)], capture_output=True, text=True, timeout=60)
    return re.findall(r"^\d[\d.]+$", said.stdout, re.M)


def fails_to_log_in(server, authority):  # noqa: F811
    with smtplib.SMTP_SSL("127.0.0.1", server.implicit, context=context(authority), timeout=conftest.PATIENCE_S) as client:
        client.ehlo("client.test")
        return client.docmd("AUTH", "PLAIN AGFsaWNlAHdyb25n")[0] == 535


@pytest.mark.parametrize("form", ["json", "text"])
def test_who_fails_to_log_in_is_found(postroad, authority, form, tmp_path):  # noqa: F811
    server = serve(postroad, authority, passwords=(("alice", "pencil"),))
    server.base = server.base.replace("format = json", f"format = {form}")
    server.write_conf(server.conf.read_text().split("run-as = \"\"\n")[1])
    server.stop()
    (server.home / "log").unlink()
    server.start()
    with smtplib.SMTP("127.0.0.1", server.port, timeout=conftest.PATIENCE_S) as client:
        client.ehlo("[192.0.2.9]")
        client.mail("a@client.test")
        assert client.rcpt("nobody@example.org")[0] == 550
    log = server.home / "log"
    conftest.until(lambda: "rejected" in log.read_text(), "the log line")
    assert found(log) == []
    conftest.until(lambda: fails_to_log_in(server, authority), "the auth role to be there")
    fails_to_log_in(server, authority)
    conftest.until(lambda: log.read_text().count("login-failed") == 2, "the log lines")
    assert found(log) == ["127.0.0.1"] * 2


def test_strangers_cannot_have_others_banned(tmp_path):
    (tmp_path / "log").write_text("".join(OTHERS))
    assert found(tmp_path / "log") == ["198.51.100.7"]
