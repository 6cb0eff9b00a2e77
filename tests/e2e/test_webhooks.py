"""Webhooks: deliveries are told by HTTPS, signed; again when they were not taken; and those of before a restart, too."""
import hashlib
import hmac
import http.server
import json
import ssl
import threading

import conftest
from certificates import Authority


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


def test_deliveries_are_told(postroad, tmp_path):
    authority, port = Authority(tmp_path / "authority"), conftest.free_port()
    files = authority.issue("hook", "DNS:hook.test")
    secret = tmp_path / "webhook.secret"
    secret.write_text("swordfish\n")
    secret.chmod(0o600)
    server = postroad(zone={"hook.test": {"A": ["127.0.0.1"]}}, conf=f'''tls {{ ca = "{authority.path}" }}
webhook "billing" {{ url = "https://hook.test:{port}/postroad" secret-file = "{secret}" events = {{delivered, received}} }}
''')
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


def test_a_webhook_without_a_secret_is_complained_of(postroad):
    server = postroad(start=False, conf='webhook "billing" { url = "http://hook.test/" events = {opened} }\n')
    told = server.run("check", check=False).stderr
    assert 'hint: url = "https://' in told and "hint: secret-file" in told and 'has "opened" (hint: some of received' in told
