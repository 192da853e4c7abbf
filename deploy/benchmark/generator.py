"""The load: clients in a process of their own, so that what they cost can be told from what the servers cost.

Knows how to send and count; refuses to compare. Texts are made before the clock starts. `Load` is the clients' side, `Generator` what a
bench holds of it.
"""

from __future__ import annotations

import asyncio
import base64
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import click

from benchmark.client import WireClient

PASSWORD = "bench"
SENDERS = tuple(f"sender{number}" for number in range(8))
TWO_DEVICES = SENDERS[:4]  # these have a second session, which gets a carbon copy of all they say
RECEIVERS = tuple(f"receiver{number}" for number in range(4))
PEOPLE = SENDERS + RECEIVERS
WINDOW = 16  # messages of one sender that may be under way: enough to keep a server busy, not so many that they wait for seconds
PATIENCE = 30.0

_NOISE = base64.b64encode(os.urandom(300_000)).decode()


class NotDelivered(click.ClickException):
    """Messages were refused, lost, doubled or not copied, or not refused: figures of such a run would be lies."""


class Round(NamedTuple):
    """What one load took: messages a second, milliseconds of each message (paced loads only), the generator's share of a core."""

    rate: float
    latencies: list[float]
    cpu_share: float


def _random(length: int) -> str:
    length = (length + 2) // 3 * 4
    start = random.randrange(0, len(_NOISE) - length, 4)  # noqa: S311
    return _NOISE[start : start + length]


def omemo(ident: str, to: str) -> str:
    """An OMEMO 0.3 message of 1.7 KB with four keys; a server cannot tell random bytes from real ones."""
    keys = "".join(f"<key rid='{device}'>MwAA{_random(176)}</key>" for device in range(101, 105))
    header = f"<header sid='77'>{keys}<iv>{_random(12)}</iv></header><payload>{_random(240)}</payload>"
    marks = "<store xmlns='urn:xmpp:hints'/><encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl' name='OMEMO'/>"
    encrypted = f"<encrypted xmlns='eu.siacs.conversations.axolotl'>{header}</encrypted>"
    return f"<message to='{to}' type='chat' id='{ident}'>{encrypted}{marks}</message>"


def plain(ident: str, to: str) -> str:
    """A plaintext message of ordinary length."""
    return f"<message to='{to}' type='chat' id='{ident}'><body>{'An ordinary sentence. ' * 4}</body></message>"


KINDS: dict[str, Callable[[str, str], str]] = {"omemo": omemo, "plain": plain}


class Load:
    """All clients of one server."""

    def __init__(self, domain: str, port: int, ca: Path) -> None:
        def client(name: str, resource: str, hear: Callable[[list[bytes]], None] | None = None) -> WireClient:
            return WireClient(f"{name}@{domain}/{resource}", PASSWORD, port, ca, hear)

        self._receivers = [client(name, "desk", self._hear) for name in RECEIVERS]
        self._senders = [client(name, "desk") for name in SENDERS]
        self._devices = [client(name, "phone") for name in TWO_DEVICES]
        self._runs = 0
        self._heard: dict[bytes, float] = {}
        self._left: list[list[bytes]] = []
        self._under_way: list[int] = []
        self._twice: list[bytes] = []
        self._more = asyncio.Event()

    async def connect(self) -> None:
        """Log everybody in."""
        for one in (*self._receivers, *self._devices, *self._senders):
            await one.online()
        await asyncio.sleep(0.2)  # presences between the devices of one account

    async def disconnect(self) -> None:
        """Log everybody out."""
        for one in (*self._senders, *self._devices, *self._receivers):
            await one.offline()

    async def fast(self, kind: str, count: int) -> Round:
        """As fast as the server takes them, with a window for each sender."""
        self._make(kind, count)
        copies = self._copies()
        began, cpu = time.monotonic(), time.process_time()
        for who in range(len(self._senders)):
            self._refill(who)
        await self._arrive(count)
        ended, cpu = max(self._heard.values()), time.process_time() - cpu
        await self._check(copies, count)
        return Round(count / (ended - began), [], cpu / (ended - began))

    async def paced(self, kind: str, count: int, rate: float) -> Round:
        """At an even pace, sender after sender; delays count from the moment a message was due, not from when it left."""
        self._make(kind, count)
        copies, due = self._copies(), {}
        queues = [list(reversed(left)) for left in self._left]
        self._left = [[] for _ in self._left]
        began, cpu = time.monotonic(), time.process_time()
        for number in range(count):
            moment = began + number / rate
            if (wait := moment - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            who = number % len(queues)
            due[self._ident(who, number // len(queues))] = moment
            self._senders[who].say(queues[who].pop())
        await self._arrive(count)
        took, cpu = time.monotonic() - began, time.process_time() - cpu
        await self._check(copies, count)
        return Round(count / took, [(self._heard[ident] - moment) * 1000 for ident, moment in due.items()], cpu / took)

    async def refused(self, kind: str) -> Round:
        """Make sure that one message of this kind is refused."""
        self._make(kind, len(self._senders))
        sender = self._senders[-1]
        sender.say(self._left[-1].pop())
        for _ in range(250):
            if sender.errors or self._heard:
                break
            await asyncio.sleep(0.02)
        if self._heard or not sender.errors:
            raise NotDelivered(f"a message of kind {kind} should have been refused and was not")
        sender.errors.clear()
        return Round(0, [], 0)

    def _ident(self, who: int, number: int) -> bytes:
        return b"%d-%d-%d" % (self._runs, who, number)

    def _make(self, kind: str, count: int) -> None:
        each = count // len(self._senders)
        self._runs += 1
        self._heard = {}
        self._under_way = [0] * len(self._senders)
        self._left = [
            [
                KINDS[kind](self._ident(who, number).decode(), self._receivers[(who + number) % len(self._receivers)].jid).encode()
                for number in range(each)
            ]
            for who in range(len(self._senders))
        ]

    def _refill(self, who: int) -> None:
        left, room = self._left[who], WINDOW - self._under_way[who]
        if left and room >= WINDOW // 2:
            some, self._left[who] = left[:room], left[room:]
            self._under_way[who] += len(some)
            self._senders[who].say(b"".join(some) + b"<r xmlns='urn:xmpp:sm:3'/>")

    def _hear(self, idents: list[bytes]) -> None:
        now = time.monotonic()
        for ident in idents:
            if ident in self._heard:
                self._twice.append(ident)
            self._heard[ident] = now
            self._under_way[int(ident.split(b"-")[1])] -= 1
        for who in range(len(self._senders)):
            self._refill(who)
        self._more.set()

    def _errors(self) -> list[str]:
        twice = [f"message {ident.decode()} came twice" for ident in self._twice]
        return [*twice, *(error for one in (*self._senders, *self._receivers, *self._devices) for error in one.errors)]

    async def _arrive(self, count: int) -> None:
        """Wait for all messages of this load; a second of silence is looked into, a long one is the end."""
        silent = 0.0
        while len(self._heard) < count:
            self._more.clear()
            try:
                await asyncio.wait_for(self._more.wait(), 1)
                silent = 0.0
            except TimeoutError:
                silent += 1
                if (errors := self._errors()) or silent >= PATIENCE:
                    said = errors[0] if errors else f"nothing came for {PATIENCE:g} s"
                    raise NotDelivered(f"{count - len(self._heard)} of {count} messages did not arrive: {said}") from None

    def _copies(self) -> int:
        return sum(one.copies for one in self._devices)

    async def _check(self, copies: int, count: int) -> None:
        wanted = copies + count * len(self._devices) // len(self._senders)
        for _ in range(100):
            if self._copies() == wanted:
                break
            await asyncio.sleep(0.05)
        if self._copies() != wanted or self._errors():
            raise NotDelivered(f"{self._copies()} carbon copies, not {wanted}; errors: {self._errors()[:1]}")


async def _serve(commands: Connection, domain: str, port: int, ca: Path) -> None:
    load = Load(domain, port, ca)
    await load.connect()
    commands.send(None)
    while (command := await asyncio.to_thread(commands.recv)) is not None:
        do, *arguments = command
        try:
            commands.send(await getattr(load, do)(*arguments))
        except NotDelivered as error:
            commands.send(error)
    await load.disconnect()


def _run(commands: Connection, domain: str, port: int, ca: Path) -> None:
    asyncio.run(_serve(commands, domain, port, ca))


class Generator:
    """The process with the clients of one server."""

    def __init__(self, domain: str, port: int, ca: Path) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._commands, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_run, args=(theirs, domain, port, ca), daemon=True)
        self._process.start()
        theirs.close()
        self._commands.recv()

    def fast(self, kind: str, count: int) -> Round:
        """`count` messages, as fast as the server takes them."""
        return self._do("fast", kind, count)

    def paced(self, kind: str, count: int, rate: float) -> Round:
        """`count` messages, `rate` a second."""
        return self._do("paced", kind, count, rate)

    def refused(self, kind: str) -> None:
        """Make sure that one message of this kind is refused."""
        self._do("refused", kind)

    def stop(self) -> None:
        """Log everybody out and end the process."""
        try:
            self._commands.send(None)
            self._process.join(15)
        except OSError:  # it died before
            pass
        self._process.kill()

    def _do(self, *command: Any) -> Round:
        self._commands.send(command)
        answer = self._commands.recv()
        if isinstance(answer, NotDelivered):
            raise answer
        assert isinstance(answer, Round)
        return answer
