"""A client that is nothing but a socket: fast enough not to be what a benchmark measures.

Knows STARTTLS, SASL PLAIN and resource binding (RFC 6120); refuses to parse more than it must: it counts messages by their tags
and keeps the moments of their arrival.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
import time
from pathlib import Path

_BODY = re.compile(rb"<message[^>]* id='([^']*)'")
_END = b"</message>"


class WireClient:
    """One session; `arrived` maps the id of each message heard to the moment (seconds, monotonic) of its arrival."""

    def __init__(self, user: str, domain: str, password: str, port: int, ca: Path) -> None:
        self.jid = f"{user}@{domain}"
        self._user, self._domain, self._password, self._port, self._ca = user, domain, password, port, ca
        self.arrived: dict[str, float] = {}
        self._more = asyncio.Event()
        self._tail = b""
        self._reading: asyncio.Task[None] | None = None

    async def online(self) -> None:
        """Log in, bind, become available, and wait for the server's echo of it."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        await self._open()
        await self._ask("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", b"<proceed")
        await self._writer.start_tls(ssl.create_default_context(cafile=str(self._ca)), server_hostname=self._domain)
        await self._open()
        word = base64.b64encode(f"\0{self._user}\0{self._password}".encode()).decode()
        await self._ask(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{word}</auth>", b"<success")
        await self._open()
        bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>wire</resource></bind>"
        await self._ask(f"<iq type='set' id='bind'>{bind}</iq>", b"</iq>")
        await self._ask("<presence id='here'/>", b"id='here'")
        self._reading = asyncio.create_task(self._read())

    def say(self, xml: str) -> None:
        """Send text as it is."""
        self._writer.write(xml.encode())

    async def drain(self) -> None:
        """Wait until the socket takes more."""
        await self._writer.drain()

    async def heard(self, count: int, timeout: float = 120.0) -> None:
        """Wait until `count` messages have arrived in all."""

        async def enough() -> None:
            while len(self.arrived) < count:
                self._more.clear()
                await self._more.wait()

        await asyncio.wait_for(enough(), timeout)

    async def offline(self) -> None:
        """Close the stream."""
        self.say("</stream:stream>")
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=2)
            self._reading.cancel()
        self._writer.close()

    async def _open(self) -> None:
        streams = "http://etherx.jabber.org/streams"
        header = f"<stream:stream xmlns='jabber:client' xmlns:stream='{streams}' to='{self._domain}' version='1.0'>"
        await self._ask(header, b"</stream:features>")

    async def _ask(self, xml: str, until: bytes) -> None:
        self.say(xml)
        seen = b""
        while until not in seen:
            data = await asyncio.wait_for(self._reader.read(65536), 10)
            if not data:
                raise ConnectionError(f"{self.jid}: the server closed the stream: {seen!r}")
            seen += data
            if b"<failure" in seen:
                raise ConnectionError(f"{self.jid}: {seen!r}")
        rest = seen.rpartition(until)[2]
        if b">" not in rest and until[:1] == b"<" and until[-1:] != b">":
            await self._reader.readuntil(b">")

    async def _read(self) -> None:
        while data := await self._reader.read(262144):
            now = time.monotonic()
            whole, end, self._tail = (self._tail + data).rpartition(_END)
            if end:
                for ident in _BODY.findall(whole):
                    self.arrived.setdefault(ident.decode(), now)
                self._more.set()
