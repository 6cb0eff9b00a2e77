#!/usr/bin/python3
"""A crowd of bad SMTP clients, until standard input ends: for tests/e2e/test_abuse.py and bench/abuse.py.

usage: crowd.py PORT COUNT        so many at one time, in turns of every kind below, from addresses in 127.0.0.0/8

Whoever is sent away comes back at once. At the end it prints what it did as JSON: {"kind": connections}.
"""
import asyncio
import collections
import json
import os
import random
import resource
import socket
import sys

PAUSE_S = 0.05
SOURCES = 20  # Of each kind.
FLOODS = [words * (65536 // len(words)) for words in (b"EHLO flood.test\r\n", b"NOOP\r\n", b"RCPT TO:<alice@example.org>\r\n",
                                                       b"BDAT 0\r\n", b"\r\n", b"HELP\r\n", b"X" * 2000)]
NOISE = [random.randbytes(size) for size in (1, 10, 100, 1000, 3000)]


async def hear(reader):
    """A reply's first line; raises when there is none."""
    line = await reader.readline()
    if not line:
        raise ConnectionError("closed")
    return line


async def say(writer, words):
    writer.write(words)
    await writer.drain()


async def silent(reader, writer):
    await reader.read()


async def trickling(reader, writer):
    for byte in b"EHLO " + b"x" * 4000:
        await say(writer, bytes([byte]))
        await asyncio.sleep(PAUSE_S)


async def trickling_text(reader, writer):
    await say(writer, b"EHLO slow.test\r\nMAIL FROM:<a@slow.test>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n")
    while True:
        await say(writer, b"x")
        await asyncio.sleep(PAUSE_S)


async def garbage(reader, writer):
    for _ in range(10):
        await say(writer, random.choice(NOISE))
    await reader.read()


async def flooding(reader, writer):
    """As much as goes in, and nothing is read: greetings, recipients, empty chunks."""
    await say(writer, b"EHLO flood.test\r\nMAIL FROM:<a@flood.test>\r\n")
    flood = random.choice(FLOODS)
    while True:
        await say(writer, flood)


async def half_a_handshake(reader, writer):
    await hear(reader)
    await say(writer, b"EHLO tls.test\r\n")
    while not (await hear(reader)).startswith(b"250 "):
        pass
    await say(writer, b"STARTTLS\r\n")
    await hear(reader)
    await say(writer, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.randbytes(random.randrange(40)))
    await asyncio.sleep(random.random())


async def harvesting(reader, writer):
    await say(writer, b"EHLO harvest.test\r\nMAIL FROM:<a@harvest.test>\r\n")
    while True:
        await say(writer, b"RCPT TO:<%d@example.org>\r\n" % random.randrange(1 << 32))
        await hear(reader)


async def guessing(reader, writer):
    await say(writer, b"EHLO guess.test\r\n")
    while True:
        await say(writer, b"AUTH PLAIN AGFsaWNlAHBlbmNpbA==\r\n")
        await hear(reader)


async def hanging_up(reader, writer):
    await say(writer, b"EHLO gone.test\r\nMAIL FROM:<a@gone.test>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\nhalf a mess")
    writer.transport.abort()


KINDS = [silent, trickling, trickling_text, garbage, flooding, half_a_handshake, harvesting, guessing, hanging_up]


async def live(number, port, done):
    kind = KINDS[number % len(KINDS)]
    # Some of a kind share an address, and meet its limits.
    source = f"127.{1 + number % len(KINDS)}.0.{1 + number // len(KINDS) % SOURCES}"
    while True:
        try:
            client = socket.socket()
            if kind is flooding:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            client.bind((source, 0))
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
            reader, writer = await asyncio.open_connection(sock=client)
        except OSError:
            await asyncio.sleep(PAUSE_S)
            continue
        done[kind.__name__] += 1
        try:
            await kind(reader, writer)
        except (OSError, ValueError):
            pass
        writer.transport.abort()
        await asyncio.sleep(PAUSE_S)


async def main(port, count):
    done = collections.Counter()
    crowd = [asyncio.ensure_future(live(number, port, done)) for number in range(count)]
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for client in crowd:
        client.cancel()
    print(json.dumps(done), flush=True)
    os._exit(0)


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
