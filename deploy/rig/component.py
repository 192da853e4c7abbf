"""An external component (XEP-0114) written by hand: for tests that need one to be silent, late, wrong or hostile.

Knows a handshake and raw XML; refuses to know any library, so that it can run beside clients and say what no library would.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator
from typing import cast
from xml.etree import ElementTree as ET

COMPONENT = "{jabber:component:accept}"


class RawComponent:
    """One connection to a server's component port; what arrives is in `heard`, as elements."""

    def __init__(self, jid: str, secret: str, port: int) -> None:
        self.jid = jid
        self._secret = secret
        self._port = port
        self.heard: asyncio.Queue[ET.Element] = asyncio.Queue()
        self._reading: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Open the stream and shake hands."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        streams = "http://etherx.jabber.org/streams"
        self.say(f"<stream:stream xmlns='jabber:component:accept' xmlns:stream='{streams}' to='{self.jid}'>")
        header = (await self._reader.readuntil(b"id=")).decode() + (await self._reader.readuntil(b">")).decode()
        found = re.search(r"id=['\"]([^'\"]+)", header)
        if found is None:
            raise ConnectionError(f"no stream id in {header!r}")
        self.say(f"<handshake>{hashlib.sha1((found[1] + self._secret).encode()).hexdigest()}</handshake>")  # noqa: S324 - XEP-0114 says so
        answer = await self._reader.readuntil(b">")
        if b"<handshake" not in answer:
            raise ConnectionError(f"not let in: {answer!r}")
        self._reading = asyncio.create_task(self._read())

    def say(self, xml: str) -> None:
        """Send text as it is."""
        self._writer.write(xml.encode())

    async def next(self, timeout: float = 5.0) -> ET.Element:
        """The oldest unread stanza."""
        return await asyncio.wait_for(self.heard.get(), timeout)

    async def close(self) -> None:
        """End it without ceremony."""
        if self._reading is not None:
            self._reading.cancel()
        self._writer.close()

    async def _read(self) -> None:
        parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(("start", "end"))
        parser.feed(f"<stream xmlns='{COMPONENT[1:-1]}'>")
        depth = 0
        while data := await self._reader.read(65536):
            parser.feed(data)
            for event, element in cast(Iterator[tuple[str, ET.Element]], parser.read_events()):
                depth += 1 if event == "start" else -1
                if event == "end" and depth == 1:
                    self.heard.put_nowait(element)
