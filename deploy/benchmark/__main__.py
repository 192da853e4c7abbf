"""`deploy/bench [NAME…] [--json FILE] [--full] [--seed N] [--rounds N]`."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path

import click

from benchmark import bursts, faults, gate, ledger, memory, policy
from benchmark.figures import Figure

BENCHES: Mapping[str, Callable[[bool], dict[str, Figure]]] = {
    "bursts": bursts.measure,
    "faults": faults.measure,
    "gate": gate.measure,
    "ledger": ledger.measure,
    "memory": memory.measure,
    "policy": policy.measure,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(sorted(BENCHES)), metavar="[NAME]...")
@click.option("--json", "json_", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to FILE.")
@click.option("--full", is_flag=True, help="Longer rounds, and more of them.")
@click.option("--seed", metavar="N", type=int, help="faults: repeat the run that printed this seed.")
@click.option("--rounds", metavar="N", type=click.IntRange(1), help="faults: kill so many times (default: 12, with --full 100).")
def main(names: tuple[str, ...], json_: Path | None, full: bool, seed: int | None, rounds: int | None) -> None:
    """Measure, each figure against its rival or the bare server in the same run. Benches: bursts, faults, gate, ledger, memory, policy."""
    benches: dict[str, Callable[[bool], dict[str, Figure]]] = {**BENCHES, "faults": partial(faults.measure, seed=seed, rounds=rounds)}
    figures: dict[str, Figure] = {}
    for name in names or sorted(BENCHES):
        found = benches[name](full)
        figures |= found
        for key, figure in found.items():
            click.echo(f"{key}: {figure.value:.3g} {figure.unit} (compared with {figure.compared_with}, {figure.rounds} rounds)")
    if json_ is not None:
        machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
        document = {"figures": {key: asdict(one) for key, one in figures.items()}, "machine": machine, "version": version("apostille")}
        json_.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
