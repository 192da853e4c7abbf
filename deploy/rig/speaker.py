"""A client that says what it is given and hears stanzas as XML elements: nothing is answered, added or hidden.

Knows STARTTLS, SASL PLAIN, resource binding (RFC 6120) and the counting of XEP-0198; refuses to know what a stanza means. It reads
its socket only when it is asked to, so what it has heard up to a moment is decided by who asks, never by a clock.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree as ET

SM = "urn:xmpp:sm:3"
STANZAS = frozenset(f"{{jabber:client}}{name}" for name in ("message", "presence", "iq"))


class Silence(Exception):
    """What was waited for was not said."""


class Hangup(Exception):
    """The server ended the stream."""


class Speaker:
    """One account's one session after another; `counted` is what XEP-0198 calls h."""

    def __init__(self, jid: str, password: str, port: int, ca: Path | None) -> None:
        self.jid = jid
        self._address, _, self._resource = jid.partition("/")
        self._user, _, self._domain = self._address.partition("@")
        self._password, self._port, self._ca = password, port, ca
        self._stanzas: deque[ET.Element] = deque()
        self.counted = 0
        self.previous = ""
        self._counting = False
        self._ended = False

    async def connect(self) -> None:
        """A stream with a resource, and nothing said on it yet."""
        await self._log_in()
        bind = f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{self._resource}</resource></bind>"
        await self._answer(f"<iq type='set' id='bind'>{bind}</iq>", "{jabber:client}iq")

    async def enable(self) -> None:
        """Have stanzas counted and kept (XEP-0198), and the session kept when the connection breaks."""
        enabled = await self._answer(f"<enable xmlns='{SM}' resume='true'/>", f"{{{SM}}}enabled")
        self.previous, self.counted, self._counting = enabled.get("id", ""), 0, True

    async def resume(self) -> ET.Element:
        """A new connection for the old session; the server's `resumed`."""
        await self._log_in()
        self._counting = True
        return await self._answer(f"<resume xmlns='{SM}' h='{self.counted}' previd='{self.previous}'/>", f"{{{SM}}}resumed")

    def say(self, xml: str) -> None:
        """Send text as it is."""
        self._writer.write(xml.encode())

    async def next(self, timeout: float = 10.0) -> ET.Element:
        """The next stanza, in the order of the wire.

        Raises:
            Silence: nothing came in time.
            Hangup: the server closed the stream.
        """
        try:
            async with asyncio.timeout(timeout):
                while not self._stanzas:
                    await self._read()
        except TimeoutError:
            raise Silence(self.jid) from None
        stanza = self._stanzas.popleft()
        if self._counting and stanza.tag in STANZAS:
            self.counted += 1
        return stanza

    async def leave(self) -> list[ET.Element]:
        """Close the stream; what the server still said until it closed its own."""
        self.say("</stream:stream>")
        heard = []
        try:
            while True:
                heard.append(await self.next())
        except Hangup:
            self._writer.close()
        return heard

    def hang_up(self, xml: str) -> None:
        """Say something and close the connection behind it, with the stream still open."""
        self.say(xml)
        self._counting = False
        self._writer.close()

    def cut(self) -> None:
        """Lose the connection, without a word."""
        self._counting = False
        self._writer.transport.abort()

    # ---- the stream ------------------------------------------------------------------------------------------------

    async def _log_in(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._counting = self._ended = False
        self._stanzas.clear()
        await self._open()
        if self._ca is not None:
            await self._answer("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "{urn:ietf:params:xml:ns:xmpp-tls}proceed")
            await self._writer.start_tls(ssl.create_default_context(cafile=str(self._ca)), server_hostname=self._domain)
            await self._open()
        word = base64.b64encode(f"\0{self._user}\0{self._password}".encode()).decode()
        sasl = "urn:ietf:params:xml:ns:xmpp-sasl"
        await self._answer(f"<auth xmlns='{sasl}' mechanism='PLAIN'>{word}</auth>", f"{{{sasl}}}success")
        await self._open()

    async def _open(self) -> None:
        self._parser: ET.XMLPullParser[Any] = ET.XMLPullParser(("start", "end"))
        self._depth = 0
        streams = "http://etherx.jabber.org/streams"
        header = f"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='{streams}' to='{self._domain}' version='1.0'>"
        await self._answer(header, f"{{{streams}}}features")

    async def _answer(self, xml: str, tag: str) -> ET.Element:
        self.say(xml)
        stanza = await self.next()
        if stanza.tag != tag:
            raise ConnectionError(f"{self.jid}: {ET.tostring(stanza, encoding='unicode')}")
        return stanza

    async def _read(self) -> None:
        data = b"" if self._ended else await self._reader.read(65536)
        if not data:
            self._ended = True
            raise Hangup(self.jid)
        self._parser.feed(data)
        for event, element in cast("Iterator[tuple[str, ET.Element]]", self._parser.read_events()):
            self._depth += 1 if event == "start" else -1
            if event == "end" and self._depth == 1:
                self._stanzas.append(element)
            elif event == "end" and self._depth == 0:
                self._ended = True
