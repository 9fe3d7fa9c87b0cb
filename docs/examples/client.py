#!/usr/bin/env python3
"""Sends each line of stdin as an event, and says which are stored.

    echo '{"msg":"hello","clientId":"py","timestamp":1}' | python3 client.py ws://localhost:9000/ws

Where the gateway asks for a key, the environment variable KEY has it. Why there is no connection is
said on stderr, and it goes on trying.

Needs the package `websockets`, 10 or later. It does what the protocol asks of a client: keeps within
its credit, reads acks and refusals, leaves at `goaway`, and sends again what had no ack.
"""
import asyncio
import json
import os
import random
import sys

import websockets


SUBPROTOCOLS = ["forebay.v1"]
if "KEY" in os.environ:
    SUBPROTOCOLS.append("forebay.key." + os.environ["KEY"])


class Client:
    def __init__(self, url, texts):
        self.url = url
        self.waiting = texts
        self.later = 0  # refused for now: they wait for their time
        self.failures = 0

    async def run(self):
        while not await self.connection():
            # Any part of what doubles: clients must not come back all at once.
            backoff = random.random() * min(10, 0.25 * 2**self.failures)
            await asyncio.sleep(backoff if self.reconnect_ms is None else self.reconnect_ms / 1000)

    async def connection(self):
        """Returns True when all is settled, False when the connection ended before."""
        self.open = {}  # frame number -> its text, until its ack
        self.frames = self.bytes = 0
        self.credit = {"frames": 0, "bytes": 0}
        self.reconnect_ms = None
        try:
            async with websockets.connect(self.url, subprotocols=SUBPROTOCOLS) as self.socket:
                async for text in self.socket:
                    self.hear(json.loads(text))
                    await self.pump()
                    if not self.waiting and not self.open and not self.later:
                        return True
        except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
            print("no connection:", error, file=sys.stderr, flush=True)
        self.failures += 1
        self.waiting = list(self.open.values()) + self.waiting  # first, and in their order
        return False

    async def pump(self):
        while self.waiting and self.reconnect_ms is None:
            size = len(self.waiting[0].encode())
            if self.frames + 1 > self.credit["frames"] or self.bytes + size > self.credit["bytes"]:
                return  # more credit will come
            text = self.waiting.pop(0)
            self.frames += 1
            self.bytes += size
            self.open[self.frames] = text
            await self.socket.send(text)

    def hear(self, frame):
        self.credit = frame.get("hello", frame).get("credit", self.credit)
        if "nack" in frame:  # our frames have one event each, so that the first error is its own
            text, error = self.open.pop(frame["nack"]), frame["errors"][0]
            print("refused", error["code"], error["message"], flush=True)
            if error["retry"]:
                self.later += 1
                asyncio.create_task(self.again(text, error["retryAfterMs"] / 1000))
        if "ack" in frame:
            self.failures = 0
            for number in [number for number in self.open if number <= frame["ack"]]:
                print("stored", self.open.pop(number), flush=True)
        if "goaway" in frame:
            self.reconnect_ms = frame["goaway"]["reconnectMs"]

    async def again(self, text, seconds):
        await asyncio.sleep(seconds)
        self.later -= 1
        self.waiting.append(text)
        try:
            await self.pump()
        except websockets.ConnectionClosed:
            pass  # it is in `open`, and goes out on the next connection


lines = [line.strip() for line in sys.stdin if line.strip()]
if lines:
    asyncio.run(Client(sys.argv[1], lines).run())
