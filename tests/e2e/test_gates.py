"""Several gates on one server: each sender has one of them, and all write one ledger."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.conftest import OPEN_POLICY, Government, govern, play
from e2e.test_flows import judged

SENDERS = tuple(f"sender{number}" for number in range(6))
EACH = 40


@pytest.fixture(scope="module")
def two() -> Iterator[Government]:
    yield from govern("two", OPEN_POLICY, people=("boris", *SENDERS), gates=2)


def children(pid: int | None) -> list[int]:
    return [int(child) for thread in Path(f"/proc/{pid}/task").iterdir() for child in (thread / "children").read_text().split()]


async def until(true: object, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.05)


async def converse(government: Government, mark: str) -> dict[str, list[str]]:
    async with government.online("boris", *SENDERS) as (boris, *senders):
        for number in range(EACH):
            for sender in senders:
                await sender.say(government.jid("boris"), f"{mark}{number}", id=f"{mark}-{sender.boundjid.user}-{number}")
        heard: dict[str, list[str]] = {}
        for _ in range(EACH * len(senders)):
            message = await boris.next_message(20)
            heard.setdefault(message["from"].user, []).append(message["body"])
        return heard


def test_both_gates_judge_and_the_ledger_has_every_message_once_in_the_order_of_its_sender(two: Government) -> None:
    told = {sender: [f"a{number}" for number in range(EACH)] for sender in SENDERS}
    assert play(lambda: converse(two, "a")) == told
    ids = [record.id for record in judged(two) if record.id.startswith("a-")]
    for sender in SENDERS:
        assert [one for one in ids if f"-{sender}-" in one] == [f"a-{sender}-{number}" for number in range(EACH)]
    assert len(ids) == EACH * len(SENDERS)
    two.installation.run("ledger", "verify")


def test_each_gate_has_its_senders_and_the_others_go_on_when_one_is_away(two: Government) -> None:
    async def act() -> tuple[set[str], set[str]]:
        (second,) = children(two.installation.pid)
        os.kill(second, signal.SIGSTOP)  # as if it hung
        try:
            async with two.online("boris", *SENDERS) as (boris, *senders):
                idents = {sender.boundjid.user: await sender.say(two.jid("boris"), "who is there?") for sender in senders}
                await asyncio.sleep(4)
                refused = {user for sender in senders for user in [sender.boundjid.user] if idents[user] in sender.errors}
                heard = {(await boris.next_message())["from"].user for _ in range(boris.inbox.qsize())}
                return heard, refused
        finally:
            os.kill(second, signal.SIGCONT)

    heard, refused = play(act)
    assert heard, "the first gate should have senders"
    assert refused, "the second gate should have senders"
    assert heard | refused == set(SENDERS)
    assert not heard & refused


def test_a_gate_that_died_is_started_again(two: Government) -> None:
    async def act() -> None:
        (second,) = children(two.installation.pid)
        os.kill(second, signal.SIGKILL)
        lines = two.installation.serve_log().count("gate2.gov.example: connected")
        await until(lambda: two.installation.serve_log().count("gate2.gov.example: connected") > lines)
        told = {sender: [f"c{number}" for number in range(EACH)] for sender in SENDERS}
        assert await converse(two, "c") == told

    play(act)


def test_no_gate_outlives_the_process_that_serves_and_all_come_back_with_it(two: Government) -> None:
    async def act() -> None:
        (second,) = children(two.installation.pid)
        two.installation.kill()
        await until(lambda: not Path(f"/proc/{second}").exists())
        await asyncio.to_thread(two.installation.serve)
        told = {sender: [f"d{number}" for number in range(EACH)] for sender in SENDERS}
        assert await converse(two, "d") == told

    play(act)


def test_a_second_serve_takes_over_and_the_first_ends_instead_of_fighting(two: Government) -> None:
    first = two.installation.pid
    assert first is not None
    other = two.installation.take_over()
    try:
        deadline = time.monotonic() + 15
        while two.installation.pid is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert two.installation.pid is None, "the first still serves"
        assert "another process has logged in as this component" in two.installation.serve_log()
        told = {sender: [f"e{number}" for number in range(EACH)] for sender in SENDERS}
        assert play(lambda: converse(two, "e")) == told
    finally:
        other.terminate()
        other.wait(10)
        two.installation.serve()
