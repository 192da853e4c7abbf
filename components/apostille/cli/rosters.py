"""`apostille rosters`: what the rosters room computes, and what it would write.

Knows how to print; refuses to know how anything is computed.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from apostille.cli.answers import answers


@click.group()
def rosters() -> None:
    """Whom an official sees."""


@rosters.command()
@click.argument("jid")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
@answers
def show(context: click.Context, jid: str, as_json: bool) -> None:
    """Print the roster of JID as the directory says it should be."""
    from apostille import bootstrap, xmpp

    items = bootstrap.rosters(context.obj).show(xmpp.address(jid))
    if as_json:
        rows = [
            {
                "jid": str(item.address),
                "name": item.name,
                "subscription": item.subscription.value,
                "groups": list(item.groups),
            }
            for item in items
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for item in items:
        click.echo(f"{item.subscription.value:5}{item.address}  {item.name}  [{'; '.join(item.groups)}]")
    click.echo(f"{len(items)} {'contact' if len(items) == 1 else 'contacts'}")


@rosters.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
@answers
def plan(context: click.Context, as_json: bool) -> None:
    """Print whose rosters would be written now, and how many contacts would come, change and go."""
    from apostille import bootstrap

    planned = bootstrap.rosters(context.obj).plan()
    if as_json:
        rows = [{"jid": str(one.owner)} | asdict(one.steps) for one in planned]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for one in planned:
        click.echo(f"{one.owner}  +{one.steps.added} ~{one.steps.changed} -{one.steps.removed}")
    click.echo(f"{len(planned)} {'roster' if len(planned) == 1 else 'rosters'} would be written")
