"""The web interface over real HTTP: health, metrics, and who may ask."""
import hashlib
import http.client
import json
import re
import socket
import time

import conftest
import pytest
from certificates import Authority
from conftest import free_port, until


class Web:
    """A client that says what it is told to, and nothing else."""

    def __init__(self, port, token=None):
        self.port, self.token = port, token

    def ask(self, method, path, body=None, host=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=conftest.PATIENCE_S)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if host is not None:
            headers["Host"] = host
        if self.token and "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {self.token}"
        if isinstance(body, dict):
            body, headers["Content-Type"] = json.dumps(body), "application/json"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.bytes = answer.read()
            return answer
        finally:
            connection.close()

    def status(self, method, path, body=None, **headers):
        return self.ask(method, path, body, **headers).status

    def json(self, method, path, body=None, status=200, **headers):
        answer = self.ask(method, path, body, **headers)
        assert answer.status == status, (answer.status, answer.bytes)
        assert answer.headers["Content-Type"] == "application/json"
        return json.loads(answer.bytes)


@pytest.fixture
def serving(postroad):
    """A maker of servers with a web interface; `tokens`: names of tokens with their scopes."""
    def make(tokens=None, web="", conf="", **settings):
        port = free_port("127.0.0.1")
        server = postroad(start=False, **settings)
        named = ""
        if tokens is not None:
            named = 'tokens = "web-tokens"'
            (server.home / "web-tokens").write_text("".join(
                f"{name}:{hashlib.sha256(name.encode()).hexdigest()}:{scopes}\n" for name, scopes in tokens.items()))
        server.write_conf(f'web {{ listen = "127.0.0.1:{port}" {named} {web} }}\n{conf}')
        server.start()
        server.web = Web(port)
        until(lambda: listens(port), "the web role")
        return server
    return make


def listens(port):
    try:
        return Web(port).status("GET", "/readyz") == 200
    except OSError:
        return False


def submit(server, to, sender="a@client.test", text="Subject: hello\r\n\r\nhello\r\n"):
    with server.smtp() as smtp:
        smtp.sendmail(sender, [to], text)


def values(metrics):
    return {name: float(value) for name, value in re.findall(r"^(postroad_\w+(?:\{[^}]*\})?) (\S+)$", metrics, re.M)}


def test_health_is_told(serving):
    server = serving()
    assert server.web.ask("GET", "/healthz").bytes == b"ok\n"
    assert server.web.ask("GET", "/readyz").bytes == b"ready\n"
    assert server.web.status("HEAD", "/healthz") == 200


def test_metrics_count_what_happens(serving):
    server = serving()
    submit(server, "alice@example.org")
    server.mail("alice")
    answer = server.web.ask("GET", "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    metrics = values(answer.bytes.decode())
    assert metrics["postroad_received_total"] == 1
    until(lambda: values(server.web.ask("GET", "/metrics").bytes.decode())["postroad_delivered_here_total"] == 1, "it to be counted")
    assert metrics["postroad_spool_commits_total"] > 0
    assert 0 < metrics["postroad_descriptors"] < metrics["postroad_descriptors_limit"]
    assert metrics["postroad_host_memory_bytes"] > 0
    words = server.ask("stats")["counters"]
    assert {"postroad_" + word.replace("-", "_") + "_total" for word in words} <= set(metrics)


def test_outcomes_are_told_by_destination(serving):
    server = serving(zone={"slow.test": "TIMEOUT"}, retry=("1h",))
    submit(server, "alice@example.org")
    submit(server, "b@slow.test")
    until(lambda: server.ask("stats")["counters"]["delivered"] + server.ask("stats")["counters"]["deferred"] == 2, "both")
    until(lambda: len(server.ask("stats")["busiest"]) == 3, "both by destination")
    metrics = values(server.web.ask("GET", "/metrics").bytes.decode())
    assert metrics['postroad_outcomes_total{destination="mailbox",outcome="delivered"}'] == 1
    assert metrics['postroad_outcomes_total{destination="slow.test",outcome="deferred"}'] == 1
    assert metrics['postroad_outcomes_total{destination="other",outcome="deferred"}'] == 0
    told = server.run("stats").stdout
    assert re.search(r"slow\.test +0 +1 +0\n", told), told


def test_the_end_of_certificates_is_told(serving, tmp_path):
    certificate, key = Authority(tmp_path / "ca").issue("mail", "DNS:mail.example.org")
    server = serving(conf=f'tls {{ certificate = "{certificate}" key = "{key}" }}')
    ends = values(server.web.ask("GET", "/metrics").bytes.decode())[
        'postroad_certificate_expiry_timestamp_seconds{certificate="1",name="mail.example.org"}']
    assert 0 < ends - time.time() < 2 * 86400 + 60
    assert "mail.example.org" in server.run("stats").stdout


def test_who_has_no_token_is_sent_away(serving):
    server = serving({"prometheus": "metrics", "viewer": "read"})
    web = server.web
    refused = web.ask("GET", "/metrics")
    assert refused.status == 401 and refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert web.status("GET", "/healthz") == 200
    prometheus, viewer = Web(web.port, "prometheus"), Web(web.port, "viewer")
    assert prometheus.status("GET", "/metrics") == 200
    assert prometheus.status("GET", "/v1/stats") == 403
    assert viewer.status("GET", "/metrics") == 403
    assert viewer.json("GET", "/v1/stats")["spool"]["messages"] == 0
    assert viewer.status("POST", "/v1/queue/retry", {"all": True}) == 403
    assert viewer.status("POST", "/v1/stop") == 403
    assert Web(web.port, "wrong").status("GET", "/v1/stats") == 401
    assert Web(web.port, hashlib.sha256(b"viewer").hexdigest()).status("GET", "/v1/stats") == 401


def test_pages_of_others_cannot_ask(serving):
    web = serving().web
    here = f"127.0.0.1:{web.port}"
    assert web.status("POST", "/v1/queue/retry", {"all": True}, Origin=f"http://{here}") == 200
    assert web.status("POST", "/v1/queue/retry", {"all": True}, Origin="http://evil.test") == 403
    assert web.status("GET", "/v1/stats", Origin="null") == 403
    assert web.status("GET", "/v1/stats", host="evil.test") == 403
    assert web.status("GET", "/v1/stats", host=f"localhost:{web.port}") == 200
    answer = web.ask("GET", "/v1/stats")
    assert "Access-Control-Allow-Origin" not in answer.headers and "Set-Cookie" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_check_reads_the_tokens(postroad):
    server = postroad(start=False)
    (server.home / "web-tokens").write_text("viewer:1234:read\n")
    server.write_conf('web { listen = "127.0.0.1:8025" tokens = "web-tokens" }\n')
    checked = server.run("check", check=False)
    assert checked.returncode == 1 and "web-tokens:1: this line has no SHA-256 behind its name" in checked.stderr


def test_tokens_change_by_reload(serving):
    server = serving({"old": "read"})
    assert Web(server.web.port, "old").status("GET", "/v1/stats") == 200
    (server.home / "web-tokens").write_text(f"new:{hashlib.sha256(b'new').hexdigest()}:read,admin\n")
    server.run("reload")
    until(lambda: Web(server.web.port, "new").status("GET", "/v1/stats") == 200, "the new token")
    assert Web(server.web.port, "old").status("GET", "/v1/stats") == 401


def test_a_reload_moves_begins_and_ends_it(serving):
    server = serving()
    old, port = server.web.port, free_port("127.0.0.1")
    server.write_conf(f'web {{ listen = "127.0.0.1:{port}" }}\n')
    server.run("reload")
    until(lambda: listens(port), "the new port")
    until(lambda: not listens(old), "the old port to be closed")
    server.write_conf()
    server.run("reload")
    until(lambda: not listens(port), "the end of it")
    server.write_conf(f'web {{ listen = "127.0.0.1:{old}" }}\n')
    server.run("reload")
    until(lambda: listens(old), "it to be there again")


def test_the_policy_of_our_domains_is_served_to_everybody(serving):
    server = serving({"viewer": "read"}, web="mta-sts = testing mta-sts-mx = {mx1.example.org, mx2.example.org}", domains=("example.org", "example.net"))
    for host in ("mta-sts.example.org", "mta-sts.example.net:443"):
        answer = server.web.ask("GET", "/.well-known/mta-sts.txt", host=host)
        assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain")
        assert answer.bytes == b"version: STSv1\r\nmode: testing\r\nmx: mx1.example.org\r\nmx: mx2.example.org\r\nmax_age: 604800\r\n"
    assert server.web.status("GET", "/.well-known/mta-sts.txt", host="mta-sts.example.com") == 404
    assert server.web.status("GET", "/.well-known/mta-sts.txt") == 404


def test_no_policy_is_served_unasked(serving):
    assert serving().web.status("GET", "/.well-known/mta-sts.txt", host="mta-sts.example.org") == 404


def say(port, raw):
    with socket.create_connection(("127.0.0.1", port), conftest.PATIENCE_S) as s:
        try:
            s.sendall(raw)
            s.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: s.recv(65536), b""))
        except OSError:
            return b""


HOSTILE = [
    b"\0" * 1000,
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /v1/stats HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100000 + b"\r\n\r\n",
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /v1/queue/%00%ff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /v1/queue?domain=%ff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /v1/queue?%ff=a HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /v1/queue?" + b"&".join(b"a%d=b" % i for i in range(3000)) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /v1/queue/retry HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
    b"POST /v1/queue/retry HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n{}",
    b"POST /v1/queue/retry HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200000,
    b"POST /v1/queue/retry HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"8000\r\n" + b"[" * 0x8000 + b"\r\n") * 4 + b"0\r\n\r\n",
    b"POST /v1/queue/retry HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n" + b"[" * 60000,
    b"POST /v1/queue/retry HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_requests_change_nothing(serving, raw):
    server = serving(zone={"slow.test": "TIMEOUT"})
    submit(server, "x@slow.test")
    waiting = server.queue()
    answer = say(server.web.port, raw)
    assert not answer or re.match(rb"HTTP/1\.[01] [45]\d\d ", answer), answer[:200]
    assert server.web.status("GET", "/readyz") == 200
    assert [message["id"] for message in server.queue()] == [message["id"] for message in waiting]


def test_connections_are_bounded_and_operators_get_in(serving):
    server = serving()
    crowd = []
    for _ in range(100):
        s = socket.create_connection(("127.0.0.1", server.web.port), conftest.PATIENCE_S)
        crowd.append(s)
        try:
            s.sendall(b"GET /v1/stats HTTP/1.1\r\nHost: localhost\r\n")
        except OSError:
            pass
    assert server.ask("stats")["spool"]["messages"] == 0
    for s in crowd:
        s.close()
    until(lambda: listens(server.web.port), "a place")


def test_a_crash_of_it_harms_no_mail(serving):
    import os
    import signal
    from test_roles import role_pid
    server = serving()
    pid = role_pid(server, "web")
    os.kill(pid, signal.SIGKILL)
    submit(server, "alice@example.org")
    server.mail("alice")
    until(lambda: listens(server.web.port) and role_pid(server, "web") != pid, "it to be started again")


def test_https_with_the_servers_certificate(serving):
    """And with another one when its file has changed."""
    import ssl
    server = serving()
    authority = Authority(server.home / "authority")
    certificate, key = authority.issue("mail", "DNS:localhost", "IP:127.0.0.1")
    port = free_port("127.0.0.1")
    server.write_conf(f'tls {{ certificate = "{certificate}" key = "{key}" }}\n'
                      f'web {{ listen = "127.0.0.1:{port}" tls = yes }}\n')
    server.run("reload")
    context = ssl.create_default_context(cafile=authority.path)

    def ask():
        try:
            connection = http.client.HTTPSConnection("localhost", port, timeout=conftest.PATIENCE_S, context=context)
            connection.request("GET", "/readyz")
            return connection.getresponse().status, connection.sock.getpeercert()["serialNumber"]
        except (OSError, AttributeError):
            return None

    status, serial = until(ask, "HTTPS")
    assert status == 200
    again, its_key = authority.issue("again", "DNS:localhost", "IP:127.0.0.1")
    import pathlib
    pathlib.Path(key).write_bytes(pathlib.Path(its_key).read_bytes())
    pathlib.Path(certificate).write_bytes(pathlib.Path(again).read_bytes())
    until(lambda: (ask() or (0, serial))[1] != serial, "the other certificate")
