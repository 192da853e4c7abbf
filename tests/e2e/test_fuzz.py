"""Hostile stanzas by the hundred, through a real server: nothing arrives that a second judge refuses, and nobody is left without an answer.

`FUZZ` stanzas are said by default; `python -m e2e.test_fuzz COUNT [SEED]` (from tests/, with components, xep_extensions and deploy on the
path) says as many as wanted. The seed of a failure is in its message.
"""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

import pytest

from e2e.conftest import NAMES, PASSWORD, Government, govern, play
from e2e.flows import sealed_message
from hostile import NAMED, TYPES, Hostile
from rig.speaker import Silence, Speaker
from strict import CLIENT, MUC_USER, may_pass

FUZZ, BURST, SEED = 1200, 200, 20261122
ROOM = "hall@rooms.gov.example"
ASHA, BORIS = "asha@gov.example", "boris@gov.example"
MESSAGE = f"{{{CLIENT}}}message"
JOIN = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>"
REFUSED = "{apostille:gate:0}refused"
_ID = re.compile(r"(f\d+-\d+)")


@dataclass(frozen=True)
class Target:
    """Where a stanza goes, whom the judge takes that for, and the types in which a server brings it there."""

    to: str | None
    recipient: str
    room: bool = False
    brought: tuple[str, ...] = ()


_CHATS = ("normal", "chat", "headline")
TARGETS = (
    Target(BORIS, BORIS, brought=_CHATS),
    Target(f"{BORIS}/here", BORIS, brought=(*_CHATS, "groupchat", "error")),
    Target("Bo\u200bRis@GOV.example", BORIS, brought=_CHATS),
    Target(ASHA, ASHA, brought=("normal", "chat")),  # mod_message discards a headline to oneself
    Target(None, ASHA, brought=("normal", "chat")),
    Target(ROOM, ROOM, room=True, brought=("groupchat",)),
    Target(f"{ROOM}/boris", BORIS, room=True, brought=_CHATS),
    Target("nobody@gov.example", ""),
    Target("gov.example", ""),
    Target("boris@elsewhere.example", ""),
    Target("n" * 1000 + "@gov.example", ""),
    Target("bo\u202eris@gov.example", ""),
    Target("@", ""),
)
ROOM_TYPES = ("chat", "chat", "normal", "headline", "groupchat", "groupchat", "groupchat", "CHAT")  # a room throws out who says error
WEIGHTS = (8, 4, 1, 3, 2, 5, 4, 1, 1, 1, 1, 1, 1)


@dataclass
class Said:
    """One stanza, and what became of it."""

    target: Target
    xml: str
    boris: int = 0
    asha: int = 0
    refused: list[str] = field(default_factory=list)
    other: int = 0

    @property
    def element(self) -> ET.Element:
        wrapped = ET.fromstring(f"<stream xmlns='{CLIENT}'>{self.xml}</stream>")
        return wrapped[0]


class Play:
    """Asha says hostile things; Boris and the room listen."""

    def __init__(self, asha: Speaker, boris: Speaker) -> None:
        self._asha, self._boris = asha, boris
        self.said: dict[str, Said] = {}
        self.unknown: list[str] = []
        self._marks = 0

    def note(self, ident: str, said: Said) -> str:
        self.said[ident] = said
        return said.xml

    def _take(self, stanza: ET.Element, *, by_asha: bool) -> None:
        if stanza.tag != MESSAGE:
            return
        found = _ID.match(stanza.get("id", ""))
        said = self.said.get(found[1]) if found else None
        error = stanza.find(f"{{{CLIENT}}}error")
        if stanza.get("type") == "error" and by_asha and error is not None and (error.get("by") or stanza.get("to") == f"{ASHA}/here"):
            codes = [str(one.get("code")) for one in error.iter(REFUSED)]
            if said is None:
                self.unknown.append(ET.tostring(stanza, "unicode"))
            elif codes:
                said.refused += codes
            else:
                said.other += 1
        elif said is not None:
            said.asha += by_asha
            said.boris += not by_asha

    async def say(self, *stanzas: str) -> None:
        """Say these in one write, and hear what comes of them: all of it is there when what was said behind it is."""
        self._marks += 1
        mark = f"mark-{self._marks}"
        behind = sealed_message(BORIS, f"{mark}-b") + sealed_message(ROOM, f"{mark}-r", "groupchat") + sealed_message(ASHA, f"{mark}-a")
        self._asha.say("".join(stanzas) + behind)
        for speaker, wanted in ((self._asha, {f"{mark}-r", f"{mark}-a"}), (self._boris, {f"{mark}-b", f"{mark}-r"})):
            while wanted:
                stanza = await speaker.next(30)
                assert stanza.get("type") != "error" or not (stanza.get("id") or "").startswith("mark-"), ET.tostring(stanza, "unicode")
                wanted.discard(stanza.get("id", ""))
                self._take(stanza, by_asha=speaker is self._asha)
        for speaker in (self._asha, self._boris):
            try:
                while True:
                    self._take(await speaker.next(0.15), by_asha=speaker is self._asha)
            except Silence:
                pass


def short(xml: str) -> str:
    return re.sub(r"(.)\1{40,}", lambda run: f"{run[1]}[{len(run[0])} times]", xml)[:4000]


def verdict(said: Said) -> bool:
    """What the second judge says; to nobody in particular, only what says nothing may go."""
    target = said.target
    return bool(target.recipient) and may_pass(said.element, ASHA, target.recipient, room=target.room)


def fault(ident: str, said: Said) -> str:
    """What is wrong with what became of a stanza; empty if nothing is."""
    message, may = said.element, verdict(said)
    kind = message.get("type", "normal")
    got = said.boris + said.asha
    if got and not may:
        return "delivered, and the second judge refuses it"
    answers = len(said.refused) + said.other
    if answers > (0 if kind == "error" else 1):
        return "more answers than one" if kind != "error" else "an error was answered"
    if said.target.recipient and not may and kind != "error" and not said.refused:
        return "neither delivered nor refused"
    if set(said.refused) & {"broken", "unavailable", "crowded", "unreadable"}:
        return f"no verdict: {said.refused}"
    if got and answers:
        return "delivered and sent back"
    invites = any(child.tag == f"{{{MUC_USER}}}x" and len(child.attrib) for child in message)
    if may and kind in said.target.brought and (kind != "error" or len(message)):  # Prosody itself drops an error of nothing
        if said.refused:
            return f"refused ({said.refused}), and the second judge lets it pass"
        room_wide = said.target.room and kind == "groupchat"
        if not invites and (said.boris, said.asha) != ((1, 1) if room_wide else (1, 0) if said.target.recipient == BORIS else (0, 1)):
            return f"may pass, and came {said.boris} times to Boris, {said.asha} times to Asha"
    return ""


async def speakers(government: Government, *names: str) -> list[Speaker]:
    prosody = government.prosody
    found = [Speaker(f"{name}@gov.example/here", PASSWORD, prosody.c2s_port, prosody.ca) for name in names]
    for one in found:
        await one.connect()
        one.say("<presence/>")
    return found


@asynccontextmanager
async def playing(government: Government) -> AsyncIterator[Play]:
    """Asha and Boris are online and in one room."""
    asha, boris = await speakers(government, "asha", "boris")
    for one, nick in ((asha, "asha"), (boris, "boris")):
        one.say(f"<presence to='{ROOM}/{nick}'>{JOIN}</presence>")
        while (await one.next()).find(f"{{{MUC_USER}}}x/{{{MUC_USER}}}status[@code='110']") is None:
            pass
        if one is asha:
            form = "<x xmlns='jabber:x:data' type='submit'/>"
            one.say(f"<iq type='set' id='own' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#owner'>{form}</query></iq>")
            while (await one.next()).get("id") != "own":
                pass
    try:
        yield Play(asha, boris)
    finally:
        await asha.leave()
        await boris.leave()


def sound(government: Government) -> None:
    """Both servers live, and neither log speaks of an accident."""
    assert government.prosody.pid is not None
    assert government.installation.pid is not None
    for text in (government.prosody.log_text(), government.installation.serve_log()):
        for sign in ("traceback", "could not be gathered", "could not go on", "could not be judged", "could not be read", "[error]"):
            found = text.lower().find(sign)
            assert found < 0, text[max(0, found - 300) : found + 1500]


async def fuzz(government: Government, count: int, seed: int) -> dict[str, int]:
    """Say `count` stanzas and hold what happened against the second judge."""
    hostile = Hostile(seed, (ASHA, BORIS))
    figures = {"delivered": 0, "refused": 0, "other": 0, "silent": 0}
    async with playing(government) as act:
        for start in range(0, count, BURST):
            act.said.clear()
            stanzas = []
            for number in range(start, min(start + BURST, count)):
                ident = f"f{seed}-{number}"
                target = hostile.random.choices(TARGETS, WEIGHTS)[0]
                xml = hostile.message(ident, target.to, ROOM_TYPES if target.room else TYPES)
                stanzas.append(act.note(ident, Said(target, xml)))
            await act.say(*stanzas)
            for ident, said in act.said.items():
                found = fault(ident, said)
                assert not found, f"{found}; to {said.target}: {short(said.xml)}"
                kind = "delivered" if said.boris + said.asha else "refused" if said.refused else "other" if said.other else "silent"
                figures[kind] += 1
            assert not act.unknown, act.unknown[:3]
            sound(government)
    return figures


@pytest.fixture(scope="module")
def roomy() -> Iterator[Government]:
    """The default policy on a server that takes stanzas of a megabyte."""
    yield from govern("fuzz", extra="c2s_stanza_size_limit = 1024 * 1024")


def test_what_is_delivered_is_what_a_second_judge_lets_pass_and_all_else_is_answered_once(roomy: Government) -> None:
    figures = play(lambda: fuzz(roomy, FUZZ, SEED))
    assert min(figures.values()) > FUZZ // 100, f"one side is hardly tried: {figures}"


def test_the_second_judge_and_the_gate_agree_on_each_kind_by_name_in_every_direction(roomy: Government) -> None:
    async def act() -> None:
        async with playing(roomy) as playing_:
            targets = (TARGETS[0], TARGETS[3], TARGETS[4], TARGETS[5])
            for place, target in enumerate(targets):
                stanzas = []
                for number, (name, (parts, may)) in enumerate(NAMED.items()):
                    ident = f"f{place}-{number}"
                    kind = "groupchat" if target.room else "chat"
                    to = f" to='{target.to}'" if target.to else ""
                    said = Said(target, f"<message id='{ident}' type='{kind}'{to}>{parts}</message>")
                    recipient = BORIS if not target.room else target.recipient
                    if recipient == target.recipient and not (target.room and name == "a reader of zero width"):
                        assert verdict(said) is may, name
                    stanzas.append(playing_.note(ident, said))
                await playing_.say(*stanzas)
            for ident, said in playing_.said.items():
                found = fault(ident, said)
                assert not found, f"{found}; to {said.target}: {short(said.xml)}"
            sound(roomy)

    play(act)


if __name__ == "__main__":
    for one in govern("fuzz", people=NAMES, extra="c2s_stanza_size_limit = 1024 * 1024"):
        total, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else SEED
        print(f"{total} stanzas, seed {seed}: {play(lambda: fuzz(one, total, seed), 3600)}")  # noqa: B023
