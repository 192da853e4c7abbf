"""OMEMO devices: what changes them is judged and recorded, what an account announces travels with the questions."""

from __future__ import annotations

import asyncio
import base64
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from slixmpp.exceptions import IqError

from apostille import bootstrap
from apostille import record as records
from e2e.conftest import Government, play
from e2e.test_outage import impostor, reply
from rig.client import Client

ASK = "{apostille:gate:0}ask"
PUBSUB = "http://jabber.org/protocol/pubsub"
LEGACY, MODERN = "eu.siacs.conversations.axolotl", "urn:xmpp:omemo:2"
LEGACY_LIST, MODERN_LIST = f"{LEGACY}.devicelist", f"{MODERN}:devices"
KEY = bytes(range(33))


def changes(government: Government) -> list[records.DevicesChanged]:
    log, _ = bootstrap.ledger_log(str(government.installation.settings))
    with log.view() as view:
        read = [records.read(data) for _, data in view.entries(0, 2**40)]
    return [record for record in read if isinstance(record, records.DevicesChanged)]


def item(node: str, payload: str, ident: str = "current") -> str:
    return f"<pubsub xmlns='{PUBSUB}'><publish node='{node}'><item id='{ident}'>{payload}</item></publish></pubsub>"


def legacy_list(*ids: int) -> str:
    return item(LEGACY_LIST, f"<list xmlns='{LEGACY}'>{''.join(f'<device id={chr(39)}{one}{chr(39)}/>' for one in ids)}</list>")


def modern_list(*ids: int, label: str = "") -> str:
    mark = f" label='{label}'" if label else ""
    return item(MODERN_LIST, f"<devices xmlns='{MODERN}'>{''.join(f'<device id={chr(39)}{one}{chr(39)}{mark}/>' for one in ids)}</devices>")


def word(data: bytes) -> str:
    return base64.b64encode(data).decode()


def keys(tag: str, ident: str, key: bytes) -> str:
    return "".join(f"<{tag} {ident}='{number}'>{word(key)}</{tag}>" for number in range(1, 101))


LEGACY_BUNDLE = (
    f"<bundle xmlns='{LEGACY}'><signedPreKeyPublic signedPreKeyId='1'>{word(KEY)}</signedPreKeyPublic>"
    f"<signedPreKeySignature>{word(bytes(64))}</signedPreKeySignature><identityKey>{word(KEY)}</identityKey>"
    f"<prekeys>{keys('preKeyPublic', 'preKeyId', KEY)}</prekeys></bundle>"
)
MODERN_BUNDLE = (
    f"<bundle xmlns='{MODERN}'><spk id='1'>{word(KEY[:32])}</spk><spks>{word(bytes(64))}</spks><ik>{word(KEY[:32])}</ik>"
    f"<prekeys>{keys('pk', 'id', KEY[:32])}</prekeys></bundle>"
)


async def ask(client: Client, payload: str, to: str = "") -> str:
    """What an IQ of type set comes back as: `result`, or the condition of its error."""
    iq: Any = client.make_iq_set(ito=to or None)
    iq.append(ET.fromstring(payload))
    try:
        await iq.send(timeout=10)
    except IqError as error:
        return str(error.condition)
    return "result"


async def expect_no_list(client: Client) -> None:
    """The account announces no devices of OMEMO 0.3."""
    iq: Any = client.make_iq_get()
    iq.append(ET.fromstring(f"<pubsub xmlns='{PUBSUB}'><items node='{LEGACY_LIST}'/></pubsub>"))
    with pytest.raises(IqError):
        await iq.send(timeout=10)


PUBLISHED = {
    "list 0.3": (legacy_list(11, 12), ("publish", LEGACY, "list", (11, 12), "")),
    "list 2": (modern_list(21, 22, label="phone"), ("publish", MODERN, "list", (21, 22), "")),
    "empty list": (legacy_list(), ("publish", LEGACY, "list", (), "")),
    "bundle 0.3": (item(f"{LEGACY}.bundles:11", LEGACY_BUNDLE), ("publish", LEGACY, "bundle", (11,), KEY.hex())),
    "bundle 2": (item(f"{MODERN}:bundles", MODERN_BUNDLE, "21"), ("publish", MODERN, "bundle", (21,), KEY[:32].hex())),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_an_official_publishes_about_his_devices_is_recorded_once(strict: Government, name: str) -> None:
    payload, expected = PUBLISHED[name]

    async def act() -> None:
        async with strict.online("asha") as (asha,):
            before = len(changes(strict))
            assert await ask(asha, payload) == "result"
            (one,) = changes(strict)[before:]
            assert (one.action, one.namespace, one.subject, one.devices, one.identity) == expected
            assert (one.owner, one.flow) == (strict.jid("asha"), "local")

    play(act)


def test_taking_devices_away_is_recorded_too(strict: Government) -> None:
    owner = "http://jabber.org/protocol/pubsub#owner"
    steps = {
        f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><retract node='{MODERN}:bundles'><item id='31'/></retract></pubsub>": "retract",
        f"<pubsub xmlns='{owner}'><purge node='{LEGACY}.bundles:31'/></pubsub>": "purge",
        f"<pubsub xmlns='{owner}'><delete node='{LEGACY_LIST}'/></pubsub>": "delete",
    }

    async def act() -> None:
        async with strict.online("asha") as (asha,):
            for payload in (legacy_list(31), item(f"{LEGACY}.bundles:31", LEGACY_BUNDLE), item(f"{MODERN}:bundles", MODERN_BUNDLE, "31")):
                assert await ask(asha, payload) == "result"
            before = len(changes(strict))
            for payload in steps:
                assert await ask(asha, payload) == "result", payload
            assert [one.action for one in changes(strict)[before:]] == list(steps.values())

    play(act)


def test_a_letter_in_the_place_of_devices_and_somebody_elses_list_are_refused_and_stay_unpublished(strict: Government) -> None:
    letters = (
        item(LEGACY_LIST, f"<list xmlns='{LEGACY}'>a letter</list>"),
        modern_list(1, label="a long letter " * 50),
        legacy_list(0),
        item(f"{LEGACY}.bundles:11", f"<bundle xmlns='{LEGACY}'><identityKey>a letter</identityKey></bundle>"),
        item(f"{LEGACY}.bundles:11", LEGACY_BUNDLE.replace("<prekeys>", f"<prekeys><letter>{'x' * 20_000}</letter>")),
    )

    async def act() -> None:
        async with strict.online("clara", "boris") as (clara, boris):
            before = len(changes(strict))
            for letter in letters:
                assert await ask(clara, letter) == "not-allowed", letter[:200]
            assert await ask(boris, legacy_list(66), strict.jid("clara")) == "not-allowed"
            assert len(changes(strict)) == before
            await expect_no_list(clara)

    play(act)


def test_other_published_things_are_not_asked_about(strict: Government) -> None:
    async def act() -> None:
        async with strict.online("asha") as (asha,):
            before = len(changes(strict))
            nick = "<nick xmlns='http://jabber.org/protocol/nick'>A</nick>"
            assert await ask(asha, item("http://jabber.org/protocol/nick", nick)) == "result"
            assert len(changes(strict)) == before

    play(act)


def test_without_a_gate_no_device_appears(strict: Government) -> None:
    async def act() -> None:
        async with strict.online("dmitri") as (dmitri,), impostor(strict) as gate:
            publishing = asyncio.create_task(ask(dmitri, legacy_list(41)))
            question = await gate.next()
            assert f"publish {LEGACY} list 41 " in (question.findtext(ASK) or "")
            gate.say(reply(question, "<error type='wait'/>", "error"))
            assert await publishing == "recipient-unavailable"
            await expect_no_list(dmitri)

    play(act)


def test_what_both_sides_announce_is_told_before_the_message_once_and_again_after_a_change(strict: Government) -> None:
    def told(question: ET.Element) -> list[str]:
        return [line for line in (question.findtext(ASK) or "").split("\n") if line.startswith("devices ")]

    secret = f"<encrypted xmlns='{LEGACY}'><header sid='1'><key rid='2'>{word(bytes((0x33, *bytes(59))))}</key></header></encrypted>"

    async def act() -> None:
        async with strict.online("asha", "boris") as (asha, boris):
            assert await ask(asha, legacy_list(51)) == "result"
            assert await ask(boris, legacy_list(61, 62)) == "result"
            assert await ask(boris, modern_list(63)) == "result"
            async with impostor(strict) as gate:
                asha.say_raw(f"<message to='{strict.jid('boris')}' type='chat' id='d1'>{secret}</message>")
                question = await gate.next()
                about_boris = f"devices {strict.jid('boris')} 61,62 63"
                about_asha, about_him = sorted(told(question))
                assert about_asha.startswith(f"devices {strict.jid('asha')} 51 ")
                assert about_him == about_boris
                gate.say(passing(question))
                asha.say_raw(f"<message to='{strict.jid('boris')}' type='chat' id='d2'>{secret}</message>")
                question = await gate.next()
                assert told(question) == []
                gate.say(passing(question))
                publishing = asyncio.create_task(ask(boris, legacy_list(61)))
                gate.say(passing(await gate.next()))
                assert await publishing == "result"
                asha.say_raw(f"<message to='{strict.jid('boris')}' type='chat' id='d3'>{secret}</message>")
                assert told(await gate.next()) == [f"devices {strict.jid('boris')} 61 63"]

    play(act)


def test_of_an_account_that_does_not_exist_nothing_is_told_and_nothing_kept(strict: Government) -> None:
    async def act() -> None:
        async with strict.online("asha") as (asha,), impostor(strict) as gate:
            shell = f"<encrypted xmlns='{LEGACY}'/>"
            for number in range(3):  # each would be remembered on both sides of the stream, for as long as it lasts
                asha.say_raw(f"<message to='invented{number}@gov.example' type='chat' id='i{number}'>{shell}</message>")
                question = await gate.next()
                assert "devices invented" not in (question.findtext(ASK) or "")
                gate.say(passing(question))

    play(act)


def passing(question: ET.Element) -> str:
    lines = [line.split(" ") for line in (question.findtext(ASK) or "").split("\n")]
    refs = [words[1] for words in lines if words[0] in ("message", "change")]
    passes = "".join(f"<pass ref='{ref}'/>" for ref in refs)
    return reply(question, f"<verdicts xmlns='apostille:gate:0'>{passes}</verdicts>")
