"""Managed rosters on a real Prosody, with ordinary clients; the component runs in a process of its own."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from e2e.rosters_rig import DOMAIN, STORAGES, Client, Server, fill, fills

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module", params=STORAGES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("prosody"), request.param)
    try:
        running.account("aigul", "bolot", "cholpon", "dastan", "emil")
        yield running
    finally:
        running.stop()


def test_a_roster_is_there_at_login_and_a_transfer_reaches_an_online_client(server: Server) -> None:
    async def play() -> None:
        async with Client(server, "aigul") as aigul:
            await aigul.eventually("bolot")
            assert (await aigul.items())["bolot"] == ("both", "bolot, clerk", ["gov :: tax"])
            aigul.pushes.clear()
            began = time.monotonic()
            server.tree(aigul="gov/tax", bolot="gov/tax", cholpon="gov/tax")
            await aigul.until(lambda: aigul.pushes == [f"cholpon@{DOMAIN}"])
            print(f"transfer seen after {(time.monotonic() - began) * 1000:.0f} ms")

    server.tree(aigul="gov/tax", bolot="gov/tax", cholpon="gov/customs")
    with server.serving():
        asyncio.run(play())


def test_presence_flows_both_ways_as_soon_as_both_rosters_are_written_and_stops_when_they_part(server: Server) -> None:
    async def play() -> None:
        async with Client(server, "aigul") as aigul, Client(server, "dastan") as dastan:
            await aigul.eventually()
            server.tree(aigul="gov/tax", dastan="gov/tax")
            await aigul.until(lambda: ("dastan", "available") in aigul.heard)
            await dastan.until(lambda: ("aigul", "available") in dastan.heard)
            server.tree(aigul="gov/tax", dastan="gov/customs")
            await aigul.until(lambda: ("dastan", "unavailable") in aigul.heard)
            await dastan.until(lambda: ("aigul", "unavailable") in dastan.heard)
            assert await aigul.items() == {}

    server.tree(aigul="gov/tax", dastan="gov/customs")
    with server.serving():
        asyncio.run(play())


def test_private_contacts_survive_and_come_back_when_the_directory_lets_go(server: Server) -> None:
    async def play() -> None:
        async with Client(server, "aigul") as aigul:
            await aigul.eventually("bolot")
            assert await aigul.edit("mother", name="Mum") == ""
            assert await aigul.edit("emil", name="Old friend") == ""
            server.tree(aigul="gov/tax", bolot="gov/tax", emil="gov/tax")
            await aigul.eventually("bolot", "emil")
            server.tree(aigul="gov/customs", bolot="gov/tax", emil="gov/tax")
            await aigul.eventually()
            assert await aigul.items() == {"mother": ("none", "Mum", ["Friends"]), "emil": ("none", "Old friend", ["Friends"])}
            for name in ("mother", "emil"):
                assert await aigul.edit(name, subscription="remove") == ""

    server.tree(aigul="gov/tax", bolot="gov/tax", emil="gov/customs")
    with server.serving():
        asyncio.run(play())


def test_a_client_cannot_undo_what_is_managed(server: Server) -> None:
    async def play() -> None:
        async with Client(server, "aigul") as aigul, Client(server, "bolot") as bolot:
            await aigul.eventually("bolot")
            await bolot.eventually("aigul")
            before = await aigul.items(), await bolot.items()
            assert await aigul.edit("bolot", subscription="remove") == "not-allowed"
            assert await aigul.edit("bolot", name="Boss") == "not-allowed"
            aigul.pushes.clear()
            for kind in ("unsubscribe", "unsubscribed", "subscribe", "subscribed"):
                aigul.send_presence(pto=f"bolot@{DOMAIN}", ptype=kind)
            await aigul.until(lambda: len(aigul.pushes) == 4)
            assert (await aigul.items(), await bolot.items()) == before
            assert not {kind for _, kind in bolot.heard} & {"unsubscribe", "unsubscribed"}

    server.tree(aigul="gov/tax", bolot="gov/tax")
    with server.serving():
        asyncio.run(play())


def test_an_account_that_comes_later_is_filled_at_its_first_login(server: Server) -> None:
    async def play() -> None:
        async with Client(server, "aigul") as aigul:
            await aigul.eventually("late")  # so the component has been here, and has found no account of that name
            await asyncio.to_thread(server.account, "late")
            async with Client(server, "late") as late:
                await late.eventually("aigul")
                await late.until(lambda: ("aigul", "available") in late.heard)
                await aigul.until(lambda: ("late", "available") in aigul.heard)

    server.tree(aigul="gov/tax", late="gov/tax")
    with server.serving():
        asyncio.run(play())


def test_half_a_pair_does_not_lose_its_subscription_to_the_servers_own_answer(server: Server) -> None:
    async def play() -> None:
        async with Client(server, "dastan"), Client(server, "emil") as emil:
            await asyncio.sleep(0.2)
            assert (await emil.items())["dastan"][0] == "both"

    server.raw("rosters", fills(fill("emil", {"dastan": "both"}), fill("dastan", {})))
    asyncio.run(play())
    server.raw("rosters", fills(fill("emil", {})))


def test_a_roster_is_saved_once_and_the_same_roster_is_not_saved_at_all(server: Server) -> None:
    async def version() -> int:
        async with Client(server, "cholpon") as cholpon:
            return cholpon.version

    server.raw("rosters", fills(fill("cholpon", {})))
    first = asyncio.run(version())
    many = {f"c{number}": "both" for number in range(500)}
    assert "added='500' removed='0'" in order(server.raw("rosters", fills(fill("cholpon", many))))
    assert asyncio.run(version()) == first + 1
    assert "added='0' removed='0'" in order(server.raw("rosters", fills(fill("cholpon", many))))
    assert asyncio.run(version()) == first + 1
    server.raw("rosters", fills(fill("cholpon", many | {"c0": "none"})))
    server.raw("rosters", fills(fill("cholpon", {})))
    assert asyncio.run(version()) == first + 3
    lines = re.findall(r"Roster of cholpon\S+ (\d+) changes in ([\d.]+) ms", (server.folder / "prosody.log").read_text("utf-8"))
    print("changes and milliseconds:", lines)


def order(answer: str) -> str:
    counts = re.findall(r"(added|removed)=[\"'](\d+)[\"']", answer)
    return " ".join(f"{name}='{count}'" for name, count in sorted(counts))


def test_an_account_that_does_not_exist_is_reported_absent(server: Server) -> None:
    answer = server.raw("rosters", fills(fill("nobody", {"aigul": "both"}), fill("emil", {})))
    assert f'<absent jid="nobody@{DOMAIN}"' in answer
    assert f'jid="emil@{DOMAIN}"' in answer


@pytest.mark.parametrize(
    "payload",
    [
        fills(),
        fills("<roster/>"),
        fills(fill("emil", {"zarina": "both"}), fill("emil", {})),
        fills(fill("emil", {"zarina": "both"}), fill("emil", {"emil": "both"})),
        fills(fill("emil", {"zarina": "both"}), "<roster jid='x@elsewhere.example'/>"),
        fills(fill("emil", {"zarina": "both"}), fill("dastan", {"zarina": "remove"})),
        fills(fill("emil", {"zarina": "both"}), fill("dastan", {"z/phone": "both"})),
    ],
)
def test_a_malformed_fill_is_a_bad_request_and_writes_nothing(server: Server, payload: str) -> None:
    async def roster() -> Any:
        async with Client(server, "emil") as emil:
            return await emil.items()

    server.raw("rosters", fills(fill("emil", {})))
    assert server.raw("rosters", payload) == "bad-request"
    assert asyncio.run(roster()) == {}


def test_nobody_else_may_fill(server: Server) -> None:
    async def play() -> str:
        async with Client(server, "emil") as emil:
            iq = emil.make_iq_set(ito=DOMAIN)
            iq.append(ET.fromstring(fills(fill("emil", {"zarina": "both"}))))
            return await emil.condition(iq)

    assert server.raw("other", fills(fill("emil", {"zarina": "both"}))) == "forbidden"
    assert asyncio.run(play()) == "forbidden"
