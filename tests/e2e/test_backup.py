"""The back-up of the queue, typed as docs/manual/operations.md tells it."""
import subprocess

import conftest
import manual
from conftest import until


def typed(server, commands):
    """By the shell, with this server's folders in place of those of the machine, and its own user in place of run-as."""
    for line in commands.splitlines():
        if line.startswith("systemctl "):
            assert line in ("systemctl stop postroad", "systemctl start postroad")
            server.stop() if "stop" in line else server.start()
            continue
        line = line.replace("/backup", str(server.home / "backup")).replace("/var/lib/postroad", str(server.home)).replace("-o postroad ", "")
        result = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
        assert result.returncode == 0, f"{line}: {result.stderr}"


def test_a_copy_of_the_queue_becomes_the_queue_again(postroad, remote):
    copy, restore = [block.text for block in manual.blocks(manual.FOLDER / "operations.md") if block.words == ["sh"] and "/backup" in block.text]
    there = remote(address="127.0.0.2", script={"RCPT": lambda _: "451 4.7.1 come again"})
    server = postroad(zone={"far.test": {"MX": [[10, "mx.far.test"]]}, "mx.far.test": {"A": ["127.0.0.2"]}}, outbound_port=there.port, retry=("1h",))
    (server.home / "backup").mkdir()
    with server.smtp() as smtp:
        smtp.sendmail("alice@example.org", ["carol@far.test"], "Subject: before\r\n\r\nIt waits.\r\n")
    [before] = until(lambda: [one for one in server.queue() if one["recipients"][0]["attempts"] == 1], "the first attempt")

    typed(server, copy)
    with server.smtp() as smtp:  # It went on running, and this is not in the copy.
        smtp.sendmail("alice@example.org", ["carol@far.test"], "Subject: after\r\n\r\nIt is lost.\r\n")
    typed(server, restore)

    assert [one["id"] for one in server.queue()] == [before["id"]]
    assert [step["event"] for step in server.ask("trace", before["id"])[0]["steps"]] == ["received", "deferred"]
    there.script.clear()
    server.run("queue", "retry", "all")
    until(server.queue_is_empty, "the delivery")
    [message] = there.messages
    assert b"Subject: before" in message["body"] and b"It waits." in message["body"]
