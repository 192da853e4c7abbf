"""`apostille officials`: who is in the directory, and who may still call himself verified."""

from __future__ import annotations

from pathlib import Path

import click

from apostille import bootstrap
from apostille.cli.answers import answers, as_json, no
from apostille.cli.devices import devices
from apostille.cli.imports import bring_in
from apostille.directory.plan import plain
from apostille.directory.rules import Government, Official, standing_on
from apostille.vocabulary import Standing

_COLOURS = {Standing.VERIFIED: "green", Standing.SUSPENDED: "red", Standing.EXPIRED: "yellow"}


@click.group()
def officials() -> None:
    """Officials: import, list, show, suspend, reinstate, devices."""


officials.add_command(devices)


@officials.command("import")
@click.argument("table", metavar="[CSV]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--units", metavar="TOML", type=click.Path(path_type=Path), help="Units and posts, imported together."
)
@click.option(
    "--prune", is_flag=True, help="Remove units and posts, and suspend officials, that the files omit."
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def import_(
    settings: str | None,
    table: Path | None,
    units: Path | None,
    prune: bool,
    dry_run: bool,
    yes: bool,
    json: bool,
) -> None:
    """Import a table of officials, units and posts, or both, as one change or not at all.

    What a table no longer names is left as it is, unless --prune says otherwise. A suspension by hand is
    never lifted.
    """
    if table is None and units is None:
        raise click.UsageError("name a table of officials (CSV), --units TOML, or both")
    bring_in(settings, units=units, officials=table, prune=prune, dry_run=dry_run, yes=yes, json=json)


@officials.command("list")
@click.option("--unit", metavar="PATH", help="Only this unit and those under it.")
@click.option("--json", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def list_(settings: str | None, unit: str | None, json: bool) -> None:
    """List officials, unit by unit, the most senior first."""
    directory = bootstrap.directory(settings)
    _, government = directory.government()
    found = directory.officials(unit)
    if json:
        as_json([_told(official, government) for official in found])
        return
    place = None
    for official in found:
        post = government.posts.get(official.post)
        here = government.flat(post.unit) if post else "without a post"
        if here != place:
            click.secho(here, bold=True)
            place = here
        click.echo(
            f"  {official.address}  {_names(official)}, {post.title if post else '-'}  {_mark(official)}"
        )


@officials.command()
@click.argument("jid")
@click.option("--json", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def show(settings: str | None, jid: str, json: bool) -> None:
    """Show one official; a JID that the directory does not list is a "no"."""
    from apostille.xmpp import address

    directory = bootstrap.directory(settings)
    official = directory.official(address(jid))
    if official is None:
        no(f"{jid} is not in the directory")
    told = _told(official, directory.government()[1])
    if json:
        as_json(told)
        return
    for name, value in told.items():
        if name == "standing":
            click.echo(f"{name}: {_mark(official)}")
        elif isinstance(value, dict):
            click.echo("".join(f"{name} {key}: {text}\n" for key, text in value.items()), nl=False)
        elif value not in (None, "", False):
            click.echo(f"{name}: {value}")


@officials.command()
@click.argument("jid")
@click.pass_obj
@answers
def suspend(settings: str | None, jid: str) -> None:
    """Stop vouching for an official, at once; no import lifts that."""
    from apostille.xmpp import address

    official = bootstrap.directory(settings).suspend(address(jid))
    click.echo(f"{official.address} ({official.name}): {_mark(official)}")


@officials.command()
@click.argument("jid")
@click.pass_obj
@answers
def reinstate(settings: str | None, jid: str) -> None:
    """Vouch for a suspended official again."""
    from apostille.xmpp import address

    official = bootstrap.directory(settings).reinstate(address(jid))
    click.echo(f"{official.address} ({official.name}): {_mark(official)}")


def _mark(official: Official) -> str:
    standing = standing_on(official, bootstrap.today())
    if (
        standing is Standing.UNLISTED
    ):  # the only reason for which one who is listed is not: the first day is to come
        return f"not before {official.valid_from}"
    until = f" since {official.valid_until}" if standing is Standing.EXPIRED else ""
    return click.style(f"{standing.value}{until}", fg=_COLOURS[standing])


def _names(official: Official) -> str:
    others = ", ".join(official.names.values())
    return f"{official.name} ({others})" if others else official.name


def _told(official: Official, government: Government) -> dict[str, object]:
    post = government.posts.get(official.post)
    return {
        "jid": str(official.address),
        "name": official.name,
        "names": dict(official.names),
        "post": official.post,
        "title": post.title if post else "",
        "unit": post.unit if post else "",
        "place": government.flat(post.unit) if post else "",
        "mail": official.mail,
        "phone": official.phone,
        "standing": standing_on(official, bootstrap.today()).value,
        "held": official.held,
        "valid_from": plain(official.valid_from),
        "valid_until": plain(official.valid_until),
    }
