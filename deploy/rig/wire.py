"""Clients that are nothing but a socket: fast enough not to be what a benchmark measures, and alike over every transport.

Knows STARTTLS, SASL PLAIN and resource binding (RFC 6120); refuses to parse more than it must: it counts messages by their tags
and keeps the moments of their arrival. `rig.wire_http` and `rig.wire_server` are the other transports.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

STREAMS = "http://etherx.jabber.org/streams"
_OPENED = re.compile(rb"<message\b([^>]*)")
_ID = re.compile(rb" id='([^']*)'")
_END = b"</message>"
_REFUSED = re.compile(rb"<iq[^>]* type='error'")


class Wire(ABC):
    """One session.

    Attributes:
        jid: bare JID.
        arrived: id of each message heard -> the moment (seconds, monotonic) of its arrival; errors are no messages.
        again: ids that were heard more than once.
        refused: id of each message that came back as an error -> the whole error stanza.
    """

    def __init__(self, user: str, domain: str) -> None:
        self.jid = f"{user}@{domain}"
        self.arrived: dict[str, float] = {}
        self.again: list[str] = []
        self.refused: dict[str, str] = {}
        self._more = asyncio.Event()
        self._tail = b""

    @abstractmethod
    async def online(self) -> None:
        """Log in, bind, become available, and wait until the server has heard of it."""

    @abstractmethod
    def say(self, *stanzas: str) -> None:
        """Send stanzas as they are, in one write."""

    @abstractmethod
    async def drain(self) -> None:
        """Wait until the transport takes more."""

    @abstractmethod
    async def offline(self) -> None:
        """End the session."""

    def message(self, to: str, ident: str, body: str = "x", kind: str = "chat") -> str:
        """A plaintext message, as this transport wants it."""
        return f"<message to='{to}' type='{kind}' id='{ident}'><body>{body}</body></message>"

    async def heard(self, count: int, timeout: float = 120.0) -> None:
        """Wait until `count` messages have arrived in all."""
        await self._until(lambda: len(self.arrived) >= count, timeout)

    async def answered(self, ident: str, timeout: float = 10.0) -> str:
        """Wait for the error that the message `ident` came back as."""
        await self._until(lambda: ident in self.refused, timeout)
        return self.refused[ident]

    async def _until(self, true: Callable[[], bool], timeout: float) -> None:
        async def waiting() -> None:
            while not true():
                self._more.clear()
                await self._more.wait()

        await asyncio.wait_for(waiting(), timeout)

    def _take(self, data: bytes) -> None:
        """Note what is whole in `data` and what was left over before."""
        now = time.monotonic()
        whole, end, self._tail = (self._tail + data).rpartition(_END)
        if not end:
            return
        for opened in _OPENED.finditer(whole):
            found = _ID.search(opened[1])
            if found is None:
                continue
            ident = found[1].decode()
            if b" type='error'" in opened[1]:
                self.refused[ident] = (whole[opened.start() :].partition(_END)[0] + _END).decode()
            elif ident in self.arrived:
                self.again.append(ident)
            else:
                self.arrived[ident] = now
        self._more.set()


class StreamWire(Wire):
    """A session on a TCP stream (RFC 6120)."""

    namespace = "jabber:client"

    def __init__(self, user: str, domain: str, port: int) -> None:
        super().__init__(user, domain)
        self._port = port
        self._reading: asyncio.Task[None] | None = None

    def say(self, *stanzas: str) -> None:
        """Send text as it is, in one write."""
        self._write("".join(stanzas))

    def _write(self, xml: str) -> None:
        self._writer.write(xml.encode())

    async def drain(self) -> None:
        """Wait until the socket takes more."""
        await self._writer.drain()

    async def offline(self) -> None:
        """Close the stream."""
        self._write("</stream:stream>")
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=2)
        await self.cut()

    async def closed(self, timeout: float = 10.0) -> None:
        """Wait until the server has ended the connection."""
        if self._reading is not None:
            await asyncio.wait_for(self._reading, timeout)

    async def cut(self) -> None:
        """Drop the socket without a word, as a lost network does."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._writer.transport.abort()

    async def vanish(self) -> None:
        """Close the socket once all that was said is out, without a word of farewell."""
        if self._reading is not None:
            self._reading.cancel()
        self._writer.close()
        await asyncio.wait({asyncio.ensure_future(self._writer.wait_closed())}, timeout=2)

    async def _connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def _secure(self, context: ssl.SSLContext, name: str) -> None:
        await self._ask("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", b"<proceed")
        await self._writer.start_tls(context, server_hostname=name)

    async def _open(self, to: str, more: str = "") -> bytes:
        header = f"<stream:stream xmlns='{self.namespace}' xmlns:stream='{STREAMS}' to='{to}' version='1.0'{more}>"
        return await self._ask(header, b"</stream:features>")

    async def _ask(self, xml: str, until: bytes) -> bytes:
        self._write(xml)
        seen = b""
        while until not in seen:
            data = await asyncio.wait_for(self._reader.read(65536), 10)
            if not data:
                raise ConnectionError(f"{self.jid}: the server closed the stream: {seen!r}")
            seen += data
            if b"<failure" in seen or b"<stream:error" in seen or _REFUSED.search(seen):
                raise ConnectionError(f"{self.jid}: {seen!r}")
        rest = seen.rpartition(until)[2]
        if b">" not in rest and until[:1] == b"<" and until[-1:] != b">":
            seen += await self._reader.readuntil(b">")
        return seen

    def _listen(self) -> None:
        self._tail = b""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while data := await self._reader.read(262144):
            self._take(data)


class WireClient(StreamWire):
    """A client; with `ca` None it speaks without TLS, if the server lets it."""

    def __init__(self, user: str, domain: str, password: str, port: int, ca: Path | None) -> None:
        super().__init__(user, domain, port)
        self._user, self._domain, self._password, self._ca = user, domain, password, ca

    async def online(self) -> None:
        """Log in, bind, become available, and wait for the server's echo of it."""
        await self.log_in()
        await self.begin()

    async def log_in(self, mechanism: str = "PLAIN") -> None:
        """Connect, secure the stream, prove who this is; `ANONYMOUS` proves nothing."""
        await self._connect()
        await self._open(self._domain)
        if self._ca is not None:
            await self._secure(ssl.create_default_context(cafile=str(self._ca)), self._domain)
            await self._open(self._domain)
        word = plain(self._user, self._password) if mechanism == "PLAIN" else "="
        await self._ask(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{word}</auth>", b"<success")
        await self._open(self._domain)

    async def begin(self) -> None:
        """Bind a resource, become available, and wait for the server's echo of it."""
        await self._bind()
        self._listen()

    async def _bind(self) -> None:
        bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>wire</resource></bind>"
        await self._ask(f"<iq type='set' id='bind'>{bind}</iq>", b"</iq>")
        await self._ask("<presence id='here'/>", b"id='here'")


def plain(user: str, password: str) -> str:
    """What SASL PLAIN says (RFC 4616)."""
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()
