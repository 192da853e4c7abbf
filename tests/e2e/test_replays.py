"""What comes a second time - from an archive, a room's history, the offline store, a resumed session - was judged the first time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from xml.etree import ElementTree as ET

import pytest

from e2e.conftest import PASSWORD, SEALED_POLICY, Government, govern, play
from e2e.flows import archive, asleep, heard, readable, records, sealed_message
from e2e.test_flows import judged, silence
from rig.installation import DOMAIN
from rig.wire_resuming import ResumingClient


@pytest.fixture(scope="module")
def patient() -> Iterator[Government]:
    """A government whose gate may be slow: a message waits for half a minute."""
    yield from govern("patient", SEALED_POLICY, extra="apostille_gate_timeout = 30")


@asynccontextmanager
async def resuming(government: Government, name: str) -> AsyncIterator[ResumingClient]:
    client = ResumingClient(name, DOMAIN, PASSWORD, government.prosody.c2s_port, government.prosody.ca)
    await client.online()
    try:
        yield client
    finally:
        await client.offline()


def test_archives_and_a_rooms_history_are_read_without_a_question(patient: Government) -> None:
    room = f"annals@{patient.prosody.rooms}"

    async def act() -> None:
        async with patient.online("asha", "boris") as (asha, boris):
            await asha.join(room, "A")
            asha.say_raw(sealed_message(patient.jid("boris"), "filed"))
            await heard(boris, "filed")
            asha.say_raw(sealed_message(room, "filed-room", "groupchat"))
            await heard(asha, "filed-room")
            before = len(judged(patient))
            for _ in range(3):
                assert (await archive(asha)).count("filed") == 1
                assert (await archive(boris)).count("filed") == 1
                assert await archive(asha, room) == ["filed-room"]
            boris.say_raw(f"<presence to='{room}/B'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='5'/></x></presence>")
            await heard(boris, "filed-room")
            await asyncio.sleep(0.2)
            assert len(judged(patient)) == before
            assert len(records(patient, "filed")) == len(records(patient, "filed-room")) == 1

    play(act)


def test_who_was_away_hears_all_in_order_and_nothing_is_judged_at_the_replay(patient: Government) -> None:
    async def act() -> None:
        async with patient.online("asha") as (asha,):
            for number in range(5):
                asha.say_raw(sealed_message(patient.jid("dmitri"), f"kept-{number}") + readable(patient.jid("dmitri"), f"not-{number}"))
            for number in range(5):
                assert (await asha.refusal(f"not-{number}")).condition == "policy-violation"
            assert [records(patient, f"kept-{number}") for number in range(5)] == [
                [(patient.jid("asha"), patient.jid("dmitri"), "", "local")]
            ] * 5
            before = len(judged(patient))
        async with patient.online("dmitri") as (dmitri,):
            assert [(await dmitri.next_message())["id"] for _ in range(5)] == [f"kept-{number}" for number in range(5)]
            assert not await silence(dmitri)
        assert len(judged(patient)) == before

    play(act)


def test_carbons_of_both_sides_are_of_what_passed_and_are_not_judged(patient: Government) -> None:
    async def act() -> None:
        async with patient.online("asha", "asha/desk", "boris", "boris/desk") as (asha, asha_desk, boris, boris_desk):
            asha.say_raw(readable(f"{patient.jid('boris')}/here", "clear"))
            assert (await asha.refusal("clear")).condition == "policy-violation"
            before = len(judged(patient))
            asha.say_raw(sealed_message(f"{patient.jid('boris')}/here", "copied"))
            await heard(boris, "copied")
            for desk in (asha_desk, boris_desk):
                assert (await asyncio.wait_for(desk.carbons.get(), 5))["id"] == "copied"
            assert not await silence(asha, asha_desk, boris, boris_desk)
            assert asha_desk.carbons.empty()
            assert boris_desk.carbons.empty()
            assert len(judged(patient)) == before + 1

    play(act)


@pytest.mark.parametrize("asked", [True, False], ids=["acknowledgement asked for", "not asked for"])
def test_a_sender_who_loses_the_network_while_messages_wait_and_resumes_is_heard_once_and_told_what_was_refused(
    patient: Government, asked: bool
) -> None:
    idents = [f"waiting-{asked}-{number}" for number in range(10)]
    boris_jid = patient.jid("boris")

    async def act() -> None:
        async with patient.online("boris") as (boris,), resuming(patient, "asha") as asha:
            with asleep(patient):
                asha.say(*(sealed_message(boris_jid, ident) for ident in idents), readable(boris_jid, f"clear-{asked}"))
                if asked:
                    asha.request()
                await asyncio.sleep(0.5)
                assert not asha.acknowledged, "what waits is not acknowledged"
                await asha.cut()
                resuming_ = asyncio.create_task(asha.resume())
                await asyncio.sleep(0.5)
                assert not resuming_.done(), "told how much arrived, it would say again what waits"
            assert await resuming_ == 0
            asha.say(sealed_message(boris_jid, f"after-{asked}"))
            assert [(await boris.next_message(20))["id"] for _ in range(11)] == [*idents, f"after-{asked}"]
            assert "code='plaintext'" in await asha.answered(f"clear-{asked}", 20)
            assert not await silence(boris)
            for ident in idents:
                assert records(patient, ident) == [(patient.jid("asha"), boris_jid, "", "local")]
            assert not records(patient, f"clear-{asked}")

    play(act)


def test_a_sender_who_resumes_after_the_verdicts_hears_then_what_was_refused(patient: Government) -> None:
    async def act() -> None:
        async with patient.online("boris") as (boris,), resuming(patient, "asha") as asha:
            with asleep(patient):
                asha.say(readable(patient.jid("boris"), "late-clear"), sealed_message(patient.jid("boris"), "late"))
                await asyncio.sleep(0.5)  # until the server has read it
                await asha.cut()
            await heard(boris, "late", 20)
            assert not asha.refused
            assert await asha.resume() == 0
            assert "code='plaintext'" in await asha.answered("late-clear")
            assert records(patient, "late") == [(patient.jid("asha"), patient.jid("boris"), "", "local")]

    play(act)


def test_a_recipient_who_loses_the_network_and_resumes_hears_each_message_once(patient: Government) -> None:
    async def act() -> None:
        async with patient.online("asha") as (asha,), resuming(patient, "clara") as clara:
            with asleep(patient):
                for number in range(3):
                    asha.say_raw(sealed_message(f"{patient.jid('clara')}/wire", f"through-{number}"))
                await clara.cut()
            ping = asha.make_iq_get(ito=DOMAIN)
            ping.append(ET.fromstring("<ping xmlns='urn:xmpp:ping'/>"))
            await ping.send(timeout=20)  # type: ignore[no-untyped-call]  # waits behind them: once it is answered they have gone on
            await clara.resume()
            await clara.heard(3, 10)
            await asyncio.sleep(0.3)
            assert (list(clara.arrived), clara.again) == ([f"through-{number}" for number in range(3)], [])
            assert all(len(records(patient, f"through-{number}")) == 1 for number in range(3))

    play(act)
