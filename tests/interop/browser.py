"""A browser without a screen, driven by chromedriver (W3C WebDriver) over plain HTTP."""
import base64
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from servers import PATIENCE_S, free_port, until  # noqa: E402

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    def __init__(self, width=1280, height=900, dark=False):
        self.home = tempfile.mkdtemp(prefix="postroad-browser-")
        port = free_port("127.0.0.1")
        self.root = f"http://127.0.0.1:{port}"
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self.is_ready, "chromedriver")
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     f"--user-data-dir={self.home}"] + (["--force-dark-mode"] if dark else [])
        value = self.say("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = f"/session/{value['sessionId']}"
        self.size(width, height, dark)

    def size(self, width, height, dark=False):
        """What the page has, whatever a window can be."""
        self.cdp("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700})
        self.cdp("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def is_ready(self):
        try:
            return self.say("GET", "/status")["ready"]
        except OSError:
            return False

    def say(self, method, path, body=None):
        request = urllib.request.Request(self.root + path, method=method, data=json.dumps(body).encode() if body is not None else None,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S * 4) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()[:2000]) from error

    def cdp(self, command, parameters):
        return self.say("POST", f"{self.session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url):
        self.say("POST", f"{self.session}/url", {"url": url})

    def run(self, script, *arguments):
        return self.say("POST", f"{self.session}/execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector="body"):
        return self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def click(self, selector):
        """As a person does it: the element must be there, be seen, and not lie under another one."""
        try:
            element = self.say("POST", f"{self.session}/element", {"using": "css selector", "value": selector})[ELEMENT]
            self.say("POST", f"{self.session}/element/{element}/click", {})
        except AssertionError as error:
            if "stale element reference" not in str(error):  # Drawn anew before it was clicked: a person would not notice.
                raise
            self.click(selector)

    def keys(self, text):
        """To whatever has the focus."""
        actions = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self.say("POST", f"{self.session}/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def complaints(self):
        """What the browser wrote on its console."""
        return [line["message"] for line in self.say("POST", f"{self.session}/se/log", {"type": "browser"})]

    def picture(self, path):
        """Of the whole page."""
        data = self.cdp("Page.captureScreenshot", {"captureBeyondViewport": True, "format": "png"})["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    def close(self):
        try:
            self.say("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()
            shutil.rmtree(self.home, ignore_errors=True)
