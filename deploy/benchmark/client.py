"""A client that is nothing but a socket: fast enough not to be what a benchmark measures.

Knows STARTTLS, SASL PLAIN and resource binding (RFC 6120), carbons (XEP-0280) and acknowledgements (XEP-0198); refuses to parse more
than it must: it counts stanzas by their tags.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import Callable
from pathlib import Path

_ID = re.compile(rb"<message[^>]* id='([^']*)'")
_ACK_ASKED = b"<r xmlns='urn:xmpp:sm:3'"
_ENABLE = "<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>", "<enable xmlns='urn:xmpp:sm:3'/>"

Hearing = Callable[[list[bytes]], None]


class WireClient:
    """One session; `hear` is called with the ids of the messages that came, `copies` counts carbons and `errors` keeps stanza errors."""

    def __init__(self, jid: str, password: str, port: int, ca: Path, hear: Hearing | None = None) -> None:
        self.user, self.domain, self.resource = jid.partition("@")[0], jid.partition("@")[2].partition("/")[0], jid.partition("/")[2]
        self.jid = f"{self.user}@{self.domain}"
        self.copies = 0
        self.errors: list[str] = []
        self._password, self._port, self._ca, self._hear = password, port, ca, hear
        self._handled = 0
        self._reading: asyncio.Task[None] | None = None

    async def online(self) -> None:
        """Log in, bind, become available, enable carbons and acknowledgements."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        await self._open()
        await self._ask("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", b"<proceed")
        await self._writer.start_tls(ssl.create_default_context(cafile=str(self._ca)), server_hostname=self.domain)
        await self._open()
        word = base64.b64encode(f"\0{self.user}\0{self._password}".encode()).decode()
        await self._ask(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{word}</auth>", b"<success")
        await self._open()
        bind = f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{self.resource or 'wire'}</resource></bind>"
        await self._ask(f"<iq type='set' id='bind'>{bind}</iq>", b"</iq>")
        await self._ask("<presence id='here'/>", b"id='here'")
        carbons, acknowledgements = _ENABLE
        await self._ask(carbons, b"id='carbons'")
        rest = await self._ask(acknowledgements, b"<enabled")
        self._reading = asyncio.create_task(self._read(b"<" + rest))

    def say(self, xml: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(xml)

    async def offline(self) -> None:
        """Close the stream."""
        self.say(b"</stream:stream>")
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=2)
            self._reading.cancel()
        self._writer.close()

    async def _open(self) -> None:
        streams = "http://etherx.jabber.org/streams"
        header = f"<stream:stream xmlns='jabber:client' xmlns:stream='{streams}' to='{self.domain}' version='1.0'>"
        await self._ask(header, b"</stream:features>")

    async def _ask(self, xml: str, until: bytes) -> bytes:
        self.say(xml.encode())
        seen = b""
        while until not in seen or b">" not in seen.rpartition(until)[2] + until[-1:]:
            data = await asyncio.wait_for(self._reader.read(65536), 10)
            if not data:
                raise ConnectionError(f"{self.jid}: the server closed the stream: {seen!r}")
            seen += data
            if b"<failure" in seen or b"<failed" in seen:
                raise ConnectionError(f"{self.jid}: {seen!r}")
        return seen.rpartition(until)[2]

    async def _read(self, tail: bytes) -> None:
        while data := await self._reader.read(262144):
            whole, end, tail = (tail + data).rpartition(b">")
            if end:
                self._take(whole + end)

    def _take(self, whole: bytes) -> None:
        """Whole tags: a server escapes each > in texts and attributes."""
        copies = whole.count(b"</forwarded>")
        self._handled += whole.count(b"</message>") - copies + whole.count(b"<presence") + whole.count(b"<iq ")
        self.copies += copies
        if b"type='error'" in whole or b"<stream:error" in whole:
            self.errors.append(whole[:2000].decode(errors="replace"))
        if self._hear is not None and (ids := _ID.findall(whole)):
            self._hear(ids)
        if _ACK_ASKED in whole:
            self.say(b"<a xmlns='urn:xmpp:sm:3' h='%d'/>" % self._handled)
