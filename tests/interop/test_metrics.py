"""Prometheus takes our metrics, and finds nothing to mend in them."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from conftest import postroad, until  # noqa: E402,F401
from test_web import serving, submit  # noqa: E402,F401


def test_promtool_has_no_complaint(serving, tmp_path):  # noqa: F811
    secret = tmp_path / "webhook.secret"
    secret.write_text("swordfish\n")
    secret.chmod(0o600)
    server = serving(conf=f'webhook "billing" {{ url = "https://hook.test/" secret-file = "{secret}" }}\n')
    server.conf.write_text(server.conf.read_text() + 'dkim { keys = "dkim" }\n')
    server.run("dkim", "generate", "example.org")
    until(lambda: b"dkim_key_state{" in server.web.ask("GET", "/metrics").bytes, "the keys")
    submit(server, "alice@example.org")
    server.mail("alice")
    metrics = server.web.ask("GET", "/metrics").bytes
    assert b"\npostroad_webhook_oldest_age_seconds{" in metrics
    checked = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True)
    assert checked.returncode == 0 and not checked.stdout and not checked.stderr, (checked.stdout + checked.stderr).decode()
