"""Knows how to keep an aioxmpp client in another process and talk to it as if it were here.

aioxmpp cannot live beside slixmpp's dependencies (see `aioxmpp_actor`), so this module only ever starts
that script with the interpreter it is given. It refuses to know XMPP: it sorts the actor's events into what
a test waits for.
"""



from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

ACTOR = Path(__file__).with_name("aioxmpp_actor.py")
LONGEST_LINE = 1 << 20  # an OMEMO message to many devices is one line of JSON

Event = dict[str, Any]


class ActorError(Exception):
    """The other process could not come online, refused a command, or ended; the text ends with its log."""


class Refusal(NamedTuple):
    """How a server said no: the error's type, its condition, and the text meant for a person."""

    type: str
    condition: str
    text: str


@dataclass(frozen=True)
class Contact:
    """One line of a roster."""

    name: str
    groups: tuple[str, ...]
    subscription: str


@dataclass(frozen=True)
class Heard:
    """A message that arrived; `children` pairs each child's `{namespace}name` with its XML."""

    sender: str
    id: str
    type: str
    body: str
    children: tuple[tuple[str, str], ...]


class AioxmppClient:
    """A second, independent XMPP client with a strict parser; a wait in vain ends in TimeoutError."""

    def __init__(self, python: Path, jid: str, password: str, port: int, ca: Path) -> None:
        self.jid = jid
        self._command = (str(python), "-I", "-u", str(ACTOR), jid, "--port", str(port), "--ca", str(ca))
        self._password = password
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._events: list[Event] = []
        self._changed = asyncio.Condition()
        self._ended = False
        self._log: list[str] = []
        self._numbers = itertools.count(1)

    async def online(self, timeout: float = 15) -> str:
        """Start the actor and wait until it has its roster; the full JID that the server gave it."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=pipe, limit=LONGEST_LINE
        )
        self._tasks = [
            asyncio.create_task(self._listen(self._process)),
            asyncio.create_task(self._keep_log(self._process)),
        ]
        try:
            await self._write(self._password)
            return str((await self._take(lambda event: event["event"] == "online", timeout))["jid"])
        except BaseException:  # a cancelled test must not leave a process behind either
            await self.quit()
            raise

    async def say(self, to: str, body: str, mtype: str = "chat") -> str:
        """Hand a message over; its id, to ask `refusal` about."""
        ident = f"aioxmpp-{next(self._numbers)}"
        await self._tell(do="say", to=to, body=body, type=mtype, id=ident)
        return ident

    async def refusal(self, ident: str, timeout: float = 5) -> Refusal:
        """The error that came back for that id."""
        event = await self._take(lambda event: event["event"] == "error" and event["id"] == ident, timeout)
        return Refusal(event["type"], event["condition"], event["text"])

    async def next_message(self, timeout: float = 5) -> Heard:
        """The oldest message not yet taken, chat states and other body-less ones included."""
        event = await self._take(lambda event: event["event"] == "message", timeout)
        children = tuple((child["tag"], child["xml"]) for child in event["children"])
        return Heard(event["from"], event["id"], event["type"], event["body"], children)

    async def roster(self, timeout: float = 5) -> dict[str, Contact]:
        """The roster by bare JID, with every push so far."""
        await self._tell(do="roster")
        items = (await self._take(lambda event: event["event"] == "roster", timeout))["items"]
        return {
            jid: Contact(one["name"], tuple(one["groups"]), one["subscription"]) for jid, one in items.items()
        }

    async def join(self, room: str, nick: str, timeout: float = 15) -> None:
        """Enter a room and wait for one's own presence in it."""
        await self._tell(do="join", room=room, nick=nick)
        await self._take(lambda event: event["event"] == "joined" and event["room"] == room, timeout)

    async def quit(self, timeout: float = 5) -> None:
        """Leave politely, or be ended; safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if process.stdin is not None and not self._ended:
                process.stdin.write(b'{"do": "quit"}\n')
                process.stdin.close()
            await asyncio.wait_for(process.wait(), timeout)
        except (TimeoutError, ConnectionError):
            process.kill()
            await process.wait()
        await asyncio.gather(*self._tasks)

    def log_text(self) -> str:
        """What the actor wrote to stderr: aioxmpp's log and, if it fell, its traceback."""
        return "".join(self._log)

    async def _tell(self, **command: str) -> None:
        await self._write(json.dumps(command))

    async def _write(self, line: str) -> None:
        if self._process is None or self._process.stdin is None:
            raise ActorError(f"{self.jid} is not running")
        self._process.stdin.write(line.encode() + b"\n")
        try:
            await self._process.stdin.drain()
        except ConnectionError:
            raise ActorError(f"{self.jid} has gone\n{self._last_words()}") from None

    async def _take(self, wanted: Callable[[Event], bool], timeout: float) -> Event:
        """Remove and give the first event that is wanted; a failure of the actor ends the wait."""
        async with asyncio.timeout(timeout), self._changed:
            while True:
                for event in self._events:
                    if wanted(event):
                        self._events.remove(event)
                        return event
                for event in self._events:
                    if event["event"] in ("failed", "refused"):
                        self._events.remove(event)
                        raise ActorError(f"{self.jid}: {event['reason']}\n{self._last_words()}")
                if self._ended:
                    raise ActorError(f"{self.jid} has gone\n{self._last_words()}")
                await self._changed.wait()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            async with self._changed:
                self._events.append(json.loads(line))
                self._changed.notify_all()
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def _keep_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self._log.append(line.decode(errors="replace"))

    def _last_words(self, lines: int = 12) -> str:
        return "".join(self._log[-lines:])
