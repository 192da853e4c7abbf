"""The two transports of browsers: BOSH (XEP-0124, XEP-0206) and websocket (RFC 6455, RFC 7395), on bare sockets.

Knows as much HTTP as one server on loopback needs; refuses to be a browser.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import random
import re
from xml.sax.saxutils import quoteattr

from rig.wire import STREAMS, Wire, plain

_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
_BIND = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>wire</resource></bind>"
_SID = re.compile(rb" sid='([^']+)'")


class WebsocketClient(Wire):
    """A client on a websocket; each stanza is a frame of its own, and `say` puts all frames into one write."""

    def __init__(self, user: str, domain: str, password: str, port: int) -> None:
        super().__init__(user, domain)
        self._user, self._domain, self._password, self._port = user, domain, password, port
        self._reading: asyncio.Task[None] | None = None

    async def online(self) -> None:
        """Upgrade, log in, bind, become available."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        key = base64.b64encode(os.urandom(16)).decode()
        wanted = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        self._writer.write(
            f"GET /xmpp-websocket HTTP/1.1\r\nHost: {self._domain}\r\n{wanted}Sec-WebSocket-Protocol: xmpp\r\n\r\n".encode()
        )
        answer = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 10)
        if b" 101 " not in answer.partition(b"\r\n")[0]:
            raise ConnectionError(f"{self.jid}: no websocket: {answer!r}")
        opening = f"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to={quoteattr(self._domain)} version='1.0'/>"
        await self._ask(opening, b"features>")
        await self._ask(f"<auth xmlns='{_SASL}' mechanism='PLAIN'>{plain(self._user, self._password)}</auth>", b"<success")
        await self._ask(opening, b"features>")
        await self._ask(f"<iq xmlns='jabber:client' type='set' id='bind'>{_BIND}</iq>", b"</iq>")
        await self._ask("<presence xmlns='jabber:client' id='here'/>", b"id='here'")
        self._reading = asyncio.create_task(self._read())

    def say(self, *stanzas: str) -> None:
        """Send each stanza as a frame, all in one write."""
        self._write(*map(_named, stanzas))

    async def drain(self) -> None:
        """Wait until the socket takes more."""
        await self._writer.drain()

    async def offline(self) -> None:
        """Close the stream."""
        self._write("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=2)
            self._reading.cancel()
        self._writer.close()

    def _write(self, *elements: str) -> None:
        self._writer.write(b"".join(_frame(1, element.encode()) for element in elements))

    async def _ask(self, xml: str, until: bytes) -> None:
        self._write(xml)
        seen = b""
        while until not in seen:
            seen += await asyncio.wait_for(self._next(), 10)
            if b"<failure" in seen or b"<stream:error" in seen:
                raise ConnectionError(f"{self.jid}: {seen!r}")

    async def _next(self) -> bytes:
        """The next text frame; pings are answered on the way (RFC 6455 section 5.5.2)."""
        while True:
            first, length = await self._reader.readexactly(2)
            if length >= 126:
                length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8), "big")
            payload = await self._reader.readexactly(length)
            if first & 15 == 8:
                raise ConnectionError(f"{self.jid}: the server closed the websocket: {payload!r}")
            if first & 15 == 9:
                self._writer.write(_frame(10, payload))
            elif first & 15 == 1:
                return payload

    async def _read(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self._take(await self._next())


def _named(stanza: str) -> str:
    """The stanza with its namespace, which no stream header gives it here."""
    return stanza.replace(" ", " xmlns='jabber:client' ", 1)


def _frame(opcode: int, payload: bytes) -> bytes:
    """A client's frame; its mask is all zeros, which is a mask like any other to the server and leaves the text readable."""
    size = len(payload)
    if size < 126:
        length = bytes((128 | size,))
    else:
        length = bytes((128 | 126,)) + size.to_bytes(2, "big") if size < 65536 else bytes((128 | 127,)) + size.to_bytes(8, "big")
    return bytes((128 | opcode,)) + length + b"\0\0\0\0" + payload


class BoshClient(Wire):
    """A client on BOSH: one request waits at the server, another carries what is said; all that was said since goes in one body."""

    def __init__(self, user: str, domain: str, password: str, port: int) -> None:
        super().__init__(user, domain)
        self._user, self._domain, self._password, self._port = user, domain, password, port
        self._rid = random.SystemRandom().randrange(1 << 32)
        self._sid = ""
        self._unsent: list[str] = []
        self._said, self._taken = asyncio.Event(), asyncio.Event()
        self._taken.set()
        self._working: list[asyncio.Task[None]] = []

    async def online(self) -> None:
        """Make a session, log in, bind, become available."""
        self._poll = await asyncio.open_connection("127.0.0.1", self._port)
        self._push = await asyncio.open_connection("127.0.0.1", self._port)
        opening = f"to={quoteattr(self._domain)} xml:lang='en' xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0'"
        answer = await self._request(self._push, "", f"{opening} wait='20' hold='1' ver='1.6'")
        found = _SID.search(answer)
        if found is None:
            raise ConnectionError(f"{self.jid}: no session: {answer!r}")
        self._sid = found[1].decode()
        await self._ask(f"<auth xmlns='{_SASL}' mechanism='PLAIN'>{plain(self._user, self._password)}</auth>", b"<success")
        await self._request(self._push, "", f"{opening} xmpp:restart='true'")
        await self._ask(f"<iq xmlns='jabber:client' type='set' id='bind'>{_BIND}</iq>", b"</iq>")
        await self._ask("<presence xmlns='jabber:client' id='here'/>", b"id='here'")
        self._working = [asyncio.create_task(self._keep_polling()), asyncio.create_task(self._keep_pushing())]

    def say(self, *stanzas: str) -> None:
        """Send stanzas with the next request."""
        self._unsent += map(_named, stanzas)
        self._said.set()
        self._taken.clear()

    async def drain(self) -> None:
        """Wait until the server has all."""
        await self._taken.wait()

    async def offline(self) -> None:
        """End the session."""
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        for _, writer in (self._poll, self._push):
            writer.close()
        last = await asyncio.open_connection("127.0.0.1", self._port)
        await self._request(last, "<presence xmlns='jabber:client' type='unavailable'/>", "type='terminate'")
        last[1].close()

    async def _ask(self, xml: str, until: bytes) -> None:
        seen = await self._request(self._push, xml)
        while until not in seen:
            seen += await self._request(self._push, "")
            if b"terminate" in seen or b"<failure" in seen:
                raise ConnectionError(f"{self.jid}: {seen!r}")

    async def _keep_polling(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self._take(await self._request(self._poll, ""))

    async def _keep_pushing(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._said.wait():
                said, self._unsent = "".join(self._unsent), []
                self._said.clear()
                self._take(await self._request(self._push, said))
                if not self._unsent:
                    self._taken.set()

    async def _request(self, where: tuple[asyncio.StreamReader, asyncio.StreamWriter], xml: str, more: str = "") -> bytes:
        reader, writer = where
        self._rid += 1
        sid = f" sid='{self._sid}'" if self._sid else ""
        namespaces = f"xmlns='http://jabber.org/protocol/httpbind' xmlns:stream='{STREAMS}'"
        body = f"<body {namespaces} rid='{self._rid}'{sid} {more}>{xml}</body>".encode()
        head = f"POST /http-bind HTTP/1.1\r\nHost: {self._domain}\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        found = re.search(rb"(?i)content-length: *(\d+)", answer)
        if b" 200 " not in answer.partition(b"\r\n")[0] or found is None:
            raise ConnectionError(f"{self.jid}: {answer!r}")
        return await reader.readexactly(int(found[1]))
