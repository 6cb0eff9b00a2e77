"""What nmap's scripts for SMTP find: no open relay, no hole of others, and nothing of who lives here by VRFY or EXPN."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import conftest  # noqa: E402
from conftest import postroad  # noqa: E402,F401

HOLES = ("smtp-vuln-cve2010-4344", "smtp-vuln-cve2011-1720", "smtp-vuln-cve2011-1764")


def scan(server, scripts, *arguments):
    words = ["nmap", "-n", "-Pn", "-p", str(server.port), "--script", ",".join(f"+{script}" for script in scripts)]
    if arguments:
        words += ["--script-args", ",".join(arguments)]
    result = subprocess.run(words + ["127.0.0.1"], capture_output=True, text=True, timeout=conftest.PATIENCE_S * 2)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_nothing_to_be_found(postroad, tmp_path):  # noqa: F811
    server = postroad(relay_from="", conf="client { tarpit = 0s }\n")
    said = scan(server, ("smtp-commands", "smtp-open-relay", *HOLES),
                "smtp-open-relay.domain=far.test", "smtp-open-relay.to=victim@far.test")
    assert "PIPELINING" in said and "ENHANCEDSTATUSCODES" in said, said
    assert "Server doesn't seem to be an open relay" in said, said
    assert "VULNERABLE:" not in said, said
    names = tmp_path / "names"
    names.write_text("alice\nbob\nnobody\n")
    said = scan(server, ("smtp-enum-users",), f"userdb={names}", "smtp-enum-users.methods={VRFY,EXPN}",
                "smtp-enum-users.domain=example.org")
    assert "alice" not in said and "bob" not in said, said
    conftest.until(server.queue_is_empty, "an empty queue")
    assert not [event for event in server.log() if event["event"] == "received"]
