"""Webhooks: deliveries are told by HTTPS, signed; again when they were not taken; and those of before a restart, too."""
import hashlib
import hmac
import http.server
import json
import ssl
import threading

import conftest
from certificates import Authority
from test_web import Web, listens


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers, body, self.server.status))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


class Receiver(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port, files):
        self.asked, self.status = [], 200
        super().__init__(("127.0.0.1", port), Hook)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, request, client_address):
        pass

    def taken(self):
        return [event for _, _, body, status in self.asked if status == 200 for event in json.loads(body)]

    def close(self):
        self.shutdown()
        self.server_close()


def send(server, subject):
    with server.smtp() as client:
        client.sendmail("carol@example.net", ["alice@example.org"], f"Subject: {subject}\r\n\r\nHello.\r\n")
    conftest.until(server.queue_is_empty, "the mail to be delivered")


def ids(server):
    return [event["id"] for event in server.log() if event["event"] == "delivered"]


def with_webhook(postroad, folder, more=""):
    """A server that tells "billing", the port where its receiver is expected, and the receiver's certificate."""
    authority, port = Authority(folder / "authority"), conftest.free_port()
    secret = folder / "webhook.secret"
    secret.write_text("swordfish\n")
    secret.chmod(0o600)
    server = postroad(zone={"hook.test": {"A": ["127.0.0.1"]}}, conf=f'''tls {{ ca = "{authority.path}" }}
webhook "billing" {{ url = "https://hook.test:{port}/postroad" secret-file = "{secret}" events = {{delivered, received}} }}
{more}''')
    return server, port, authority.issue("hook", "DNS:hook.test")


def test_deliveries_are_told(postroad, tmp_path):
    server, port, files = with_webhook(postroad, tmp_path)
    receiver = Receiver(port, files)
    try:
        send(server, "one")
        conftest.until(lambda: len(receiver.taken()) == 2, "the events to come")
        path, headers, body, _ = receiver.asked[0]
        time, code = (part.split("=")[1] for part in headers["Webhook-Signature"].split(","))
        assert path == "/postroad" and headers["Content-Type"] == "application/json"
        assert code == hmac.new(b"swordfish", time.encode() + b"." + body, hashlib.sha256).hexdigest()
        received, delivered = receiver.taken()
        assert received["event"] == "received" and delivered["event"] == "delivered" and delivered["to"] == "alice@example.org"

        # Not taken, and then away: it is told once, and what waits outlives a stop and a death.
        receiver.status = 503
        send(server, "two")
        conftest.until(lambda: any(asked[3] == 503 for asked in receiver.asked), "a refused attempt")
        receiver.close()
        send(server, "three")
        server.stop()
        server.start()
        send(server, "four")
        conftest.until(lambda: len(ids(server)) == 4, "its line in the log, which is written by the by")
        server.kill()
        asked = receiver.asked
        receiver = Receiver(port, files)
        receiver.asked = asked
        server.start()
        conftest.until(lambda: len(receiver.taken()) >= 8, "what waited to come")
        assert [event["id"] for event in receiver.taken() if event["event"] == "delivered"] == ids(server)
        failed = [event for event in server.log() if event["event"] == "webhook-failed"]
        assert "503" in failed[0]["reason"] and failed[0]["about"] == "billing"
        assert server.ask("stats")["counters"]["webhook-events"] >= 6
    finally:
        server.stop()
        receiver.close()


def fares(server):
    [webhook] = server.ask("webhooks")
    return webhook


def found(server):
    told = json.loads(server.run("doctor", "--json", check=False).stdout)
    return {one["about"]: one for one in told}["webhook billing"]


def test_it_is_shown_how_a_webhook_fares(postroad, tmp_path):
    web = conftest.free_port()
    server, port, files = with_webhook(postroad, tmp_path, f'web {{ listen = "127.0.0.1:{web}" }}\n')
    receiver = Receiver(port, files)
    api = Web(web)
    conftest.until(lambda: listens(web), "the web role")
    try:
        fresh = fares(server)
        assert fresh["name"] == "billing" and fresh["url"] == f"https://hook.test:{port}/postroad" and fresh["state"] == "works"
        assert fresh["events"] == ["received", "delivered"] and fresh["waiting"] == fresh["dropped"] == 0
        assert fresh["last"] is fresh["oldest"] is fresh["next"] is fresh["worked"] is None
        assert found(server)["finding"] == "nothing was told since the start"

        receiver.status = 503
        send(server, "one")
        conftest.until(lambda: fares(server)["waiting"] == 2 and fares(server)["state"] == "fails", "both events, and an attempt")
        failing = fares(server)
        assert failing["last"]["status"] == 503 and failing["last"]["error"] == "it answers 503" and failing["worked"] is None
        assert failing["failing_since"] <= failing["last"]["time"] and failing["oldest"] <= failing["last"]["time"]
        assert failing["oldest_age_ms"] > 0 and (failing["under_way"] or failing["next"] > failing["last"]["time"])
        shown = server.run("webhooks").stdout
        assert shown.startswith("billing: fails since 2") and ", waiting: 2, the oldest since 2" in shown
        assert "it answers 503" in shown and "events:  received, delivered" in shown
        finding = found(server)
        assert finding["severity"] == "warning" and "2 events wait for it" in finding["finding"] and "2xx" in finding["mend"]
        [by_web] = api.json("GET", "/v1/webhooks")["webhooks"]
        assert by_web["state"] == "fails" and by_web["waiting"] == 2 and by_web.keys() == failing.keys()
        metrics = api.ask("GET", "/metrics").bytes.decode()
        assert 'postroad_webhook_waiting_events{webhook="billing"} 2\n' in metrics
        assert 'postroad_webhook_oldest_age_seconds{webhook="billing"} 0.000\n' not in metrics
        assert 'postroad_webhook_dropped_events_total{webhook="billing"} 0\n' in metrics
        assert "  billing: fails, waiting: 2\n" in server.run("stats").stdout

        receiver.status = 204
        server.run("reload")
        conftest.until(lambda: fares(server)["state"] == "works" and fares(server)["waiting"] == 0, "all to be taken")
        works = fares(server)
        assert works["taken"] == 2 and works["oldest"] is works["next"] is works["failing_since"] is None
        assert works["last"] == {"time": works["worked"], "status": 204, "error": None}
        assert found(server)["severity"] == "fine"
        assert "billing: works, nothing waits\n" in server.run("webhooks").stdout
    finally:
        server.stop()
        receiver.close()


def test_gone_is_shown(postroad, tmp_path):
    server, port, files = with_webhook(postroad, tmp_path)
    receiver = Receiver(port, files)
    receiver.status = 410
    try:
        send(server, "one")
        conftest.until(lambda: fares(server)["state"] == "stopped" and fares(server)["waiting"] == 2, "an answer, and both events")
        assert fares(server)["next"] is None and len(receiver.asked) == 1
        assert "410 (gone)" in found(server)["finding"] and "take it out" in found(server)["mend"]
    finally:
        server.stop()
        receiver.close()


def test_no_webhook_is_configured(postroad):
    server = postroad()
    assert server.ask("webhooks") == []
    assert server.run("webhooks").stdout == "No webhook is configured.\n"


def test_a_webhook_without_a_secret_is_complained_of(postroad):
    server = postroad(start=False, conf='webhook "billing" { url = "http://hook.test/" events = {opened} }\n')
    told = server.run("check", check=False).stderr
    assert 'hint: url = "https://' in told and "hint: secret-file" in told and 'has "opened" (hint: some of received' in told
