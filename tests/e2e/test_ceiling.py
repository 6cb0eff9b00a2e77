"""What connections hold has a ceiling: above it there is 421 and 452, and not a byte more, until some are gone."""
import socket

import conftest
from test_memory import plain
from test_roles import role_pid

MIB = 1 << 20


def resident(pid):
    [line] = [line for line in open(f"/proc/{pid}/status") if line.startswith("RssAnon:")]
    return int(line.split()[1]) * 1024


def reply_to(client, words):
    """The last line of what is said to these words, which all have an answer of one line."""
    client.sendall(words)
    heard, wanted = b"", words.count(b"\r\n")
    while heard.count(b"\r\n") < wanted:
        piece = client.recv(65536)
        if not piece:
            break
        heard += piece
    return heard.splitlines()


def begin(server):
    client = socket.create_connection((server.address, server.port), conftest.PATIENCE_S)
    return client, client.recv(512)


def troubles(server, kind):
    return [e for e in server.log() if e["event"] == kind and e["part"] == "memory"]


def test_load_does_not_lift_it(postroad):
    """Large envelopes and half lines of hundreds: 60 MiB if nobody counted."""
    server = plain(postroad(start=False, conf='limits { memory = "4M" }\nlanes = 2\n')).start()
    pid = role_pid(server, "mail")
    before = resident(pid)
    name = "x" * 60
    envelope = b"".join(f"RCPT TO:<{name}{i}@{name}.{name}.{name}.test>\r\n".encode() for i in range(300))
    clients, codes, greetings = [], set(), []
    for _ in range(400):
        client, said = begin(server)
        greetings.append(said[:3])
        clients.append(client)
        if said.startswith(b"220"):
            begun = reply_to(client, b"HELO c.test\r\nMAIL FROM:<>\r\n")
            codes |= {line[:3] for line in begun}
            if begun[-1].startswith(b"250"):
                codes |= {line[:3] for line in reply_to(client, envelope)}
            client.sendall(b"RCPT TO:<" + b"y" * 1900)
    # There is no room for a client more; so there is none either for an envelope that goes on growing.
    assert greetings[-1] == b"421"
    reply_to(clients[0], b"\r\n")
    reply_to(clients[0], b"\r\n")
    assert b"452 Insufficient system resources" in reply_to(clients[0], envelope)
    assert codes <= {b"250", b"452"}
    assert set(greetings) == {b"220", b"421"} and greetings.count(b"220") > 10
    assert resident(pid) - before < 20 * MIB
    conftest.until(lambda: troubles(server, "trouble"), "the trouble to be told")
    assert server.ask("stats")["counters"]["connections-refused"] == greetings.count(b"421")

    # It is over when they are gone, and nobody has to do anything for it.
    for client in clients:
        client.close()
    conftest.until(lambda: server.smtp_code() == 220, "room for a client")
    with server.smtp() as client:
        client.sendmail("a@client.test", ["alice@example.org"], "Subject: again\r\n\r\nx\r\n")
    server.mail("alice")
    conftest.until(lambda: len(troubles(server, "trouble-over")) == len(troubles(server, "trouble")), "the end of the trouble")
    assert role_pid(server, "mail") == pid


def test_text_is_dropped_above_it(postroad):
    """Messages that are half there: each hears 452 at its end, or is taken, and all sessions go on."""
    server = plain(postroad(start=False, conf='limits { memory = "1M" }\nlanes = 1\n')).start()
    clients = []
    for _ in range(60):
        client, said = begin(server)
        assert said.startswith(b"220")
        replies = reply_to(client, b"HELO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n")
        assert replies[-1].startswith(b"354")
        clients.append(client)
    for client in clients:
        client.sendall(b"Subject: x\r\n\r\n" + (b"z" * 70 + b"\r\n") * 400)
    ends = [reply_to(client, b".\r\n")[0][:3] for client in clients]
    assert set(ends) == {b"250", b"452"}, ends
    assert all(reply_to(client, b"NOOP\r\n")[0].startswith(b"250") for client in clients)
    for client in clients:
        client.close()
