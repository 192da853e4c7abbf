"""What the gate costs: one Prosody with Apostille and one without, the same messages through both, A B B A.

Knows which rounds to take; refuses to compare figures of different rounds: these machines are noisy.
"""

from __future__ import annotations

import statistics
from typing import NamedTuple

from benchmark.figures import Figure, median
from benchmark.generator import Round
from benchmark.sides import Side, cpu, resident, servers

__all__ = ["Figure", "measure"]

BARE = "bare Prosody, same run"
READ = "nothing: for reading"


class _Plan(NamedTuple):
    """How much is measured."""

    rounds: int
    messages: int  # of one fast round
    paced: int  # of one round at half load
    grown: int  # messages between the two looks at the memory


class _Taken(NamedTuple):
    """One round of one side: what came through, and CPU seconds of the server and of the component."""

    round: Round
    server: float
    component: float


def _fast(side: Side, kind: str, count: int) -> _Taken:
    before = cpu(side.server), cpu(side.component) if side.component else 0.0
    found = side.load.fast(kind, count)
    after = cpu(side.server), cpu(side.component) if side.component else 0.0
    return _Taken(found, after[0] - before[0], after[1] - before[1])


def _rates(kind: str, plan: _Plan, sides: tuple[Side, ...]) -> tuple[list[_Taken], ...]:
    taken: tuple[list[_Taken], ...] = tuple([] for _ in sides)
    for number in range(plan.rounds):
        pairs = list(zip(sides, taken, strict=True))
        for side, found in pairs if number % 2 == 0 else reversed(pairs):  # who comes first has no advantage
            found.append(_fast(side, kind, plan.messages))
    return taken


def _ratio(some: list[_Taken], others: list[_Taken]) -> Figure:
    return median([one.round.rate / other.round.rate for one, other in zip(some, others, strict=True)], "1", BARE)


def _cpu_ratio(some: list[_Taken], bare: list[_Taken]) -> Figure:
    """What the ratio of rates would be if nothing but the server's one thread were in the way: quieter than the clock."""
    return median([without.server / one.server for one, without in zip(some, bare, strict=True)], "1", BARE)


def _rate(taken: list[_Taken]) -> Figure:
    return median([one.round.rate for one in taken], "1/s", READ)


def _costs(gated: list[_Taken], bare: list[_Taken], count: int) -> dict[str, Figure]:
    added = [(one.server - other.server) / count * 1e6 for one, other in zip(gated, bare, strict=True)]
    return {
        "gate.component_cpu_us": median([one.component / count * 1e6 for one in gated], "us", "per message, itself"),
        "gate.server_cpu_added_us": median(added, "us", BARE),
        "gate.server_cpu_bare_us": median([one.server / count * 1e6 for one in bare], "us", READ),
        "gate.generator_cpu_share": median([one.round.cpu_share for one in bare], "1", "one core, while the bare server is measured"),
    }


def _latencies(kind: str, plan: _Plan, rate: float, gated: Side, bare: Side) -> dict[str, Figure]:
    """Delays with both servers at the same pace, round after round."""
    cuts: dict[str, list[list[float]]] = {"gated": [], "bare": []}
    for number in range(plan.rounds):
        sides = [("gated", gated), ("bare", bare)]
        for name, side in sides if number % 2 == 0 else reversed(sides):
            cuts[name].append(statistics.quantiles(side.load.paced(kind, plan.paced, rate).latencies, n=100))
    figures = {"gate.latency_load_per_s": Figure(rate, "1/s", "half of the gated server's rate, for both", plan.rounds)}
    for percent in (50, 99):
        with_gate, without = ([one[percent - 1] for one in cuts[name]] for name in ("gated", "bare"))
        added = [one - other for one, other in zip(with_gate, without, strict=True)]
        figures[f"gate.latency_added_p{percent}_ms"] = median(added, "ms", f"{BARE}, both at half of the gated rate")
        figures[f"gate.latency_bare_p{percent}_ms"] = median(without, "ms", READ)
    return figures


def _growth(kind: str, plan: _Plan, gated: Side, bare: Side, memory: tuple[int, int, int]) -> dict[str, Figure]:
    """Memory now, relative to what it was after the warm-up; sends what is missing to the planned number of messages."""
    assert gated.component is not None
    sent = plan.rounds * (plan.messages + plan.paced)
    while sent < plan.grown:
        for side in (gated, bare):
            side.load.fast(kind, plan.messages)
        sent += plan.messages
    now = resident(gated.component), resident(gated.server), resident(bare.server)
    component, server, without = (after / before for after, before in zip(now, memory, strict=True))
    what = f"itself {sent} messages before"
    return {
        "gate.memory_growth_ratio": Figure(max(component, server), "1", f"{what}; component or server, whichever grew more", 1),
        "gate.memory_growth_ratio_component": Figure(component, "1", what, 1),
        "gate.memory_growth_ratio_server": Figure(server, "1", what, 1),
        "gate.memory_growth_ratio_bare": Figure(without, "1", what, 1),
        "gate.memory_component_mb": Figure(now[0] / 1024, "MB", READ, 1),
        "gate.memory_server_mb": Figure(now[1] / 1024, "MB", READ, 1),
    }


def _omemo(plan: _Plan, warm: int) -> dict[str, Figure]:
    with servers("omemo") as (gated, bare, firewall):
        for side in (gated, bare, firewall):
            side.load.fast("omemo", warm)
        for side in (gated, firewall):  # one that lets everything through is fast
            side.load.refused("plain")
        assert gated.component is not None
        memory = resident(gated.component), resident(gated.server), resident(bare.server)
        with_gate, without, rival = _rates("omemo", plan, (gated, bare, firewall))
        figures = {
            "gate.rate_ratio_omemo": _ratio(with_gate, without),
            "gate.server_cpu_ratio_omemo": _cpu_ratio(with_gate, without),
            "gate.firewall_rate_ratio": _ratio(rival, without),
            "gate.rate_gated_omemo_per_s": _rate(with_gate),
            "gate.rate_bare_omemo_per_s": _rate(without),
            "gate.rate_firewall_omemo_per_s": _rate(rival),
            "gate.server_cpu_ratio_firewall": _cpu_ratio(rival, without),
            **_costs(with_gate, without, plan.messages),
        }
        figures |= _latencies("omemo", plan, figures["gate.rate_gated_omemo_per_s"].value / 2, gated, bare)
        return figures | _growth("omemo", plan, gated, bare, memory)


def _plain(plan: _Plan, warm: int) -> dict[str, Figure]:
    with servers("plain") as (gated, bare, _):
        for side in (gated, bare):
            side.load.fast("plain", warm)
        with_gate, without = _rates("plain", plan, (gated, bare))
        return {
            "gate.rate_ratio_plain": _ratio(with_gate, without),
            "gate.server_cpu_ratio_plain": _cpu_ratio(with_gate, without),
            "gate.rate_gated_plain_per_s": _rate(with_gate),
            "gate.rate_bare_plain_per_s": _rate(without),
        }


def measure(full: bool) -> dict[str, Figure]:
    """The gate's figures; `full` takes more and longer rounds, and 100,000 messages between two looks at the memory."""
    plan = _Plan(9, 4000, 2000, 100_000) if full else _Plan(9, 800, 400, 0)
    warm = 10_000 if full else 800
    return _omemo(plan, warm) | _plain(plan, warm)
