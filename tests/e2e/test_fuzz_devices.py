"""Random changes of OMEMO devices through a real server: what is kept is sound, nobody else's is touched, and each is answered once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

import pytest

from e2e.conftest import Government, govern, play
from e2e.test_devices import KEY, LEGACY_BUNDLE, MODERN_BUNDLE, word
from e2e.test_fuzz import short, sound, speakers
from hostile import DEVICES, ODD
from rig.speaker import Silence, Speaker
from strict import LEGACY, MODERN, device, split

PUBSUB = "http://jabber.org/protocol/pubsub"
CHANGES, BURST, SEED = 400, 40, 20261122
LISTS = {f"{LEGACY}.devicelist": LEGACY, f"{MODERN}:devices": MODERN}
NODES = (*LISTS, f"{LEGACY}.bundles:7", f"{MODERN}:bundles", f"{LEGACY}.bundles:0", f"{LEGACY}.bundles:", f"{LEGACY}.devicelist ", "urn:x")
ACTIONS = ("publish", "retract", "delete", "purge", "configure", "create")
IQ = "{jabber:client}iq"


class Changes:
    """Seeded changes: most publish, and half of those are nearly right."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def _device(self) -> str:
        odd = f" label={quoteattr('l' * self.random.choice((5, 60, 600)))}" if self.random.random() < 0.1 else ""
        ident = self.random.choice(DEVICES) if self.random.random() < 0.05 else str(self.random.randrange(1, 2**31))
        inner = "hi" if self.random.random() < 0.02 else ""
        return f"<device id={quoteattr(ident)}{odd}>{inner}</device>"

    def _list(self, namespace: str) -> str:
        count = self.random.choice((0, 1, 2, 5, 99, 100, 101)) if self.random.random() < 0.9 else 3000
        name = {LEGACY: "list", MODERN: "devices"}[namespace]
        if self.random.random() < 0.06:
            name = self.random.choice(("list", "devices", "bundle", "List", "x"))
        if self.random.random() < 0.06:
            namespace = self.random.choice((LEGACY, MODERN, "urn:x", ""))
        return f"<{name} xmlns='{namespace}'>{''.join(self._device() for _ in range(count))}</{name}>"

    def _bundle(self, namespace: str) -> str:
        bundle = LEGACY_BUNDLE if namespace == LEGACY else MODERN_BUNDLE
        if self.random.random() < 0.4:
            key = word(KEY)
            bundle = self.random.choice((
                bundle.replace(key, "!" * 44), bundle.replace("<prekeys>", "<prekeys>" + "letter " * 4000), bundle.replace("ik>", "IK>"),
                bundle.replace("identityKey", "x"), bundle.replace(LEGACY, "urn:x").replace(MODERN, "urn:y"), bundle + "<letter/>",
                bundle.replace("<prekeys>", "<prekeys>" + "<x/>" * 500), f"<x>{bundle}</x>",
            ))  # fmt: skip
        return bundle

    def _publish(self) -> str:
        node = self.random.choice((*NODES[:4], *NODES))
        namespace = MODERN if node.startswith(MODERN) else LEGACY
        payload = self._list(namespace) if "device" in node else self._bundle(namespace)
        ident = self.random.choice(("current", "7", *ODD)) if self.random.random() < 0.4 else "7" if "bundles" in node else "current"
        item = f"<item id={quoteattr(ident)}>{payload}</item>"
        if self.random.random() < 0.08:
            item = self.random.choice(("", "<item/>", item * 2, item.replace("item", "Item"), f"hi{item}", f"<x/>{item}"))
        return f"<publish node={quoteattr(node)}>{item}</publish>"

    def _action(self) -> str:
        node = quoteattr(self.random.choice(NODES))
        ident = quoteattr(self.random.choice((*DEVICES, *ODD)))
        return self.random.choice((
            f"<retract node={node}><item id={ident}/></retract>", f"<retract node={node}/>", f"<create node={node}/>",
            f"<configure node={node}><x xmlns='jabber:x:data' type='submit'/></configure>",
            f"<delete node={node}/>", f"<purge node={node}/>", f"<subscribe node={node} jid='asha@gov.example'/>", f"<items node={node}/>",
        ))  # fmt: skip

    def change(self, ident: str, others: str) -> tuple[str, str]:
        """One IQ, and to whom it goes."""
        draw = self.random.random()
        inner = self._publish() if draw < 0.7 else self._action()
        if draw > 0.9:
            inner += self._publish()
        elif draw > 0.85:
            inner = f"<configure/>{inner}"
        elif draw > 0.8 or draw < 0.1:
            inner += "<publish-options><x xmlns='jabber:x:data' type='submit'/></publish-options>"
        namespace = f"{PUBSUB}#owner" if self.random.random() < 0.12 else PUBSUB
        strangers = ("gov.example", "nobody@gov.example", "x@far.example")
        to = self.random.choice((*[""] * 4, "asha@gov.example", others, f"{others}/here", *strangers))
        mark = f" to='{to}'" if to else ""
        before = "<x/>" if self.random.random() < 0.02 else ""
        kind = "set" if self.random.random() < 0.95 else self.random.choice(("get", "SET", "result", "error"))
        return f"<iq type='{kind}' id='{ident}'{mark}>{before}<pubsub xmlns='{namespace}'>{inner}</pubsub></iq>", to


def sound_list(payload: ET.Element, namespace: str) -> bool:
    """What may stand in a list that others read (XEP-0384): devices with ids, not too many, and no room for a letter."""
    devices = [one for one in payload if one.tag == f"{{{namespace}}}device"]
    room = len(ET.tostring(payload)) <= 1200 + 350 * len(devices)
    silent = not "".join(payload.itertext()).strip()
    return len(devices) <= 100 and all(device(one.get("id")) for one in devices) and room and silent


async def answers(speaker: Speaker, last: str) -> list[ET.Element]:
    """All IQs up to the answer to the last one, and what comes just after it."""
    found: list[ET.Element] = []
    while not found or found[-1].get("id") != last:
        stanza = await speaker.next(30)
        if stanza.tag == IQ:
            found.append(stanza)
    try:
        while True:
            found.append(await speaker.next(0.1))
    except Silence:
        return [one for one in found if one.tag == IQ]


async def kept(speaker: Speaker, node: str, of: str = "") -> ET.Element | None:
    """The last item of a node as others would read it."""
    to = f" to='{of}'" if of else ""
    speaker.say(f"<iq type='get' id='look'{to}><pubsub xmlns='{PUBSUB}'><items node='{node}'/></pubsub></iq>")
    told = await answers(speaker, "look")
    (answer,) = (one for one in told if one.get("id") == "look")
    changes = [one for one in told if one.get("type") == "set"]
    past = [one for one in changes if any(named.get("node") in NODES[:4] and split(named.tag)[1] in ACTIONS for named in one.iter())]
    assert not past, f"went past the gate to a client: {[short(ET.tostring(one, 'unicode')) for one in past]}"
    return answer.find(f".//{{{PUBSUB}}}item")


@pytest.fixture(scope="module")
def announcing() -> Iterator[Government]:
    """The default policy on a server that takes stanzas of a megabyte."""
    yield from govern("devices", extra="c2s_stanza_size_limit = 1024 * 1024")


def test_what_is_kept_of_random_announcements_is_sound_and_nobody_elses_is_touched(announcing: Government) -> None:
    async def act() -> None:
        asha, boris = await speakers(announcing, "asha", "boris")
        theirs = f"<publish node='{LEGACY}.devicelist'><item id='current'><list xmlns='{LEGACY}'><device id='7'/></list></item></publish>"
        boris.say(f"<iq type='set' id='mine'><pubsub xmlns='{PUBSUB}'>{theirs}</pubsub></iq>")
        assert [one.get("type") for one in await answers(boris, "mine")] == ["result"]
        before = ET.tostring(await kept(boris, f"{LEGACY}.devicelist") or ET.Element("none"))
        changes, results = Changes(SEED), 0
        for start in range(0, CHANGES, BURST):
            said = {f"d{number}": changes.change(f"d{number}", "boris@gov.example") for number in range(start, start + BURST)}
            asha.say("".join(xml for xml, _ in said.values()) + "<iq type='get' id='end'><ping xmlns='urn:xmpp:ping'/></iq>")
            told = await answers(asha, "end")
            for ident, (xml, to) in said.items():
                mine = [one for one in told if one.get("id") == ident]
                expected = 1 if re.match("<iq type='[sg]et'", xml) else None
                if not to.endswith("/here"):  # that one is Boris's client to answer
                    assert expected is None or len(mine) == expected, f"{len(mine)} answers: {short(xml)}"
                good = [one for one in mine if one.get("type") == "result"]
                results += len(good)
                foreign = to not in ("", "asha@gov.example") and any(f"node=\"{node}" in xml for node in NODES[:4])
                first = re.search("<pubsub[^>]*><(publish|retract|delete|purge|create|configure) ", xml)
                assert not (good and foreign and first and "type='set'" in xml), f"somebody else's: {short(xml)}"
            for node, namespace in LISTS.items():
                item = await kept(asha, node)
                for payload in item if item is not None else ():
                    assert sound_list(payload, namespace), short(ET.tostring(payload, "unicode"))
            sound(announcing)
        assert CHANGES // 20 < results < CHANGES
        assert ET.tostring(await kept(boris, f"{LEGACY}.devicelist") or ET.Element("none")) == before
        await asha.leave()
        await boris.leave()

    play(act)
