"""A web server for MTA-STS policies, on an address of loopback that nobody else uses: policies come from port 443."""
import http.server
import os
import random
import ssl
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        host = self.headers["Host"]
        self.server.asked.append(host)
        status, kind, text = self.server.pages.get(host, (404, "text/plain", "there is nothing here"))
        if self.path != "/.well-known/mta-sts.txt":
            status, text = 500, "another path"
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 301:
            self.send_header("Location", f"https://{text}/.well-known/mta-sts.txt")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.headers["Host"], self.path, self.headers["Content-Type"], content))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


class Web(http.server.ThreadingHTTPServer):
    """`pages` maps a host to status, type and text; `asked` tells of every GET, `posted` of every POST."""
    daemon_threads = True

    def __init__(self, files):
        self.pages, self.asked, self.posted = {}, [], []
        for _ in range(50):
            self.address = f"127.44.{random.randrange(256)}.{random.randrange(1, 255)}"
            try:
                super().__init__((self.address, 443), Handler)
                break
            except OSError as error:
                if error.errno != 98:
                    raise
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # A client that does not like our certificate.

    def serve(self, domain, mode, *patterns, age=604800, status=200, kind="text/plain"):
        lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {pattern}" for pattern in patterns), f"max_age: {age}"]
        self.pages[f"mta-sts.{domain}"] = status, kind, "".join(f"{line}\r\n" for line in lines)

    def close(self):
        self.shutdown()
        self.server_close()


def may_serve():
    return os.geteuid() == 0
