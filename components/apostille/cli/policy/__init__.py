"""`apostille policy`: what the rules say, what is wrong with them, and what they would say of a message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from apostille import bootstrap
from apostille.cli.answers import answers, as_json, no
from apostille.cli.policy import sources
from apostille.cli.policy.comparing import diff
from apostille.cli.policy.explaining import explain
from apostille.cli.policy.reporting import report
from apostille.cli.policy.trying import test
from apostille.policy.account import told
from apostille.policy.lints import Finding, Weight, lint
from apostille.policy.store import load_policy
from apostille.vocabulary import Fault


@click.group()
def policy() -> None:
    """What must be encrypted, between whom."""


policy.add_command(explain)
policy.add_command(test)
policy.add_command(diff)
policy.add_command(report)


@policy.command()
@click.option("--json", "json_", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def show(settings: str | None, json_: bool) -> None:
    """Show the rules in the order in which they are asked."""
    rules = load_policy(bootstrap.settings_at(settings).policy_file).rules
    if json_:
        as_json([told(rule) for rule in rules])
        return
    for number, rule in enumerate(rules, 1):
        click.secho(f"{number}. {rule.name}", bold=True)
        for line in _lines(told(rule)):
            click.echo(f"   {line}")
    click.echo("Everything else is refused.")


def _lines(rule: dict[str, Any]) -> list[str]:
    where = [", ".join(rule["kinds"])]
    where += [f"{', '.join(rule['direction'])} only"] if len(rule["direction"]) < 3 else []
    where += [rule["window"]] if rule["window"] != "always" else []
    extras = f", with {', '.join(rule['extras'])}" if rule["extras"] else ""
    versions = f" ({', '.join(rule['versions'])})" if rule["require"] in ("omemo", "encrypted") else ""
    devices = "" if rule["devices"] == "any" else f", {rule['devices']} devices (unknown ones: {rule['unknown_devices']})"
    held = f" for up to {rule['hold_seconds']} seconds" if rule["hold_seconds"] else ""
    return [
        f"from {', '.join(rule['from'])} to {', '.join(rule['to'])} ({'; '.join(where)})",
        f"requires {rule['require']}{versions}{devices}{extras}; stage: {rule['stage']}; in an outage: {rule['outage']}{held}",
    ]


@policy.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--json", "json_", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def check(settings: str | None, file: Path | None, json_: bool) -> None:
    """Look for mistakes in a policy file (default: the one in the settings); 1 if it cannot be read or has one.

    With settings, classes are looked up in the directory; a FILE can be checked without.
    """
    path = file or bootstrap.settings_at(settings).policy_file
    found = load_policy(path)
    places, unasked = None, ""
    if sources.are_there(settings):
        try:
            places = sources.seats(settings).places
        except Fault as fault:
            unasked = str(fault)
    findings = lint(found, bootstrap.today(), places)
    errors = sum(one.weight is Weight.ERROR for one in findings)
    if json_:
        told_ = [_finding(one) for one in findings]
        as_json({"ok": not errors, "file": str(path), "rules": len(found.rules), "directory": places is not None, "findings": told_})
    else:
        _print(path, len(found.rules), findings)
        if unasked:
            click.secho(f"The directory could not be asked, so no class was looked up: {unasked}", err=True, fg="yellow")
    if errors and not json_:
        no(f"{errors} mistake{'s' if errors > 1 else ''} in {path}")
    if errors:
        raise click.exceptions.Exit(1)


def _finding(one: Finding) -> dict[str, Any]:
    return {"weight": one.weight.value, "lint": one.lint, "number": one.number, "rule": one.rule, "text": one.text, "mend": one.mend}


_COLOURS = {Weight.ERROR: "red", Weight.REMARK: "yellow"}


def _print(path: Path, rules: int, findings: list[Finding]) -> None:
    click.echo(f"{path}: {rules} rule{'' if rules == 1 else 's'}")
    for one in findings:
        whose = f"rule {one.number} ({one.rule}) " if one.number else ""
        click.echo(f"{click.style(one.weight.value, fg=_COLOURS[one.weight])}: {whose}{one.text}")
        click.echo(f"  mend: {one.mend}")
