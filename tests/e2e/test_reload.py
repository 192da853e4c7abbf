"""SIGHUP: every gate reads the policy at once, and a file that is none changes nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator

import pytest

from e2e.conftest import OPEN_POLICY, Government, govern, play

GATES = 2
SEALED = '[[rule]]\nname = "sealed"\nfrom = ["verified"]\nto = ["verified"]\n'
CHANGED, SAME, KEPT = "the changed policy is in force", "the policy was read again: it has not changed", "stays in force"


@pytest.fixture(scope="module")
def two() -> Iterator[Government]:
    yield from govern("reload", OPEN_POLICY, gates=GATES)


async def hung_up(government: Government, said: str) -> float:
    """Send SIGHUP; the seconds until every gate has said this once more."""
    before = government.installation.serve_log().count(said)
    pid = government.installation.pid
    assert pid is not None
    sent = time.monotonic()
    os.kill(pid, signal.SIGHUP)
    while government.installation.serve_log().count(said) < before + GATES:
        assert time.monotonic() < sent + 5, government.installation.serve_log()[-2000:]
        await asyncio.sleep(0.01)
    return time.monotonic() - sent


def test_upon_the_signal_every_gate_reads_the_policy_even_if_it_has_not_changed(two: Government) -> None:
    async def act() -> None:
        for _ in range(3):
            await hung_up(two, SAME)

    play(act)


def test_a_changed_policy_is_in_force_with_the_signal_and_a_bad_one_never_is(two: Government) -> None:
    policy = two.installation.home / "policy.toml"

    async def act() -> None:
        async with two.online("asha", "boris") as (asha, boris):

            async def is_heard(text: str) -> None:
                await asha.say(two.jid("boris"), text)
                assert (await boris.next_message())["body"] == text

            async def is_refused(id_: str) -> None:
                await asha.say(two.jid("boris"), "hello", id=id_)
                assert (await asha.refusal(id_)).condition == "policy-violation"

            await is_heard("open")
            policy.write_text(SEALED)
            await hung_up(two, CHANGED)
            await is_refused("sealed")
            policy.write_text("[[rule]]\n")
            for _ in range(2):
                await hung_up(two, KEPT)
            await is_refused("still")
            policy.write_text(OPEN_POLICY)
            await hung_up(two, CHANGED)
            await is_heard("open again")

    try:
        play(act)
    finally:
        policy.write_text(OPEN_POLICY)
