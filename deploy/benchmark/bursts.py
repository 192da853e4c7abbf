"""Whether anything hangs: two hundred messages in one write, then silence, over every transport.

A server that forgets what lies in its own buffers delivers such a burst only when more bytes come, and none do. Knows how to send
and count; what is compared with is nothing at all: no burst may hang, and none may lose or double a message.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark.figures import Figure
from benchmark.generator import PASSWORD
from rig.installation import Installation, in_folder
from rig.prosody import Prosody
from rig.transports import EVERYTHING, FLOWS, wire

BURST = 200
PATIENCE = 20.0
"""Seconds of silence after which a burst counts as hung."""

SENDER, RECEIVER = "sender", "receiver"
POLICY = '[[rule]]\nname = "bursts"\nfrom = ["verified", "remote"]\nto = ["verified"]\nrequire = "nothing"\n'


@dataclass(frozen=True, slots=True)
class Bursts:
    """What became of `runs` bursts: how many did not arrive whole in time, and how many messages were missing or came twice."""

    runs: int
    hung: int
    lost: int


async def bursts(
    prosody: Prosody, transport: str, runs: int, *, sender: str = SENDER, receiver: str = RECEIVER, password: str = PASSWORD
) -> Bursts:
    """Send bursts over one transport to a client on TLS; nobody says anything else meanwhile."""
    speaking, listening = wire(transport, prosody, sender, password), wire("tls", prosody, receiver, password)
    await listening.online()
    await speaking.online()
    hung = lost = 0
    for run in range(runs):
        idents = [f"{transport}-{run}-{number}" for number in range(BURST)]
        before = len(listening.arrived)
        speaking.say(*(speaking.message(listening.jid, ident) for ident in idents))
        try:
            await listening.heard(before + BURST, PATIENCE)
        except TimeoutError:
            hung += 1
        order = [ident for ident in listening.arrived if ident in set(idents)]
        lost += BURST - len(order) + len(listening.again) + (order != [ident for ident in idents if ident in listening.arrived])
        listening.again.clear()
    await speaking.offline()
    await listening.offline()
    return Bursts(runs, hung, lost)


def figures(found: Mapping[str, Bursts]) -> dict[str, Figure]:
    """The sums over all transports."""
    runs = sum(one.runs for one in found.values())
    sums = {"runs": (runs, "bursts"), "hung": (sum(one.hung for one in found.values()), "bursts")}
    sums["lost"] = (sum(one.lost for one in found.values()), "messages")
    return {f"bursts.{name}": Figure(float(value), unit, "nothing", runs) for name, (value, unit) in sums.items()}


def run(runs: int, transports: Sequence[str] = tuple(FLOWS)) -> dict[str, Bursts]:
    """Set up a government, and let each transport burst so often."""
    folder = in_folder("bursts")
    installation = Installation(folder, network=EVERYTHING)
    try:
        (installation.home / "policy.toml").write_text(POLICY)
        installation.prosody.register((name, PASSWORD) for name in (SENDER, RECEIVER))
        installation.prosody.start()
        installation.import_officials((SENDER, RECEIVER))
        installation.serve()
        return {transport: asyncio.run(bursts(installation.prosody, transport, runs)) for transport in transports}
    finally:
        installation.stop()
        shutil.rmtree(folder, ignore_errors=True)


def measure(full: bool) -> dict[str, Figure]:
    """The sums of 10 bursts over each transport, of 50 with `full`."""
    return figures(run(50 if full else 10))
