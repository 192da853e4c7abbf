"""What the gate costs: one Prosody with Apostille and one without, the same messages through both, A B A B.

Knows how to load two servers alike; refuses to compare figures of different runs: these machines are noisy.
"""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig.installation import DOMAIN, Installation, in_folder
from rig.prosody import Prosody
from rig.wire import WireClient

PASSWORD = "bench"
SENDERS = tuple(f"sender{number}" for number in range(8))
RECEIVER = "receiver"
_POLICY = '[[rule]]\nname = "bench"\nfrom = ["verified"]\nto = ["verified"]\nrequire = "{}"\n'
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure as `--json` tells it."""

    value: float
    unit: str
    compared_with: str
    rounds: int


def _random(length: int) -> str:
    return base64.b64encode(os.urandom(length)).decode()


def omemo(ident: str, to: str) -> str:
    """An OMEMO 0.3 message of 1.7 KB with four keys; a server cannot tell random bytes from real ones."""
    keys = "".join(f"<key rid='{device}'>{_random(180)}</key>" for device in range(101, 105))
    header = f"<header sid='77'>{keys}<iv>{_random(12)}</iv></header><payload>{_random(240)}</payload>"
    marks = "<store xmlns='urn:xmpp:hints'/><encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl' name='OMEMO'/>"
    encrypted = f"<encrypted xmlns='eu.siacs.conversations.axolotl'>{header}</encrypted>"
    return f"<message to='{to}' type='chat' id='{ident}'>{encrypted}{marks}</message>"


def plain(ident: str, to: str) -> str:
    """A plaintext message of ordinary length."""
    return f"<message to='{to}' type='chat' id='{ident}'><body>{'An ordinary sentence. ' * 4}</body></message>"


KINDS = {"omemo": omemo, "plain": plain}


class Side:
    """One of the two servers with its clients."""

    def __init__(self, prosody: Prosody) -> None:
        self.prosody = prosody
        self._count = 0

    async def connect(self) -> None:
        """Log everybody in."""
        make = [WireClient(name, DOMAIN, PASSWORD, self.prosody.c2s_port, self.prosody.ca) for name in (RECEIVER, *SENDERS)]
        for client in make:
            await client.online()
        self.receiver, *self.senders = make

    async def rate(self, kind: str, count: int) -> float:
        """Messages a second, all senders at once, from the first byte to the last arrival."""
        each = count // len(self.senders)
        loads = [
            "".join(KINDS[kind](f"{self._count}-{who}-{number}", self.receiver.jid) for number in range(each))
            for who in range(len(self.senders))
        ]
        self._count += 1
        before = len(self.receiver.arrived)
        began = time.monotonic()
        for sender, load in zip(self.senders, loads, strict=True):
            sender.say(load)
        await self.receiver.heard(before + each * len(self.senders))
        return each * len(self.senders) / (time.monotonic() - began)

    async def latencies(self, kind: str, count: int) -> list[float]:
        """Milliseconds from sending to arrival, one message in flight."""
        found = []
        for number in range(count):
            ident = f"l{self._count}-{number}"
            xml = KINDS[kind](ident, self.receiver.jid)
            began = time.monotonic()
            self.senders[0].say(xml)
            await self.receiver.heard(len(self.receiver.arrived) + 1)
            found.append((self.receiver.arrived[ident] - began) * 1000)
        self._count += 1
        return found

    async def disconnect(self) -> None:
        """Log everybody out."""
        for client in (*self.senders, self.receiver):
            await client.offline()


def _cpu(pid: int | None) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


@contextmanager
def _two_sides(require: str) -> Iterator[tuple[Installation, Prosody]]:
    gated_folder, bare_folder = in_folder("bench"), in_folder("bench-bare")
    people = (RECEIVER, *SENDERS)
    gated = Installation(gated_folder)
    bare = Prosody(bare_folder, DOMAIN)
    try:
        (gated.home / "policy.toml").write_text(_POLICY.format(require))
        for prosody in (gated.prosody, bare):
            prosody.register((name, PASSWORD) for name in people)
            prosody.start()
        gated.import_officials(people)
        gated.serve()
        yield gated, bare
    finally:
        gated.stop()
        bare.stop()
        for folder in (gated_folder, bare_folder):
            shutil.rmtree(folder, ignore_errors=True)


async def _kind(kind: str, rounds: int, count: int, figures: dict[str, Figure]) -> None:
    compared = "bare Prosody, same run"
    with _two_sides("omemo" if kind == "omemo" else "nothing") as (installation, bare_prosody):
        gated, bare = Side(installation.prosody), Side(bare_prosody)
        for side in (gated, bare):
            await side.connect()
            await side.rate(kind, count // 4)  # warm up
        ratios, component, server = [], [], []
        for _ in range(rounds):
            started = _cpu(installation.pid), _cpu(gated.prosody.pid), _cpu(bare.prosody.pid)
            with_gate, without = await gated.rate(kind, count), await bare.rate(kind, count)
            ended = _cpu(installation.pid), _cpu(gated.prosody.pid), _cpu(bare.prosody.pid)
            used = [after - before for before, after in zip(started, ended, strict=True)]
            ratios.append(with_gate / without)
            component.append(used[0] / count * 1e6)
            server.append((used[1] - used[2]) / count * 1e6)
        figures[f"gate.rate_ratio_{kind}"] = Figure(statistics.median(ratios), "1", compared, rounds)
        if kind == "omemo":
            figures["gate.component_cpu_us"] = Figure(statistics.median(component), "us", "per message, itself", rounds)
            figures["gate.server_cpu_added_us"] = Figure(statistics.median(server), "us", compared, rounds)
            added = {50: [], 99: []}  # type: dict[int, list[float]]
            for _ in range(rounds):
                a, b = await gated.latencies(kind, 200), await bare.latencies(kind, 200)
                for percent, found in added.items():
                    cut = [statistics.quantiles(one, n=100)[percent - 1] for one in (a, b)]
                    found.append(cut[0] - cut[1])
            figures["gate.latency_added_p50_ms"] = Figure(statistics.median(added[50]), "ms", compared, rounds)
            figures["gate.latency_added_p99_ms"] = Figure(statistics.median(added[99]), "ms", compared, rounds)
        for side in (gated, bare):
            await side.disconnect()


def measure(full: bool) -> dict[str, Figure]:
    """The gate's figures; `full` takes more and longer rounds."""
    figures: dict[str, Figure] = {}
    rounds, count = (9, 8000) if full else (5, 2000)
    for kind in KINDS:
        asyncio.run(_kind(kind, rounds, count, figures))
    return figures
