"""Bursts and crashes: nothing hangs, nothing is lost in silence, nothing is delivered unrecorded or twice."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from apostille import bootstrap
from apostille import record as records
from e2e.conftest import NAMES, OPEN_POLICY, Government, govern, play

SENDERS = [f"sender{number}" for number in range(10)]
BURST = 500
KILLS = 20


@pytest.fixture(scope="module")
def crowd() -> Iterator[Government]:
    yield from govern("crowd", OPEN_POLICY, people=(*NAMES, *SENDERS))


def recorded_ids(government: Government) -> Counter[str]:
    """How often each message id stands in the ledger."""
    log, _ = bootstrap.ledger_log(str(government.installation.settings))
    with log.view() as view:
        read = [records.read(data) for _, data in view.entries(0, 2**40)]
    return Counter(record.id for record in read if isinstance(record, records.Judged))


def test_ten_bursts_of_500_messages_arrive_whole_and_in_the_order_of_each_sender(crowd: Government) -> None:
    async def act() -> dict[str, list[str]]:
        async with crowd.online("boris", *SENDERS) as (boris, *senders):
            for number in range(BURST):
                for sender in senders:
                    await sender.say(crowd.jid("boris"), str(number))
            heard: dict[str, list[str]] = {}
            for _ in range(BURST * len(senders)):
                message = await boris.next_message(30)
                heard.setdefault(message["from"].user, []).append(message["body"])
            return heard

    began = time.monotonic()
    heard = play(act, 180)
    print(f"{BURST * len(SENDERS)} messages in {time.monotonic() - began:.1f} s")
    assert heard == {sender: [str(number) for number in range(BURST)] for sender in SENDERS}


def test_one_burst_then_silence_leaves_nothing_unread_in_a_buffer(crowd: Government) -> None:
    async def act() -> list[str]:
        async with crowd.online("boris", "sender0") as (boris, sender):
            heard = []
            for round_ in range(10):
                xml = "".join(
                    f"<message to='{crowd.jid('boris')}' type='chat' id='b{round_}-{number}'><body>{number}</body></message>"
                    for number in range(200)
                )
                sender.say_raw(xml)  # one write: all of it lies in the server's buffer at once
                heard += [(await boris.next_message(10))["body"] for _ in range(200)]
            return heard

    assert play(act) == [str(number) for _ in range(10) for number in range(200)]


def test_twenty_kills_of_the_gate_under_load_lose_nothing_in_silence_and_record_all_that_was_delivered(crowd: Government) -> None:
    sent: list[str] = []
    delivered: Counter[str] = Counter()
    refused: set[str] = set()
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    before = recorded_ids(crowd)

    async def act() -> None:
        async with crowd.online("boris", *SENDERS[:4]) as (boris, *senders):
            stop = asyncio.Event()

            async def chatter(number: int) -> None:
                count = 0
                while not stop.is_set():
                    ident = f"k{number}-{count}"
                    sent.append(ident)
                    await senders[number].say(crowd.jid("boris"), "x", id=ident)
                    count += 1
                    await asyncio.sleep(0.01)

            chatting = [asyncio.create_task(chatter(number)) for number in range(len(senders))]
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(0.05, 0.4))
                await asyncio.to_thread(crowd.installation.kill)
                await asyncio.to_thread(crowd.installation.serve, "gate")
            await asyncio.sleep(0.3)
            stop.set()
            await asyncio.gather(*chatting)
            quiet, known = 0, 0
            while quiet < 20 and len(delivered) + len(refused) < len(sent):  # give up after ten seconds without news
                await asyncio.sleep(0.5)
                while not boris.inbox.empty():
                    delivered[str(boris.inbox.get_nowait()["id"])] += 1
                refused.update(ident for sender in senders for ident in sender.errors)
                quiet, known = (0 if len(delivered) + len(refused) > known else quiet + 1), len(delivered) + len(refused)

    try:
        play(act, 240)
    finally:
        crowd.installation.kill()
        crowd.installation.serve()
    ledger = recorded_ids(crowd) - before
    print(f"{len(sent)} sent, {len(delivered)} delivered, {len(refused)} refused, {len(ledger)} recorded")
    assert len(delivered) > 100
    assert refused, "twenty kills under load must have cost somebody an answer"
    assert max(delivered.values()) == 1, "delivered twice"
    assert set(delivered) <= set(ledger), "delivered without a record"
    assert max(ledger.values()) == 1, "recorded twice"
    assert set(sent) == set(delivered) | refused, "lost in silence"
    assert not set(delivered) & refused, "delivered, although the sender was told that it was not"
