"""`apostille policy`: what the rules say, and whether the file can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from apostille import bootstrap
from apostille.cli.answers import answers, as_json
from apostille.policy.rules import Rule
from apostille.policy.store import load_policy


@click.group()
def policy() -> None:
    """What must be encrypted, between whom."""


@policy.command()
@click.option("--json", "json_", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def show(settings: str | None, json_: bool) -> None:
    """Show the rules in the order in which they are asked."""
    rules = load_policy(bootstrap.settings_at(settings).policy_file).rules
    if json_:
        as_json([_told(rule) for rule in rules])
        return
    for number, rule in enumerate(rules, 1):
        told = _told(rule)
        click.secho(f"{number}. {rule.name}", bold=True)
        click.echo(f"   from {', '.join(told['from'])} to {', '.join(told['to'])} ({', '.join(told['kinds'])})")
        extras = f", with {', '.join(told['extras'])}" if rule.extras else ""
        click.echo(f"   requires {rule.require.value} ({', '.join(told['versions'])}){extras}; stage: {rule.stage.value}")
    click.echo("Everything else is refused.")


@policy.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.pass_obj
@answers
def check(settings: str | None, file: Path | None) -> None:
    """Say whether a policy file (default: the one in the settings) can be read; 1 and the reason if not."""
    path = file or bootstrap.settings_at(settings).policy_file
    rules = load_policy(path).rules
    click.echo(f"{path}: {len(rules)} rules" + ("" if rules else "; every message would be refused"))


def _told(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "from": sorted(party.value for party in rule.senders),
        "to": sorted(party.value for party in rule.recipients),
        "kinds": sorted(one.value for one in rule.settings),
        "require": rule.require.value,
        "versions": sorted(rule.versions),
        "extras": sorted(rule.extras),
        "stage": rule.stage.value,
    }
