"""What a crash may cost: kill -9 of the component, the server, or both, at random moments under load; then every message is accounted for.

Some clients also lose their connection before, and resume their sessions.

Knows what clients with stream management were told and what they heard, and what the ledger holds; refuses to excuse anything: an
acknowledged message that neither arrived nor came back is lost in silence.
"""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import click

from apostille import bootstrap
from apostille import record as records
from benchmark.figures import Figure
from benchmark.generator import PASSWORD, omemo, plain
from rig.installation import DOMAIN, Installation, in_folder
from rig.reliable import ReliableClient

PEOPLE = tuple(f"person{number}" for number in range(6))
VICTIMS = ("component", "server", "both")
QUICK, FULL = 12, 100
Chance = random.Random  # a plan that can be repeated, and no secret
# At the end each archive is read in one go.
_EXTRA = (
    "max_archive_query_results = 1000000\n"
    "network_settings = { nagle = false; tcp_backlog = 512; max_send_buffer_size = 1024 * 1024 * 1024 }\n"
)


@dataclass
class Account:
    """Every copy of every message, by its mark: what was told, what arrived, what was recorded."""

    sent: int = 0
    resumed: int = 0
    told_again: int = 0  # by the recipient's own stream management or offline store
    errors: list[str] = field(default_factory=list)  # of streams
    acknowledged: int = 0
    bounced: int = 0
    unrecorded: set[str] = field(default_factory=set)
    duplicated: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    contradicted: set[str] = field(default_factory=set)  # arrived, although its sender was told that it did not


class Trial:
    """One government under load, and somebody who kills its processes."""

    def __init__(self, installation: Installation, seed: int) -> None:
        self.installation = installation
        self._chance = Chance(seed)
        prosody = installation.prosody
        self.clients = [ReliableClient(name, DOMAIN, PASSWORD, prosody.c2s_port, prosody.ca) for name in PEOPLE]
        self._round = 0

    async def run(self, rounds: int) -> Account:
        """Kill so many times, wait until all is quiet, and take stock."""
        for client in self.clients:
            await client.start()
        writing = [asyncio.create_task(self._write(client, Chance(self._chance.random()))) for client in self.clients]
        hidden = not sys.stderr.isatty()
        with click.progressbar(range(1, rounds + 1), label="rounds", file=sys.stderr, hidden=hidden) as bar:
            for self._round in bar:
                await self._kill()
        for task in writing:
            task.cancel()
        await asyncio.wait(writing)
        await self._quiet()
        account = await self._account()
        for client in self.clients:
            await client.stop()
        return account

    async def _write(self, client: ReliableClient, chance: Chance) -> None:
        count, others = 0, [name for name in PEOPLE if not client.jid.startswith(f"{name}@")]
        while True:
            await client.in_session()
            for _ in range(chance.choice((1, 1, 1, 2, 15))):
                to, kind = f"{chance.choice(others)}@{DOMAIN}", plain if chance.random() < 0.1 else omemo
                client.post(f"{self._round}-{client.jid.partition('@')[0]}-{count}", lambda mark, to=to, kind=kind: kind(mark, to))  # type: ignore[misc]
                count += 1
            await asyncio.sleep(chance.uniform(0, 0.6))

    async def _kill(self) -> None:
        victim, moment = self._chance.choice(VICTIMS), self._chance.uniform(0.05, 0.8)
        between = self._chance.uniform(-0.05, 0.05)  # of the two kills, if both must die
        in_a_tunnel = self._chance.sample(self.clients, self._chance.randrange(3))
        await asyncio.sleep(moment / 2)
        for client in in_a_tunnel:
            client.lose()
        await asyncio.sleep(moment / 2)
        if victim == "component" or (victim == "both" and between < 0):
            self.installation.kill()
            await asyncio.sleep(max(0, -between) if victim == "both" else 0)
        if victim != "component":
            self.installation.prosody.kill()
        if victim == "both" and between >= 0:
            await asyncio.sleep(between)
            self.installation.kill()
        if victim != "component":
            await asyncio.to_thread(self.installation.prosody.start)
        if victim != "server":
            await asyncio.to_thread(self.installation.serve, "gate")
        await self._works_again()

    async def _works_again(self, patience: float = 60.0) -> None:
        """Until everybody is online and a message of this round has arrived."""
        deadline = time.monotonic() + patience
        probe = f"{self._round}-probe"
        for client in self.clients:
            await client.in_session(patience)
        tried = 0
        while not any(self._arrived(client, probe) for client in self.clients):
            if time.monotonic() > deadline:
                raise TimeoutError(f"round {self._round}: nothing arrives any more")
            self.clients[0].post(f"{probe}-{tried}", lambda mark: omemo(mark, self.clients[1].jid))
            tried += 1
            await asyncio.sleep(0.1)

    @staticmethod
    def _arrived(client: ReliableClient, name: str) -> bool:
        return any(mark.startswith(name) for mark in client.received)

    async def _quiet(self, patience: float = 60.0) -> None:
        for _ in range(round(patience / 0.1)):
            if not any(client.unacknowledged or not client.connected.is_set() for client in self.clients):
                break
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)

    async def _account(self) -> Account:
        account = Account()
        arrived: set[str] = set()
        for client in self.clients:
            archived = await client.archive()
            arrived |= set(client.received) | set(archived)
            account.resumed += client.resumed
            account.errors += client.stream_errors
            account.told_again += sum(count - 1 for count in client.received.values())
            # What a server kept for a session and tells its successor is no second delivery: it passed the router once.
            first_hand = client.received - client.told_again
            account.duplicated |= {mark for copies in (first_hand, archived) for mark, count in copies.items() if count > 1}
        told = {mark for client in self.clients for mark in client.bounced}
        recorded = _recorded(self.installation)
        account.unrecorded = arrived - set(recorded)
        account.duplicated |= {mark for mark in arrived if recorded[mark] > 1}
        account.contradicted = arrived & told
        for client in self.clients:
            for letter in client.letters.values():
                account.sent += letter.attempt + 1
                account.acknowledged += letter.acknowledged
                account.bounced += letter.mark in told
                if not letter.acknowledged or (letter.mark not in arrived and letter.mark not in told):
                    account.lost.add(letter.mark)
        return account


def _recorded(installation: Installation) -> Counter[str]:
    """How often each message id stands in the ledger."""
    log, _ = bootstrap.ledger_log(str(installation.settings))
    with log.view() as view:
        read = [records.read(data) for _, data in view.entries(0, 2**40)]
    return Counter(record.id for record in read if isinstance(record, records.Judged))


def measure(full: bool, seed: int | None = None, rounds: int | None = None) -> dict[str, Figure]:
    """The account of so many kills; the seed repeats which process dies when, and what is written."""
    seed = Chance().randrange(2**32) if seed is None else seed
    rounds = rounds or (FULL if full else QUICK)
    click.echo(f"faults: seed {seed}, {rounds} rounds")
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of each word to a server that was killed
    folder = in_folder("faults")
    installation = Installation(folder, extra=_EXTRA)
    began = time.monotonic()
    try:
        installation.prosody.register((name, PASSWORD) for name in PEOPLE)
        installation.prosody.start()
        installation.import_officials(PEOPLE)
        installation.serve("gate")
        account = asyncio.run(Trial(installation, seed).run(rounds))
    finally:
        installation.stop()
        shutil.rmtree(folder, ignore_errors=True)
    seconds = time.monotonic() - began
    click.echo(
        f"faults: {account.sent} sent, {account.acknowledged} acknowledged, {account.bounced} bounced, "
        f"{account.resumed} sessions resumed, {account.told_again} told again by the store of a session that ended "
        f"(stream errors: {' '.join(account.errors) or 'none'}); {seconds / rounds:.1f} s a round"
    )
    found = {
        "unrecorded": account.unrecorded,
        "duplicated": account.duplicated,
        "lost_silently": account.lost,
        "contradicted": account.contradicted,
    }
    for name, marks in found.items():
        if marks:
            click.echo(f"faults: {name}: {' '.join(sorted(marks)[:20])}")
    compared = f"{account.sent} messages, seed {seed}"
    figures = {"faults.rounds": Figure(rounds, "1", compared, rounds)}
    return figures | {f"faults.{name}": Figure(len(marks), "1", compared, rounds) for name, marks in found.items()}
