#!/usr/bin/env python3
"""Sends each line of stdin as an event, and reports which are stored.

    echo '{"msg":"hello","clientId":"py","timestamp":1}' | python3 client.py ws://localhost:9000/ws

The environment variable KEY holds the API key, if the gateway requires one. Connection failures are
reported on stderr, and the client keeps retrying.

Needs the package `websockets`, 10 or later. It meets the protocol's requirements for clients: stays
within its credit, reads acks and rejections, leaves at `goaway`, and resends frames without an ack,
declared as possible repeats.
"""
import asyncio
import json
import os
import random
import sys
from dataclasses import dataclass

import websockets


SUBPROTOCOLS = ["forebay.v1"]
if "KEY" in os.environ:
    SUBPROTOCOLS.append("forebay.key." + os.environ["KEY"])


@dataclass
class Event:
    text: str
    repeat: bool = False  # an earlier attempt may have stored it


class Client:
    def __init__(self, url, texts):
        self.url = url
        self.waiting = [Event(text) for text in texts]
        self.repeats = []  # waiting for the next connection, which declares them
        self.later = 0  # temporarily rejected, waiting for their retry
        self.failures = 0

    async def run(self):
        while not await self.connection():
            # A random part of a doubling bound: clients must not reconnect all at once.
            backoff = random.random() * min(10, 0.25 * 2**self.failures)
            await asyncio.sleep(backoff if self.reconnect_ms is None else self.reconnect_ms / 1000)

    async def connection(self):
        """Returns True when all events are settled, False if the connection ended earlier."""
        self.open = {}  # frame number -> its event, until its ack
        self.frames = self.bytes = 0
        self.credit = {"frames": 0, "bytes": 0}
        self.reconnect_ms = None
        self.waiting = self.repeats + self.waiting
        self.repeats = []
        self.waiting.sort(key=lambda event: not event.repeat)  # repeats first, and in order
        resent = sum(event.repeat for event in self.waiting)
        url = f"{self.url}?resent={resent}" if resent else self.url
        try:
            async with websockets.connect(url, subprotocols=SUBPROTOCOLS) as self.socket:
                async for text in self.socket:
                    self.hear(json.loads(text))
                    await self.pump()
                    if not self.waiting and not self.open and not self.later:
                        return not self.repeats
        except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
            print("no connection:", error, file=sys.stderr, flush=True)
        self.failures += 1
        for event in self.open.values():
            event.repeat = True
        self.waiting = list(self.open.values()) + self.waiting
        return False

    async def pump(self):
        while self.waiting and self.reconnect_ms is None:
            size = len(self.waiting[0].text.encode())
            if self.frames + 1 > self.credit["frames"] or self.bytes + size > self.credit["bytes"]:
                return  # until more credit arrives
            event = self.waiting.pop(0)
            self.frames += 1
            self.bytes += size
            self.open[self.frames] = event
            await self.socket.send(event.text)

    def hear(self, frame):
        self.credit = frame.get("hello", frame).get("credit", self.credit)
        if "nack" in frame:  # frames have one event each, so the first error belongs to it
            event, error = self.open.pop(frame["nack"]), frame["errors"][0]
            print("refused", error["code"], error["message"], flush=True)
            event.repeat |= error["code"] == "timeout"
            if error["retry"]:
                self.later += 1
                asyncio.create_task(self.again(event, error["retryAfterMs"] / 1000))
        if "ack" in frame:
            self.failures = 0
            for number in [number for number in self.open if number <= frame["ack"]]:
                print("stored", self.open.pop(number).text, flush=True)
        if "goaway" in frame:
            self.reconnect_ms = frame["goaway"]["reconnectMs"]

    async def again(self, event, seconds):
        await asyncio.sleep(seconds)
        self.later -= 1
        (self.repeats if event.repeat else self.waiting).append(event)
        try:
            if not self.waiting and not self.open and not self.later:
                return await self.socket.close()  # only repeats are left
            await self.pump()
        except websockets.ConnectionClosed:
            pass  # it is in `open`, and is resent on the next connection


lines = [line.strip() for line in sys.stdin if line.strip()]
if lines:
    asyncio.run(Client(sys.argv[1], lines).run())
