"""`apostille policy diff`: which messages would fare otherwise under another policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from apostille.cli.answers import answers, as_json
from apostille.cli.policy import sources
from apostille.policy.comparison import Change, Difference, built_in, compare, recorded
from apostille.policy.store import load_policy
from apostille_xep.gate.facts import read_message

LIMITS = (
    "refused and content-free messages are not in the ledger",
    "a record does not say which parts stood beside the encrypted one, nor which devices were announced",
    "who is who is taken from the directory of today",
)
_EXAMPLES = 3


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--sample", metavar="N", type=click.IntRange(0), default=10_000, show_default=True, help="Judge among N newest entries of the ledger."
)
@click.option("--json", "json_", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def diff(settings: str | None, old: Path, new: Path, sample: int, json_: bool) -> None:
    """Judge the same messages by two policy files, and show whose verdict changes.

    Tried are messages of every kind between all classes, and with settings also the newest messages of the ledger, as far as their
    records tell what they were. Status 0, whatever changes.
    """
    before, after = load_policy(old), load_policy(new)
    with_settings = sources.are_there(settings)
    seats = sources.seats(settings) if with_settings else None
    shapes = built_in((before, after), read_message, sources.now(), seats.places if seats else None)
    kinds, ledger = compare(before, after, shapes), None
    missed: Counter[str] = Counter()
    if seats is not None and sample:
        records = sources.judged(settings, newest=sample)
        ledger = compare(before, after, recorded(records, before, read_message, seats.seat, missed))
    if json_:
        told = {"tried": ledger.tried, "unknown": dict(missed), "changes": _changes(ledger), "limits": LIMITS} if ledger else None
        as_json({"kinds": {"tried": kinds.tried, "changes": _changes(kinds)}, "ledger": told})
        return
    _print("kinds of messages between classes", kinds)
    if ledger is None:
        click.echo("The ledger was not asked" + (": --sample 0" if with_settings else ": no settings are here (-c FILE)"))
        return
    _print("messages of the ledger", ledger)
    if missed:
        why = ", ".join(f"{code} {count}" for code, count in missed.most_common())
        click.echo(f"{missed.total()} messages could not be tried, as their records do not tell enough: {why}")
    click.echo("What this sample cannot show: " + "; ".join(LIMITS) + ".")


def _changes(found: Difference) -> list[dict[str, Any]]:
    return [
        {
            "count": count,
            "before": one.before,
            "after": one.after,
            "rule_before": one.rule_before,
            "rule_after": one.rule_after,
            "opens": one.opens,
            "closes": one.closes,
            "examples": _examples(found, one),
        }
        for one, count in _sorted(found)
    ]


def _sorted(found: Difference) -> Iterable[tuple[Change, int]]:
    """What opens first, since that cannot be taken back."""
    return sorted(found.changes.items(), key=lambda item: (not item[0].opens, not item[0].closes, -item[1], item[0].rule_after))


def _examples(found: Difference, one: Change) -> list[str]:
    return [label for label, _ in found.examples[one].most_common(_EXAMPLES)]


def _print(what: str, found: Difference) -> None:
    total = found.changes.total()
    click.secho(f"{found.tried} {what}: {f'{total} would fare otherwise' if total else 'nothing changes'}", bold=True)
    for one, count in _sorted(found):
        mark = click.style("opens ", fg="red") if one.opens else click.style("closes", fg="yellow") if one.closes else "      "
        rules = f"{one.rule_before or 'no rule'} -> {one.rule_after or 'no rule'}"
        click.echo(f"{mark} {count:>7}  {one.before} -> {one.after}  [{rules}]")
        for label in _examples(found, one):
            click.echo(f"                {label}")
