"""Dialogues between named clients, as plain text: who says what, and what of it is heard by whom.

    asha/phone is online
    asha/phone says
        <message to='$boris' type='chat'><body>hello</body></message>
    boris/desk hears
        <message from='$asha/phone'><body>hello</body></message>
    boris/desk hears nothing more

`connects` gives a resource and no presence, `is online` a presence as well, `is kept` XEP-0198 as well; `is cut off` and
`resumes` and `leaves` end and renew; who `says and hangs up` closes the connection and not the stream.

`$asha` is an account of this dialogue alone, `$room` is its room, `$nobody` is no account, `$last` is the end of the last page that
the speaker was given. A stanza that is heard needs to hold what is asked for and may hold more, and others may have come before it;
but everything that anybody heard is kept, for comparing one server with another.

After each line every client asks the server a ping, the speaker first: what comes before the answers was heard by then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from rig.speaker import SM, Hangup, Silence, Speaker

CLIENT = "{jabber:client}"
RSM = "{http://jabber.org/protocol/rsm}"
MUC = "{http://jabber.org/protocol/muc#user}"
DISCO = "{http://jabber.org/protocol/disco#"
VERBS = "connects|is online|is kept|says|says and hangs up|hears|hears nothing more|is cut off|resumes|leaves"
_LINE = re.compile(rf"^(?P<who>\w+/\w+) (?P<verb>{VERBS})$")
_NAME = re.compile(r"\$(\w+)")
NO_ACCOUNTS = ("last", "domain", "rooms", "room", "nobody")
# What a server makes up: the same value is the same token in all that one client hears.
MADE_UP = {
    ("{urn:xmpp:sid:0}stanza-id", "id"),
    ("{urn:xmpp:mam:2}result", "id"),
    ("{urn:xmpp:occupant-id:0}occupant-id", "id"),
    (f"{{{SM}}}enabled", "id"),
    (f"{{{SM}}}resumed", "previd"),
    ("{urn:xmpp:mam:2}start", "id"),
    ("{urn:xmpp:mam:2}end", "id"),
    (f"{RSM}first", ""),
    (f"{RSM}last", ""),
}
# Written in the order of a Lua table, which differs from start to start.
UNORDERED = {f"{RSM}set", f"{DISCO}info}}query", f"{DISCO}items}}query", "{urn:xmpp:blocking}blocklist", "{urn:xmpp:mam:2}metadata"}


class Misheard(AssertionError):
    """Somebody did not hear what the dialogue says; the text says where."""


class Step(NamedTuple):
    """One line of a dialogue and the XML under it."""

    number: int
    who: str
    verb: str
    xml: str


@dataclass
class Part:
    """One client in a dialogue: what it has heard, and how much of that the dialogue has spoken of."""

    speaker: Speaker
    heard: list[ET.Element] = field(default_factory=list)
    told: int = 0
    there: bool = True
    page: str = ""

    async def next(self) -> ET.Element | None:
        """Hear one stanza; an answer to `<r/>` is given, and neither is kept: servers ask when they like."""
        stanza = await self.speaker.next()
        if stanza.tag == f"{{{SM}}}r":
            self.speaker.say(f"<a xmlns='{SM}' h='{self.speaker.counted}'/>")
            return None
        if stanza.get("id", "").startswith("sync-") and stanza.tag == f"{CLIENT}iq":
            return stanza
        for last in stanza.iter(f"{RSM}last"):
            self.page = last.text or ""
        self.heard.append(stanza)
        return stanza

    async def catch_up(self, ident: str) -> None:
        """Everything that was said to this client by now."""
        domain = self.speaker.jid.partition("@")[2].partition("/")[0]
        self.speaker.say(f"<iq type='get' to='{domain}' id='{ident}'><ping xmlns='urn:xmpp:ping'/></iq>")
        while True:
            stanza = await self.next()
            if stanza is not None and stanza.get("id") == ident:
                return


def read(path: Path) -> list[Step]:
    """The steps of a dialogue."""
    steps: list[Step] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.match(line)
        if found:
            steps.append(Step(number, found["who"], found["verb"], ""))
        elif line[0].isspace() and steps:
            steps[-1] = steps[-1]._replace(xml=steps[-1].xml + line.strip())
        else:
            raise ValueError(f"{path.name}:{number}: {line!r} is no line of a dialogue")
    return steps


def accounts(path: Path) -> set[str]:
    """The accounts that a dialogue needs."""
    names = {step.who.partition("/")[0] for step in read(path)} | {
        name for step in read(path) for name in _NAME.findall(step.xml) if name not in NO_ACCOUNTS
    }
    return {f"{name}.{path.stem}" for name in names}


class Stage:
    """One dialogue, being played against one server."""

    def __init__(self, path: Path, domain: str, rooms: str, password: str, port: int, ca: Path) -> None:
        self._path, self._domain, self._rooms = path, domain, rooms
        self._password, self._port, self._ca = password, port, ca
        self._parts: dict[str, Part] = {}
        self._pings = 0

    async def play(self) -> dict[str, list[str]]:
        """Play it to its end; what each client heard, as `normal` writes it."""
        try:
            for step in read(self._path):
                try:
                    await self._do(step)
                except (Silence, Hangup, ConnectionError, Misheard) as problem:
                    where = f"{self._path.name}:{step.number}: {step.who} {step.verb}"
                    raise Misheard(f"{where}: {problem!r}\n{self._told(step.who)}") from None
            return {who: normal(part.heard) for who, part in self._parts.items()}
        finally:
            for part in self._parts.values():
                part.speaker.cut()

    async def _do(self, step: Step) -> None:
        part = self._parts.get(step.who) or self._enter(step.who)
        match step.verb:
            case "connects" | "is online" | "is kept":
                await part.speaker.connect()
                part.there = True
                if step.verb == "is kept":
                    await part.speaker.enable()
                if step.verb != "connects":
                    part.speaker.say("<presence/>")
            case "says":
                part.speaker.say(self._filled(step.xml, part))
            case "says and hangs up":
                part.speaker.hang_up(self._filled(step.xml, part))
                part.there = False
            case "hears":
                await self._hear(part, self._element(self._filled(step.xml, part)))
            case "hears nothing more":
                if part.told < len(part.heard):
                    raise Misheard("heard more")
            case "is cut off":
                part.speaker.cut()
                part.there = False
            case "resumes":
                part.heard.append(await part.speaker.resume())
                part.there = True
            case "leaves":
                part.heard += await part.speaker.leave()
                part.there = False
        if not step.verb.startswith("hears"):
            await self._settle(part)

    def _enter(self, who: str) -> Part:
        speaker = Speaker(self._jid(*who.split("/")), self._password, self._port, self._ca)
        return self._parts.setdefault(who, Part(speaker))

    def _jid(self, name: str, resource: str = "") -> str:
        return f"{name}.{self._path.stem}@{self._domain}" + (f"/{resource}" if resource else "")

    def _filled(self, xml: str, part: Part) -> str:
        room = f"room.{self._path.stem}@{self._rooms}"
        known = {"last": part.page, "domain": self._domain, "rooms": self._rooms, "room": room}
        return _NAME.sub(lambda found: known.get(found[1]) or self._jid(found[1]), xml)

    @staticmethod
    def _element(xml: str) -> ET.Element:
        return ET.fromstring(f"<wrap xmlns='jabber:client'>{xml}</wrap>")[0]

    async def _settle(self, first: Part) -> None:
        self._pings += 1
        ident = f"sync-{self._pings}"
        if first.there:
            await first.catch_up(ident)
        for part in self._parts.values():
            if part is not first and part.there:
                await part.catch_up(ident)

    async def _hear(self, part: Part, wanted: ET.Element) -> None:
        while True:
            while part.told < len(part.heard):
                part.told += 1
                if holds(part.heard[part.told - 1], wanted):
                    return
            await part.next()

    def _told(self, who: str) -> str:
        part = self._parts.get(who)
        return "\n".join(normal(part.heard)) if part else ""


def holds(heard: ET.Element, wanted: ET.Element) -> bool:
    """Whether a stanza holds all that is asked for: names, attributes, text, and children in their order."""
    if heard.tag != wanted.tag or any(heard.get(name) != value for name, value in wanted.attrib.items()):
        return False
    if (wanted.text or "").strip() not in ("", (heard.text or "").strip()):
        return False
    rest = iter(heard)
    return all(any(holds(child, one) for child in rest) for one in wanted)


def normal(stanzas: list[ET.Element]) -> list[str]:
    """Each stanza as text that is the same on two servers which say the same."""
    tokens: dict[str, str] = {}
    return [_normal(stanza, tokens) for stanza in _ordered(stanzas)]


def _ordered(stanzas: list[ET.Element]) -> list[ET.Element]:
    """Presences that come together come in the order of a Lua table: by sender, then. Of one sender they keep their order."""
    ordered: list[ET.Element] = []
    for tag, run in groupby(stanzas, lambda stanza: stanza.tag):
        together = list(run)
        if tag == f"{CLIENT}presence":
            together.sort(key=lambda stanza: stanza.get("from", ""))
        ordered += together
    return ordered


def _normal(stanza: ET.Element, tokens: dict[str, str]) -> str:
    copy = ET.fromstring(ET.tostring(stanza))
    asked = copy.tag == f"{CLIENT}iq" and copy.get("type") in ("get", "set")
    if asked or copy.find("{http://jabber.org/protocol/pubsub#event}event") is not None:
        copy.set("id", "(id)")
    for element in copy.iter():
        for name in ("stamp", "timestamp", "ver"):
            if element.get(name) is not None:
                element.set(name, f"({name})")
        for tag, name in MADE_UP:
            value = (element.get(name) if name else element.text) if element.tag == tag else None
            if value:
                token = tokens.setdefault(value, f"#{len(tokens) + 1}")
                if name:
                    element.set(name, token)
                else:
                    element.text = token
        if element.tag in UNORDERED or element.find(f"{MUC}x/{MUC}invite") is not None:
            element[:] = sorted(element, key=lambda child: ET.canonicalize(ET.tostring(child)))
    return ET.canonicalize(ET.tostring(copy, encoding="unicode"), strip_text=True)
