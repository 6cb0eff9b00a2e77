"""Connections that say EHLO and then nothing: the memory of each, and whether mail flows beside them."""
import socket

from flow import load_server, running
from measured import allow_descriptors, memory_kib


def read_reply(connection):
    got = b""
    while not (got.endswith(b"\r\n") and got.split(b"\r\n")[-2][3:4] == b" "):
        piece = connection.recv(4096)
        if not piece:
            raise OSError("the server closed the connection")
        got += piece
    if got[:1] != b"2":
        raise OSError(got.decode("ascii", "replace"))


def open_idle(port, number):
    # A source address for every 10,000: ports of one would run out.
    connection = socket.create_connection(("127.0.0.1", port), 30, (f"127.0.1.{1 + number // 10000}", 0))
    read_reply(connection)
    connection.sendall(b"EHLO idle.invalid\r\n")
    read_reply(connection)
    return connection


def measure_idle(kind, count, load):
    allow_descriptors(count + 1000)
    # Room for twice as many: the kernel spreads clients unevenly over lanes, and each lane has its share of the limit.
    with running(kind, "accept", connections=2 * count + 1000) as server:
        open_idle(server.port, 0).close()
        own, mapped = memory_kib(server.root)
        connections = [open_idle(server.port, number) for number in range(count)]
        own_after, mapped_after = memory_kib(server.root)
        flowing = load_server(server, "accept", load)
        for connection in connections:
            connection.close()
    return {"server": kind.name, "scenario": "idle", "connections": count,
            "kib_per_connection": round((own_after - own) / count, 2),
            "mapped_kib_per_connection": round((mapped_after - mapped) / count, 2),
            "cpu_us": flowing["cpu_us"], "accepted_per_s": flowing["accepted_per_s"]}
