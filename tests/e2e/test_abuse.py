"""A crowd of bad clients, and a good one among them who is served all the same."""
import json
import os
import pathlib
import smtplib
import subprocess
import sys

import conftest
import servers
from certificates import Authority
from test_roles import role_pid

# POSTROAD_ABUSE: how many bad ones at one time.
CROWD = int(os.environ.get("POSTROAD_ABUSE", "180"))
HELLO = "Subject: Hello\r\n\r\nHello.\r\n"


def descriptors(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def test_a_good_client_in_a_crowd(postroad, tmp_path):
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.issue("mail", "DNS:mail.example.org", "IP:127.0.0.1")
    server = postroad(relay_from='"127.0.0.1"',
                      conf=f'tls {{ certificate = "{certificate}" key = "{key}" }}\n'
                      'limits { idle = 3s line = 2s handshake = 2s memory = "64M" }\n'
                      'client { tarpit = 20ms unknown = "20/1h" errors = "40/1h" }\n')
    pid, before = role_pid(server, "mail"), descriptors(role_pid(server, "mail"))
    crowd = subprocess.Popen([sys.executable, servers.ROOT / "tools" / "crowd.py", str(server.port), str(CROWD)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        conftest.until(lambda: server.ask("stats")["counters"]["connections"] > 2 * CROWD, "the crowd to come and come again")
        for source in ["127.0.0.1"] * 9 + ["127.0.0.9"]:  # Who may relay, and a stranger.
            with smtplib.SMTP("127.0.0.1", server.port, "good.test", conftest.PATIENCE_S, (source, 0)) as client:
                client.sendmail("a@good.test", ["alice@example.org"], HELLO)
        conftest.until(lambda: server.ask("stats")["counters"]["timed-out"] > CROWD // 10, "slow ones to be sent away")
        said, _ = crowd.communicate("", conftest.PATIENCE_S)
    finally:
        crowd.kill()
    made = json.loads(said)
    assert len(made) == 9 and all(count > 0 for count in made.values()), made
    # Nothing of them is left, nobody died of it, and nobody's message but the good ones' came in.
    conftest.until(lambda: descriptors(pid) <= before + 4, "the last of the crowd to be gone")
    assert role_pid(server, "mail") == pid
    assert len(server.mail("alice", count=10)) == 10
    counters = server.ask("stats")["counters"]
    assert counters["received"] == 10 and counters["limited"] > 0 and counters["tls-in-failed"] > 0
