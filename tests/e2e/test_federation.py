"""Two servers that federate over TLS: what goes out and what comes in is judged once, and what is refused has never been said.

The neighbour is a bare Prosody without a gate; each believes the other by its certificate (SASL EXTERNAL), over one connection for
each direction and over one for both (XEP-0288).
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from e2e.conftest import PASSWORD, SEALED_POLICY, Government, govern, play, present
from e2e.flows import archive, heard, readable, records, sealed_message
from e2e.test_components import BOT, SECRET, bot_of, refused
from e2e.test_flows import judged, silence
from rig.client import Client
from rig.configuration import Network
from rig.installation import Installation, in_folder
from rig.prosody import Prosody, introduce

TOWN = "town.example"
MAYOR = f"mayor@{TOWN}"


class Neighbours:
    """A government and a town that know one another."""

    def __init__(self, government: Government, town: Prosody) -> None:
        self.government, self.town = government, town

    def mayor(self, resource: str = "here") -> Client:
        return Client(f"{MAYOR}/{resource}", PASSWORD, port=self.town.c2s_port, ca=self.town.ca)

    @asynccontextmanager
    async def online(self, *names: str) -> AsyncIterator[list[Client]]:
        """The mayor, and officials."""
        async with present(self.mayor(), *(self.government.client(*name.split("/")) for name in names)) as clients:
            yield clients


@pytest.fixture(scope="module", params=[False, True], ids=["two connections", "one connection"])
def neighbours(request: pytest.FixtureRequest) -> Iterator[Neighbours]:
    network = Network(federation=True, bidi=request.param)
    folder = in_folder("town")
    towns: list[Prosody] = []

    def found(installation: Installation) -> None:
        towns.append(Prosody(folder, TOWN, network=network, authority=installation.prosody.authority))
        introduce(installation.prosody, *towns)

    try:
        for government in govern("federal", SEALED_POLICY, before=found, guarded=(BOT,), components={BOT: SECRET}, network=network):
            (town,) = towns
            town.register([("mayor", PASSWORD)])
            town.start()
            yield Neighbours(government, town)
            logs = government.prosody.log_text() + town.log_text()
            assert "Accepting SASL EXTERNAL identity" in logs
            assert "dialback" not in logs
            made = re.findall(r"s2s connection (gov.example->town.example|town.example->gov.example) complete", logs)
            assert len(made) == (2 if network.bidi else len(made)), "each server tells of the one connection once"
    finally:
        for town in towns:
            town.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def never_said(neighbours: Neighbours, ident: str, *clients: Client, by: Client | None = None, rooms: tuple[str, ...] = ()) -> None:
    """Nobody hears it, no archive has it but that of `by` (its own server has no gate), and the ledger does not know it."""
    assert not await silence(*clients, seconds=0.2)  # its sender has heard already that it was refused
    for client in clients:
        assert client is by or ident not in await archive(client)
    for room in rooms:
        assert ident not in await archive(clients[0], room)
    assert not records(neighbours.government, ident)


def test_what_an_official_says_to_another_server_is_judged_once_and_a_readable_word_does_not_leave(neighbours: Neighbours) -> None:
    government = neighbours.government

    async def act() -> None:
        async with neighbours.online("asha", "asha/desk") as (mayor, asha, desk):
            for to in (MAYOR, f"{MAYOR}/here"):
                asha.say_raw(sealed_message(to, f"out-{to}"))
                await heard(mayor, f"out-{to}")
                assert (await asyncio.wait_for(desk.carbons.get(), 5))["id"] == f"out-{to}"
                assert records(government, f"out-{to}") == [(government.jid("asha"), MAYOR, "", "local")]
                assert (await archive(asha)).count(f"out-{to}") == 1
                asha.say_raw(readable(to, f"kept-{to}"))
                assert (await asha.refusal(f"kept-{to}")).condition == "policy-violation"
                await never_said(neighbours, f"kept-{to}", asha, mayor)
            assert desk.carbons.empty()

    play(act)


def test_what_another_server_says_to_an_official_is_judged_once_and_its_sender_hears_a_refusal(neighbours: Neighbours) -> None:
    government = neighbours.government

    async def act() -> None:
        async with neighbours.online("boris", "boris/desk") as (mayor, boris, desk):
            bare = government.jid("boris")
            for to in (bare, f"{bare}/here", f"{bare}/gone"):
                mayor.say_raw(sealed_message(to, f"in-{to}"))
                await heard(boris, f"in-{to}")
                assert records(government, f"in-{to}") == [(MAYOR, bare, "", "remote")]
                assert (await archive(boris)).count(f"in-{to}") == 1
                mayor.say_raw(readable(to, f"clear-{to}"))
                assert (await mayor.refusal(f"clear-{to}")).condition == "policy-violation"
                desk.inbox, desk.carbons = asyncio.Queue(), asyncio.Queue()  # copies of what passed
                await never_said(neighbours, f"clear-{to}", boris, desk)
                assert desk.carbons.empty()

    play(act)


def test_what_another_server_says_to_an_absent_official_is_replayed_unjudged_and_to_nobody_it_is_refused(neighbours: Neighbours) -> None:
    government = neighbours.government

    async def act() -> None:
        async with neighbours.online() as (mayor,):
            mayor.say_raw(readable(government.jid("clara"), "offline-clear"))
            assert (await mayor.refusal("offline-clear")).condition == "policy-violation"
            mayor.say_raw(sealed_message(government.jid("clara"), "offline"))
            for to in (government.jid("nobody"), "gov.example", f"robot@{BOT}", government.prosody.rooms):
                mayor.say_raw(readable(to, f"clear-{to}"))
                assert (await mayor.refusal(f"clear-{to}")).condition == "policy-violation", to
                assert not records(government, f"clear-{to}")
        async with government.online("clara") as (clara,):
            assert (await clara.next_message())["id"] == "offline", "and nothing before it"
            await never_said(neighbours, "offline-clear", clara)
        assert records(government, "offline") == [(MAYOR, government.jid("clara"), "", "remote")]

    play(act)


def test_a_room_with_guests_from_another_server_judges_each_word_once_by_its_real_sender(neighbours: Neighbours) -> None:
    government = neighbours.government
    room = f"assembly@{government.prosody.rooms}"

    async def act() -> None:
        async with neighbours.online("asha", "boris") as (mayor, asha, boris):
            for client, nick in ((asha, "Minister"), (mayor, "Guest"), (boris, "B")):
                await client.join(room, nick)
            everybody = (asha, boris, mayor)
            people = {asha: (government.jid("asha"), "local", "Guest", MAYOR), mayor: (MAYOR, "remote", "B", government.jid("boris"))}
            for speaker, (real, flow, to_nick, to_real) in people.items():
                speaker.say_raw(sealed_message(room, f"all-{real}", "groupchat"))
                for client in everybody:
                    await heard(client, f"all-{real}")
                assert records(government, f"all-{real}") == [(real, room, room, flow)]
                assert (await archive(asha, room)).count(f"all-{real}") == 1
                listener = mayor if speaker is asha else boris
                speaker.say_raw(sealed_message(f"{room}/{to_nick}", f"one-{real}"))
                await heard(listener, f"one-{real}")
                assert records(government, f"one-{real}") == [(real, to_real, room, flow)]
                for to, kind in ((room, "groupchat"), (f"{room}/{to_nick}", "chat")):
                    ident = f"clear-{kind}-{real}"
                    speaker.say_raw(readable(to, ident, kind))
                    assert (await speaker.refusal(ident)).condition == "policy-violation"
                    await never_said(neighbours, ident, *everybody, by=mayor if speaker is mayor else None, rooms=(room,))

    play(act)


def test_a_room_of_another_server_is_a_remote_sender_and_what_an_official_says_there_is_recorded_as_his(neighbours: Neighbours) -> None:
    government = neighbours.government
    room = f"market@{neighbours.town.rooms}"

    async def act() -> None:
        async with neighbours.online("asha", "boris") as (mayor, asha, boris):
            for client, nick in ((mayor, "M"), (asha, "A"), (boris, "B")):
                await client.join(room, nick)
            asha.say_raw(sealed_message(room, "abroad", "groupchat"))
            for client in (mayor, asha, boris):
                await heard(client, "abroad")
            said, *reflected = records(government, "abroad")
            assert said == (government.jid("asha"), room, "", "local")
            # Each copy that the foreign room sends in is a message of that room: nothing on it proves that it was judged here.
            assert sorted(reflected) == [(room, government.jid(name), "", "remote") for name in ("asha", "boris")]
            asha.say_raw(readable(room, "abroad-clear", "groupchat"))
            assert (await asha.refusal("abroad-clear")).condition == "policy-violation"
            mayor.say_raw(readable(room, "mayor-clear", "groupchat"))
            await heard(mayor, "mayor-clear")  # by his own server, where nobody judges
            assert not await silence(asha, boris)
            assert not records(government, "mayor-clear")

    play(act)


def test_a_component_and_another_server_are_judged_in_both_directions(neighbours: Neighbours) -> None:
    government = neighbours.government
    robot = f"robot@{BOT}"

    async def act() -> None:
        async with neighbours.online() as (mayor,), bot_of(government) as bot:
            for sender, ident in ((BOT, "bot"), (robot, "robot"), (f"{robot}/x", "robot/x")):
                bare = sender.partition("/")[0]
                bot.say(sealed_message(MAYOR, f"abroad-{ident}", "chat", sender))
                await heard(mayor, f"abroad-{ident}")
                assert records(government, f"abroad-{ident}") == [(bare, MAYOR, "", "component")]
                bot.say(readable(MAYOR, f"clear-{ident}", "chat", sender))
                assert await refused(bot, f"clear-{ident}") == "plaintext"
                await never_said(neighbours, f"clear-{ident}", mayor)
                mayor.say_raw(readable(sender, f"back-clear-{ident}"))
                assert (await mayor.refusal(f"back-clear-{ident}")).condition == "policy-violation"
                mayor.say_raw(sealed_message(sender, f"back-{ident}"))
                assert (await bot.next()).get("id") == f"back-{ident}", "and nothing before it"
                assert records(government, f"back-{ident}") == [(MAYOR, bare, "", "remote")]
                assert not records(government, f"back-clear-{ident}")

    play(act)


def test_a_server_that_does_not_exist_costs_one_record_and_one_error(neighbours: Neighbours) -> None:
    government = neighbours.government

    async def act() -> None:
        async with government.online("asha") as (asha,):
            asha.say_raw(sealed_message("who@nowhere.example", "nowhere"))
            assert (await asha.refusal("nowhere")).condition in ("remote-server-not-found", "remote-server-timeout")
            assert records(government, "nowhere") == [(government.jid("asha"), "who@nowhere.example", "", "local")]
            assert [record.id for record in judged(government)].count("nowhere") == 1

    play(act)
