"""Every flow that this version serves: judged once, recorded once, refused when the policy says no."""

from __future__ import annotations

import asyncio
from collections import Counter

from slixmpp import Message

from apostille import bootstrap
from apostille import record as records
from e2e.conftest import Government, play
from rig.client import Client

SILENCE = 0.6
STATE = '<active xmlns="http://jabber.org/protocol/chatstates"/>'


def judged(government: Government) -> list[records.Judged]:
    log, _ = bootstrap.ledger_log(str(government.installation.settings))
    with log.view() as view:
        read = [records.read(data) for _, data in view.entries(0, 2**40)]
    return [record for record in read if isinstance(record, records.Judged)]


async def silence(*clients: Client, seconds: float = SILENCE) -> list[Message]:
    """What arrives within a while, errors aside."""
    await asyncio.sleep(seconds)
    heard = [client.inbox.get_nowait() for client in clients for _ in range(client.inbox.qsize())]
    return [message for message in heard if message["type"] != "error"]


def test_local_to_local_is_judged_once_and_carbons_are_not_judged_again(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("asha", "asha/desk", "boris", "boris/desk") as (asha, asha_desk, boris, boris_desk):
            ident = await asha.say(lenient.jid("boris"), "hello")
            assert (await boris.next_message())["body"] == "hello"
            await asyncio.sleep(SILENCE)
            assert boris_desk.inbox.qsize() + boris_desk.carbons.qsize() == 1
            assert asha_desk.carbons.qsize() == 1
            (record,) = [record for record in judged(lenient) if record.id == ident]
            assert (record.sender, record.recipient, record.flow) == (lenient.jid("asha"), lenient.jid("boris"), "local")

    play(act)


def test_to_a_full_jid_and_to_a_resource_that_is_gone_alike(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("asha", "boris/phone") as (asha, boris):
            first = await asha.say(f"{lenient.jid('boris')}/phone", "to the phone")
            second = await asha.say(f"{lenient.jid('boris')}/gone", "to nowhere")
            bodies = {(await boris.next_message())["body"], (await boris.next_message())["body"]}
            assert bodies == {"to the phone", "to nowhere"}
            counted = Counter(record.id for record in judged(lenient))
            assert counted[first] == counted[second] == 1

    play(act)


def test_an_absent_recipient_gets_it_later_and_the_replay_is_not_judged_again(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("asha") as (asha,):
            ident = await asha.say(lenient.jid("clara"), "while you were out")
            await asyncio.sleep(0.2)
        async with lenient.online("clara") as (clara,):
            assert (await clara.next_message())["body"] == "while you were out"
        assert [record.id for record in judged(lenient)].count(ident) == 1

    play(act)


def test_to_oneself_with_and_without_an_address(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("asha") as (asha,):
            first = await asha.say(lenient.jid("asha"), "note to self")
            assert (await asha.next_message())["body"] == "note to self"
            asha.say_raw("<message type='chat' id='self-2'><body>no address</body></message>")
            assert (await asha.next_message())["body"] == "no address"
            mine = [record for record in judged(lenient) if record.id in (first, "self-2")]
            assert [(record.sender, record.recipient) for record in mine] == [(lenient.jid("asha"),) * 2] * 2

    play(act)


def test_a_room_is_judged_once_however_many_are_in_it_and_by_the_person_not_the_nick(lenient: Government) -> None:
    room = f"hall@{lenient.prosody.rooms}"

    async def act() -> None:
        async with lenient.online("asha", "boris", "clara") as everybody:
            for client, nick in zip(everybody, ("Minister", "B", "C"), strict=True):
                await client.join(room, nick)
            asha, boris, clara = everybody
            ident = await asha.say(room, "to all", "groupchat")
            for client in everybody:
                assert (await client.next_message())["body"] == "to all"
            (record,) = [record for record in judged(lenient) if record.id == ident]
            assert (record.sender, record.recipient, record.room) == (lenient.jid("asha"), room, room)
            private = await boris.say(f"{room}/C", "to one")
            assert (await clara.next_message())["body"] == "to one"
            (record,) = [record for record in judged(lenient) if record.id == private]
            assert (record.sender, record.recipient, record.room) == (lenient.jid("boris"), lenient.jid("clara"), room)
            assert not await silence(asha)

    play(act)


def test_what_the_policy_refuses_reaches_nobody_and_no_archive_and_no_ledger(strict: Government) -> None:
    room = f"closed@{strict.prosody.rooms}"

    async def act() -> None:
        async with strict.online("asha", "boris", "boris/desk") as (asha, boris, desk):
            for client, nick in ((asha, "A"), (boris, "B")):
                await client.join(room, nick)
            targets = [
                (strict.jid("boris"), "chat"),
                (f"{strict.jid('boris')}/here", "normal"),
                (f"{strict.jid('boris')}/gone", "chat"),
                (strict.jid("boris"), "headline"),
                (strict.jid("asha"), "chat"),
                (strict.jid("clara"), "chat"),
                (strict.jid("nobody"), "chat"),
                ("gov.example", "chat"),
                (strict.prosody.rooms, "chat"),
                (room, "groupchat"),
                (f"{room}/B", "chat"),
                ("gate.gov.example", "chat"),
                ("someone@elsewhere.example", "chat"),
            ]
            idents = [(await asha.say(to, "readable", mtype), to) for to, mtype in targets]
            for ident, to in idents:
                refusal = await asha.refusal(ident)
                assert refusal.condition == "policy-violation", (to, refusal)
                assert refusal.text.startswith("Not delivered: "), to
            assert not await silence(boris, desk)
            assert not {record.id for record in judged(strict)} & {ident for ident, _ in idents}
        async with strict.online("clara") as (clara,):
            assert not await silence(clara)

    play(act)


def test_the_refusal_comes_from_the_bare_jid_of_the_chat_and_names_its_code(strict: Government) -> None:
    async def act() -> None:
        async with strict.online("asha", "boris") as (asha, _boris):
            ident = await asha.say(f"{strict.jid('boris')}/here", "readable")
            await asha.refusal(ident)
            error = asha.errors[ident].xml
            assert error.get("from") == strict.jid("boris")
            (refused,) = error.iter("{apostille:gate:0}refused")
            assert refused.get("code") == "plaintext"
            assert "readable" not in "".join(error.itertext())

    play(act)


def test_content_free_stanzas_pass_and_are_not_recorded(strict: Government) -> None:
    async def act() -> None:
        async with strict.online("asha", "boris") as (asha, boris):
            before = len(judged(strict))
            await asha.say(strict.jid("boris"), None, children=(STATE,))
            message = await boris.next_message()
            assert message.xml.find("{http://jabber.org/protocol/chatstates}active") is not None
            assert len(judged(strict)) == before

    play(act)


def test_iqs_and_presences_wait_behind_parked_messages_of_the_same_session(lenient: Government) -> None:
    room = f"order@{lenient.prosody.rooms}"

    async def act() -> list[str]:
        async with lenient.online("asha", "boris") as (asha, boris):
            await asha.join(room, "A")
            await boris.join(room, "B")
            said = [f"<message to='{room}' type='groupchat' id='o{n}'><body>{n}</body></message>" for n in range(50)]
            # All in one write: fifty messages, then leaving the room. Leaving first would bounce them all.
            boris.say_raw("".join(said) + f"<presence to='{room}/B' type='unavailable'/>")
            return [(await asha.next_message())["body"] for _ in said]

    assert play(act) == [str(number) for number in range(50)]


def test_who_hangs_up_at_once_is_heard_to_the_last_word(lenient: Government) -> None:
    room = f"farewell@{lenient.prosody.rooms}"

    async def act() -> list[str]:
        async with lenient.online("asha") as (asha,):
            await asha.join(room, "A")
            boris = lenient.client("boris", "brief")
            await boris.online()
            await boris.join(room, "B")
            said = [f"<message to='{room}' type='groupchat' id='f{n}'><body>{n}</body></message>" for n in range(30)]
            boris.say_raw("".join(said) + "</stream:stream>")
            heard = [(await asha.next_message())["body"] for _ in said]
            await boris.offline()
            return heard

    assert play(act) == [str(number) for number in range(30)]


def test_archive_ids_of_both_sides_find_the_message(lenient: Government) -> None:
    async def act() -> dict[str, str]:
        async with lenient.online("asha", "asha/desk", "boris") as (asha, desk, boris):
            await asha.say(lenient.jid("boris"), "cite me")
            sid = "{urn:xmpp:sid:0}stanza-id"
            heard = (await boris.next_message()).xml.findall(sid)
            heard += (await asyncio.wait_for(desk.carbons.get(), 5)).xml.findall(sid)
            await asyncio.sleep(0.6)
            return {str(one.get("by")): str(one.get("id")) for one in heard}

    ids = play(act)
    assert lenient.jid("boris") in ids
    for ident in ids.values():
        told = lenient.installation.answer("audit", "trace", "--stanza-id", ident)
        assert told["ok"]
        assert [item["from"] for item in told["items"]] == [lenient.jid("asha")]
    filed = {one["by"] for one in told["items"][0]["stanza_ids"]}
    assert filed == {lenient.jid("asha"), lenient.jid("boris")}
