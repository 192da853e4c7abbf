"""What is said in another's name, or by the server itself: privileged messages (XEP-0356), announcements, a message of the day."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from slixmpp import Message

from e2e.conftest import SEALED_POLICY, Government, govern, play
from e2e.flows import archive, heard, readable, records, sealed_message
from e2e.test_components import BOT, SECRET, bot_of, refused
from e2e.test_flows import judged, silence

DAY = "The message of the day."


@pytest.fixture(scope="module")
def privileged() -> Iterator[Government]:
    """A component may speak in officials' names, the server has something to say to each, and Asha may announce."""
    entities = f'privileged_entities = {{ ["{BOT}"] = {{ message = "outgoing" }} }}'
    yield from govern(
        "privileged",
        SEALED_POLICY,
        guarded=(BOT,),
        components={BOT: SECRET, f"un{BOT}": SECRET},
        host_modules=("apostille_gate", "apostille_rosters", "privilege", "announce", "motd"),
        component_modules=("apostille_gate", "privilege"),
        host_extra=f'{entities}; motd_text = "{DAY}"; admins = {{ "asha@gov.example" }}',
    )


def words(messages: list[Message]) -> list[str]:
    """The ids of messages; what the server itself says at a login (the message of the day, mod_privilege's own notice) has none."""
    return [message["id"] for message in messages if message["id"]]


def wrapped(inner: str, ident: str, by: str = BOT, to: str = "gov.example") -> str:
    """A message of an official, in the envelope of a component."""
    inner = inner.replace("<message ", "<message xmlns='jabber:client' ", 1)
    forwarded = f"<forwarded xmlns='urn:xmpp:forward:0'>{inner}</forwarded>"
    return f"<message from='{by}' to='{to}' id='{ident}'><privilege xmlns='urn:xmpp:privilege:2'>{forwarded}</privilege></message>"


def test_a_privileged_message_is_judged_once_as_its_senders_own_and_its_envelope_is_none(privileged: Government) -> None:
    asha_jid, boris_jid = privileged.jid("asha"), privileged.jid("boris")

    async def act() -> None:
        async with privileged.online("asha", "boris") as (asha, boris), bot_of(privileged) as bot:
            before = len(judged(privileged))
            for number in range(3):
                bot.say(wrapped(sealed_message(boris_jid, f"inner-{number}", sender=asha_jid), f"outer-{number}"))
                await heard(boris, f"inner-{number}")
            for number in range(3):
                assert records(privileged, f"inner-{number}") == [(asha_jid, boris_jid, "", "local")]
                assert not records(privileged, f"outer-{number}")
            assert len(judged(privileged)) == before + 3
            assert (await archive(asha))[-3:] == (await archive(boris))[-3:] == [f"inner-{number}" for number in range(3)]
            bot.say(wrapped(readable(boris_jid, "inner-clear", sender=asha_jid), "outer-clear"))
            assert not words(await silence(asha, boris))
            assert "inner-clear" not in {*await archive(asha), *await archive(boris)}
            assert len(judged(privileged)) == before + 3

    play(act)


def test_a_components_own_messages_and_its_envelopes_arrive_in_the_order_in_which_it_said_them(privileged: Government) -> None:
    boris_jid = privileged.jid("boris")

    async def act() -> None:
        async with privileged.online("boris") as (boris,), bot_of(privileged) as bot:
            said = []
            for number in range(0, 40, 2):
                said.append(sealed_message(boris_jid, f"order-{number}", sender=BOT))
                said.append(wrapped(sealed_message(boris_jid, f"order-{number + 1}", sender=privileged.jid("asha")), "o"))
            bot.say("".join(said))
            await heard(boris, "order-39")
            assert words(await silence(boris)) == [f"order-{number}" for number in range(39)]

    play(act)


def test_only_who_has_the_privilege_gets_an_envelope_past_the_gate_and_only_to_the_server_itself(privileged: Government) -> None:
    boris_jid = privileged.jid("boris")

    async def act() -> None:
        async with privileged.online("boris") as (boris,), bot_of(privileged) as bot, bot_of(privileged, f"un{BOT}") as other:
            inner = sealed_message(boris_jid, "stolen", sender=privileged.jid("asha"))
            other.say(wrapped(inner, "unprivileged", by=f"un{BOT}"))
            assert await refused(other, "unprivileged") in ("unknown-element", "no-rule")
            for to in (f"gov.example/{DAY}", boris_jid, "gov.example/announce/online"):
                bot.say(wrapped(inner, f"to-{to}", to=to))
                assert await refused(bot, f"to-{to}") == "unknown-element"
            bot.say(wrapped(inner, "with-words").replace("</privilege>", "</privilege><body>and more</body>"))
            assert await refused(bot, "with-words") in ("plaintext", "unknown-element")
            bot.say(wrapped(sealed_message(boris_jid, "as-gate", sender="someone@gate.gov.example"), "as-the-gate"))
            await heard(boris, "as-gate")
            assert records(privileged, "as-gate") == [("someone@gate.gov.example", boris_jid, "", "remote")], "a service, and no official"
            assert not words(await silence(boris))
            assert not records(privileged, "stolen")

    play(act)


def test_what_the_server_itself_says_passes_unasked(privileged: Government) -> None:
    async def act() -> None:
        before = len(judged(privileged))
        async with privileged.online("clara") as (clara,):
            day = await clara.next_message()
            assert (day["from"], day["body"]) == ("gov.example", DAY)
        assert len(judged(privileged)) == before

    play(act)


def test_an_announcement_is_judged_once_where_it_is_said_and_not_for_each_who_hears_it(privileged: Government) -> None:
    async def act() -> None:
        async with privileged.online("asha", "boris", "clara") as (asha, boris, clara):
            before = len(judged(privileged))
            asha.say_raw(sealed_message("gov.example/announce/online", "proclaimed"))
            for client in (asha, boris, clara):
                await heard(client, "proclaimed")
            assert records(privileged, "proclaimed") == [(privileged.jid("asha"), "gov.example", "", "local")]
            assert len(judged(privileged)) == before + 1
            asha.say_raw(readable("gov.example/announce/online", "proclaimed-clear"))
            assert (await asha.refusal("proclaimed-clear")).condition == "policy-violation"
            assert not words(await silence(boris, clara))
            assert len(judged(privileged)) == before + 1

    play(act)
