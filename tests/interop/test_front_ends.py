"""Front ends that speak for their clients: haproxy by the PROXY protocol in both versions, swaks by XCLIENT."""
import pathlib
import smtplib
import socket
import ssl
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import conftest  # noqa: E402
from certificates import Authority  # noqa: E402
from conftest import postroad  # noqa: E402,F401

HELLO = "From: a@far.test\r\nTo: alice@example.org\r\nSubject: Hello\r\n\r\nHello.\r\n"


def talk(address, *said, source="127.0.0.1"):
    """Say it all at once and hear until the end."""
    with socket.create_connection(address, conftest.PATIENCE_S, (source, 0)) as connection:
        try:
            connection.sendall(b"".join(said))
            return b"".join(iter(lambda: connection.recv(4096), b"")).decode()
        except ConnectionResetError:  # Closed with something of ours unread.
            return ""


@pytest.fixture
def haproxy(tmp_path):
    """Starts one: (port in front, options of the server line) for each; gives its process."""
    made = []

    def start(back, *fronts):
        text = "global\n  log stderr local0\ndefaults\n  mode tcp\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n"
        for port, options in fronts:
            text += f"listen front{port}\n  bind 127.0.0.1:{port}\n  server back 127.0.0.1:{back} {options}\n"
        (tmp_path / "haproxy.cfg").write_text(text)
        made.append(subprocess.Popen(["haproxy", "-db", "-f", str(tmp_path / "haproxy.cfg")],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for port, _ in fronts:
            conftest.until(lambda port=port: answers(port), "haproxy")

    yield start
    for process in made:
        process.kill()
        process.wait()


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def test_haproxy(postroad, haproxy):
    back, one, two = conftest.free_port(), conftest.free_port(), conftest.free_port()
    server = postroad(relay_from='"127.0.0.2"', conf=f"""
        proxy-from = {{"127.0.0.1"}}
        listen "127.0.0.1:{back}" {{ proxy = yes }}
    """)
    haproxy(back, (one, "send-proxy"), (two, "send-proxy-v2 check inter 1s"))
    for port, client in (one, "127.0.0.5"), (two, "127.0.0.6"):
        heard = talk(("127.0.0.1", port), b"EHLO c.test\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<b@far.test>\r\nQUIT\r\n", source=client)
        assert heard.startswith("220 ") and "\r\n550 5.7.1 " in heard, heard
        # In relay-from; the front end is not, and neither would lend its rights.
        heard = talk(("127.0.0.1", port), b"EHLO c.test\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<b@far.test>\r\nQUIT\r\n", source="127.0.0.2")
        assert "\r\n250 2.1.5 " in heard, heard
        with smtplib.SMTP("127.0.0.1", port, local_hostname="c.test", timeout=conftest.PATIENCE_S, source_address=(client, 0)) as smtp:
            smtp.sendmail("a@far.test", ["alice@example.org"], HELLO)
    assert [event["client"] for event in server.told("rejected", 2)] == ["c.test[127.0.0.5]", "c.test[127.0.0.6]"]
    texts = [mail.decode() for mail in server.mail("alice", count=2)]
    assert sorted(text.split("Received: from ")[1].split("\n")[0] for text in texts) == ["c.test ([127.0.0.5])", "c.test ([127.0.0.6])"]


def test_tls_behind_the_header(postroad, haproxy, tmp_path):
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.issue("mail", "DNS:mail.example.org", "IP:127.0.0.1")
    back, front = conftest.free_port(), conftest.free_port()
    server = postroad(conf=f"""
        proxy-from = {{"127.0.0.1"}}
        tls {{ certificate = "{certificate}" key = "{key}" }}
        listen "127.0.0.1:{back}" {{ proxy = yes tls = implicit }}
    """)
    haproxy(back, (front, "send-proxy-v2"))
    context = ssl.create_default_context(cafile=authority.path)
    with smtplib.SMTP_SSL("127.0.0.1", front, context=context, timeout=conftest.PATIENCE_S, source_address=("127.0.0.5", 0)) as smtp:
        smtp.sendmail("a@far.test", ["alice@example.org"], HELLO)
    assert b"([127.0.0.5])" in server.mail("alice")[0]


def test_who_may_not_speak_it(postroad):
    proxied = conftest.free_port()
    server = postroad(conf=f'proxy-from = {{"127.0.0.1"}}\nlisten "127.0.0.1:{proxied}" {{ proxy = yes }}\n')
    header = b"PROXY TCP4 127.0.0.9 127.0.0.1 4000 25\r\n"
    assert talk(("127.0.0.1", proxied), header, b"QUIT\r\n").startswith("220 ")
    assert talk(("127.0.0.1", proxied), header, b"QUIT\r\n", source="127.0.0.3") == ""
    assert talk(("127.0.0.1", proxied), b"EHLO c.test\r\n") == ""
    # A listener that expects none takes it for what it is: no command.
    assert "\r\n500 5.5.1 " in talk((server.address, server.port), b"EHLO c.test\r\n", header, b"QUIT\r\n")
    assert [event["reason"] for event in server.told("proxy-refused", 2)] == ["it comes from no front end of ours", "what came is no PROXY header"]
    assert server.ask("stats")["counters"]["proxy-refused"] == 2


def test_xclient_of_swaks(postroad):
    server = postroad(relay_from='"127.0.0.2"', conf='xclient-from = {"127.0.0.1"}\n')

    def swaks(address, recipient):
        return subprocess.run(["swaks", "--server", f"{server.address}:{server.port}", "--from", "a@far.test", "--to", recipient,
                               "--ehlo", "c.test", "--xclient", f"ADDR={address} NAME=c.test"],
                              capture_output=True, text=True, timeout=60)

    assert " 550 5.7.1 " in swaks("192.0.2.7", "b@far.test").stdout
    assert swaks("127.0.0.2", "alice@example.org").returncode == 0
    said = swaks("192.0.2.7", "alice@example.org")
    assert said.returncode == 0, said.stdout
    texts = [mail.decode() for mail in server.mail("alice", count=2)]
    assert {text.split("Received: from ")[1].split("\n")[0] for text in texts} == {"c.test ([192.0.2.7])", "c.test ([127.0.0.2])"}
