"""From a domain's name to a server that works: what is written, what is to be published, and that nothing is written over."""
import json
import re
import smtplib
import socket
import ssl
import stat
import subprocess
import urllib.request

import pytest

import conftest
from certificates import Authority
from test_dkim_keys import published


class Home(conftest.Postroad):
    """A server in a folder that quickstart fills."""

    def __init__(self, home):
        super().__init__(home)
        for path in home.iterdir():
            path.unlink()

    def quickstart(self, *words, text=None):
        return subprocess.run([self.program, "quickstart", *words, "-c", self.conf], input=text, capture_output=True, text=True,
                              timeout=conftest.PATIENCE_S)


@pytest.fixture
def home(tmp_path):
    server = Home(tmp_path / "home")
    yield server
    server.stop()


def files(home):
    return {path.name: path.read_bytes() for path in home.home.rglob("*") if path.is_file()}


def test_it_works(home):
    web = conftest.free_port()
    made = home.quickstart("example.org", "--user", "ann", "--ip", "192.0.2.1", "--ip", "2001:db8::1", "--web", f"127.0.0.1:{web}",
                           text="a good secret\n")
    assert made.returncode == 0, made.stderr
    for record in ('example.org. IN MX 10 mail.example.org.', "mail.example.org. IN A 192.0.2.1",
                   "mail.example.org. IN AAAA 2001:db8::1", 'example.org. IN TXT "v=spf1 mx -all"',
                   '_dmarc.example.org. IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@example.org"',
                   '_smtp._tls.example.org. IN TXT "v=TLSRPTv1; rua=mailto:postmaster@example.org"',
                   "mta-sts.example.org. IN A 192.0.2.1",
                   "_submissions._tcp.example.org. IN SRV 0 1 465 mail.example.org.",
                   "; 1.2.0.192.in-addr.arpa. IN PTR mail.example.org.",
                   "; 1.0.0.0." + "0.0.0.0." * 5 + "8.b.d.0.1.0.0.2.ip6.arpa. IN PTR mail.example.org."):
        assert record in made.stdout.splitlines(), record
    [id] = re.findall(r'^_mta-sts\.example\.org\. IN TXT "v=STSv1; id=([0-9a-f]{16})"$', made.stdout, re.M)
    keys = published("\n".join(re.findall(r"^\S+\._domainkey\..*?\)$", made.stdout, re.M | re.S)))
    assert len(keys) == 2 and made.stdout.isascii()
    assert "postroad doctor" in made.stderr and "certbot" in made.stderr
    assert stat.S_IMODE((home.home / "users").stat().st_mode) == 0o600 and b"a good secret" not in b"".join(files(home).values())
    assert (home.home / "aliases").read_text().splitlines()[1:3] == ["postmaster: ann", "abuse: postmaster"]

    # What it wrote is right, and serves; port and names are those of a test.
    assert "is right" in home.run("check").stdout
    home.set_zone({**keys})
    conf = home.conf.read_text()
    assert 'listen "[::]:25" { role = mx }' in conf and "mta-sts.example.org. IN AAAA 2001:db8::1" in made.stdout
    conf = conf.replace("*:25", f"127.0.0.1:{home.port}").replace("[::]:25", f"127.0.0.1:{conftest.free_port()}")
    home.conf.write_text(conf + 'dns { zone = "zone.json" }\nlog { to = "log" format = json }\n')
    assert home.run("dkim", "check").returncode == 0
    home.start()
    with home.smtp() as client:
        client.sendmail("x@far.test", ["abuse@example.org"], b"Subject: hello\r\n\r\nHello.\r\n")
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("x@far.test", ["nobody@example.org"], b"Subject: hello\r\n\r\nHello.\r\n")
    assert b"Subject: hello" in home.mail("ann")[0]

    # The policy that its records name is served without more ado, and another one would have another id.
    asked = urllib.request.Request(f"http://127.0.0.1:{web}/.well-known/mta-sts.txt", headers={"Host": "mta-sts.example.org"})
    with urllib.request.urlopen(asked) as answer:
        assert answer.read() == b"version: STSv1\r\nmode: testing\r\nmx: mail.example.org\r\nmax_age: 86400\r\n"
    assert f"mta-sts.example.org/.well-known/mta-sts.txt to http://127.0.0.1:{web}" in made.stderr
    assert recommended(home) == id
    home.conf.write_text(home.conf.read_text().replace("mta-sts = testing", "mta-sts = enforce"))
    assert recommended(home) != id


def recommended(home):
    """The id that the doctor wants to see, for there is no record."""
    found = json.loads(home.run("doctor", "--json", check=False).stdout)
    [mend] = [finding["mend"] for finding in found if finding["about"] == "MTA-STS _mta-sts.example.org"]
    return re.search(r"id=(\w+)", mend)[1]


def test_the_policy_is_served_to_everybody(home, tmp_path):
    """By HTTPS, with the certificate that was given: nothing is to be copied or added."""
    web, authority = conftest.free_port(), Authority(tmp_path / "authority")
    certificate, key = authority.issue("both", "DNS:mail.example.org", "DNS:mta-sts.example.org", folder=tmp_path)
    made = home.quickstart("example.org", "--user", "ann", "--certificate", certificate, "--key", key, "--web", f"0.0.0.0:{web}",
                           "--ip", "192.0.2.1", "--ip", "2001:db8::1", text="a good secret\n")
    assert made.returncode == 0 and "is for mta-sts.example.org as well" in made.stderr, made.stderr
    conf = home.conf.read_text().replace("*:25", f"127.0.0.1:{home.port}")
    # What it does not listen to is not published.
    assert "mta-sts.example.org. IN A 192.0.2.1" in made.stdout and "mta-sts.example.org. IN AAAA" not in made.stdout
    home.conf.write_text(re.sub(r'"(?:\*|\[::\]):(25|465|587)"', lambda _: f'"127.0.0.1:{conftest.free_port()}"', conf) + 'log { to = "log" format = json }\n')
    home.start()
    with ssl.create_default_context(cafile=authority.path).wrap_socket(socket.create_connection(("127.0.0.1", web)),
                                                                      server_hostname="mta-sts.example.org") as client:
        client.sendall(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.example.org\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.endswith(b"\r\n\r\nversion: STSv1\r\nmode: testing\r\nmx: mail.example.org\r\nmax_age: 86400\r\n")
    assert stat.S_IMODE((home.home / "web-tokens").stat().st_mode) == 0o600


def test_nothing_is_written_over(home):
    (home.home / "aliases").write_text("mine: alice\n")
    refused = home.quickstart("example.org", text="secret\n")
    assert refused.returncode == 73 and "aliases is there already" in refused.stderr
    assert list(files(home)) == ["aliases"]
    (home.home / "aliases").unlink()
    assert home.quickstart("example.org", "--user", "ann", text="secret\n").returncode == 0
    before = files(home)
    refused = home.quickstart("example.net", "--user", "bob", text="secret\n")
    assert refused.returncode == 73 and "postroad.conf is there already" in refused.stderr
    assert files(home) == before


def test_without_a_user_and_with_a_certificate(home):
    made = home.quickstart("b\u00fccher.example", "--hostname", "mx.example.net", "--certificate", "/c.pem", "--key", "/k.pem")
    assert made.returncode == 0, made.stderr
    conf = home.conf.read_text()
    assert 'hostname = "mx.example.net"' in conf and 'domains  = {"xn--bcher-kva.example"}' in conf
    assert '\nlisten "*:465" { role = submission tls = implicit }' in conf
    assert '\ntls { certificate = "/c.pem" key = "/k.pem" }' in conf
    assert "user add" in made.stderr and "certbot" not in made.stderr
    assert "xn--bcher-kva.example. IN MX 10 mx.example.net." in made.stdout and "from --ip" in made.stdout


@pytest.mark.parametrize("words", [[], ["nodots"], ["a b.example"], ["example.org", "--key", "k"], ["example.org", "--ip", "x"],
                                   ["example.org", "--user", "a b"], ["example.org", "example.net"], ["example.org", "--what", "x"],
                                   ["example.org", "--web", "unix:/s"], ["example.org", "--web", "here"]])
def test_words_that_make_no_sense(home, words):
    assert home.quickstart(*words).returncode == 64
    assert files(home) == {}
