"""A client with stream management (XEP-0198) that sends again what the server has not acknowledged, as a phone does.

Knows resumption, acknowledgements in both directions, and which of its messages came back. Refuses to forgive: what was acknowledged
is the server's from then on, and is never sent again.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from xml.etree import ElementTree as ET

from rig.wire import WireClient

CLIENT = "{jabber:client}"
SM = "urn:xmpp:sm:3"
MAM = "urn:xmpp:mam:2"
FORWARD = "{urn:xmpp:forward:0}"
_OPEN = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"


@dataclass(slots=True)
class Letter:
    """One message. Each session that sends it gives it another mark, so that its copies can be told apart."""

    name: str
    write: Callable[[str], str]  # mark -> the stanza
    attempt: int = 0
    acknowledged: bool = False

    @property
    def mark(self) -> str:
        """The id of the last copy."""
        return f"{self.name}~{self.attempt}"


class ReliableClient(WireClient):
    """One resource that is to be online: it connects again by itself, and resumes its session if the server still knows it."""

    def __init__(self, user: str, domain: str, password: str, port: int, ca: Path) -> None:
        super().__init__(user, domain, password, port, ca)
        self.letters: dict[str, Letter] = {}
        self.received: Counter[str] = Counter()  # marks of messages that arrived
        self.told_again: Counter[str] = Counter()  # those among them that the server had kept for this client (XEP-0203)
        self.stream_errors: list[str] = []
        self.bounced: dict[str, ET.Element] = {}  # mark -> the error
        self.acknowledgements: list[int] = []  # of this stream, as they came
        self.bounced_before: list[int] = []  # how many had come back when each of them came
        self.connected = asyncio.Event()
        self.resumed = 0
        self._unacknowledged: deque[Letter | None] = deque()  # None: a stanza that nobody misses
        self._acknowledged = self._handled = 0
        self._resume_id = ""
        self._replies: dict[str, asyncio.Future[ET.Element]] = {}
        self._archived: Counter[str] = Counter()
        self._living: asyncio.Task[None] | None = None

    @property
    def unacknowledged(self) -> int:
        """How many messages the server has not answered for."""
        return sum(letter is not None for letter in self._unacknowledged)

    async def start(self, timeout: float = 20.0) -> None:
        """Go online and stay so."""
        self._living = asyncio.create_task(self._live())
        await self.in_session(timeout)

    async def stop(self) -> None:
        """Cease, without a word to the server; if a rule was broken before, say so."""
        if self._living is not None:
            self._living.cancel()
            with suppress(asyncio.CancelledError):
                await self._living
        self._writer.close()

    async def in_session(self, timeout: float = 60.0) -> None:
        """Wait until there is a session; if a rule was broken, say so."""
        waiting = asyncio.ensure_future(self.connected.wait())
        assert self._living is not None
        done, _ = await asyncio.wait({waiting, self._living}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._living in done:
            self._living.result()
        if waiting not in done:
            raise TimeoutError(f"{self.jid}: not online again")

    def lose(self) -> None:
        """Lose the connection, as in a tunnel; the client will notice and come back."""
        self.connected.clear()
        if not self._writer.is_closing():
            self._writer.transport.abort()

    def post(self, name: str, write: Callable[[str], str]) -> Letter:
        """Send one message and ask for an acknowledgement; without a connection it waits for the next."""
        letter = self.letters[name] = Letter(name, write)
        self._unacknowledged.append(letter)
        if self.connected.is_set() and not self._writer.is_closing():
            self.say(letter.write(letter.mark) + f"<r xmlns='{SM}'/>")
        return letter

    def count(self, stanzas: int = 1) -> None:
        """Remember stanzas that were said without `post`."""
        self._unacknowledged.extend([None] * stanzas)

    async def ask(self, ident: str, payload: str, kind: str = "set", timeout: float = 120.0) -> ET.Element:
        """Send an IQ to the own account or server and wait for its answer."""
        self.count()
        reply = self._replies[ident] = asyncio.get_running_loop().create_future()
        self.say(f"<iq type='{kind}' id='{ident}'>{payload}</iq>")
        return await asyncio.wait_for(reply, timeout)

    async def archive(self) -> Counter[str]:
        """The marks of all messages to this account that its archive (XEP-0313) holds; the server must give them in one page."""
        self._archived.clear()
        page = "<set xmlns='http://jabber.org/protocol/rsm'><max>1000000</max></set>"
        done = (await self.ask("archive", f"<query xmlns='{MAM}'>{page}</query>")).find(f"{{{MAM}}}fin")
        if done is None or done.get("complete") != "true":
            raise ConnectionError(f"{self.jid}: the archive did not come whole")
        return Counter(self._archived)

    # ---- one connection after another ------------------------------------------------------------------------------

    async def _live(self) -> None:
        while True:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, StopAsyncIteration):  # the connection has gone
                await self.log_in()
                await self._session()
            self.connected.clear()
            await asyncio.sleep(0.05)

    async def _session(self) -> None:
        parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(("start", "end"))
        parser.feed(_OPEN)
        stanzas = self._stanzas(parser)
        self.acknowledgements, self.bounced_before = [], []
        if self._resume_id:
            self.say(f"<resume xmlns='{SM}' previd='{self._resume_id}' h='{self._handled}'/>")
            answer = await anext(stanzas)
            if answer.get("h") is not None:
                self._settle(int(answer.attrib["h"]))
            if answer.tag == f"{{{SM}}}resumed":
                self.resumed += 1
                self._send_again()
            else:
                self._resume_id = ""
        if not self._resume_id:
            await self._begin(stanzas)
        self.connected.set()
        async for stanza in stanzas:
            self._hear(stanza)

    async def _begin(self, stanzas: AsyncIterator[ET.Element]) -> None:
        self.say("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>wire</resource></bind></iq>")
        await anext(stanzas)
        self.say(f"<enable xmlns='{SM}' resume='true'/>")
        enabled = await anext(stanzas)
        if enabled.tag != f"{{{SM}}}enabled":
            raise ConnectionError(f"{self.jid}: no stream management: {enabled.tag}")
        self._resume_id = enabled.attrib["id"]
        self._acknowledged = self._handled = 0
        self.say("<presence/>")
        letters = [letter for letter in self._unacknowledged if letter is not None]
        for letter in letters:
            letter.attempt += 1
        self._unacknowledged = deque([None, *letters])
        self._send_again(skip=1)

    def _send_again(self, skip: int = 0) -> None:
        letters = [letter for letter in list(self._unacknowledged)[skip:] if letter is not None]
        self.say("".join(letter.write(letter.mark) for letter in letters) + f"<r xmlns='{SM}'/>")

    async def _stanzas(self, parser: ET.XMLPullParser[ET.Element]) -> AsyncIterator[ET.Element]:
        depth = 0
        while data := await self._reader.read(262144):
            parser.feed(data)
            for event, element in cast(Iterator[tuple[str, ET.Element]], parser.read_events()):
                depth += 1 if event == "start" else -1
                if event == "end" and depth == 1:
                    yield element

    # ---- what arrives -----------------------------------------------------------------------------------------------

    def _settle(self, h: int) -> None:
        self.acknowledgements.append(h)
        self.bounced_before.append(len(self.bounced))
        if not self._acknowledged <= h <= self._acknowledged + len(self._unacknowledged):
            raise AssertionError(f"{self.jid}: {h} acknowledged, after {self._acknowledged} and with {len(self._unacknowledged)} open")
        for _ in range(h - self._acknowledged):
            letter = self._unacknowledged.popleft()
            if letter is not None:
                letter.acknowledged = True
        self._acknowledged = h

    def _hear(self, stanza: ET.Element) -> None:
        if stanza.tag == f"{{{SM}}}a":
            self._settle(int(stanza.attrib["h"]))
        elif stanza.tag == f"{{{SM}}}r" and not self._writer.is_closing():
            self.say(f"<a xmlns='{SM}' h='{self._handled}'/>")
        elif stanza.tag == "{http://etherx.jabber.org/streams}error":
            self.stream_errors.append(stanza[0].tag.partition("}")[2])
        elif stanza.tag.startswith(CLIENT):
            self._handled += 1
            ident = stanza.get("id", "")
            if stanza.tag == f"{CLIENT}message":
                self._read_message(stanza, ident)
            elif stanza.tag == f"{CLIENT}iq" and ident in self._replies:
                self._replies.pop(ident).set_result(stanza)

    def _read_message(self, message: ET.Element, ident: str) -> None:
        if message.get("type") == "error":
            self.bounced[ident] = message
            return
        inner = message.find(f"{{{MAM}}}result/{FORWARD}forwarded/{CLIENT}message")
        if inner is None:
            self.received[ident] += 1
            self.told_again[ident] += message.find("{urn:xmpp:delay}delay") is not None
        elif inner.get("to", "").partition("/")[0] == self.jid:
            self._archived[inner.get("id", "")] += 1
