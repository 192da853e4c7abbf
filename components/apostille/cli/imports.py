"""The one way in which files reach the directory, whichever noun the person began with."""

from __future__ import annotations

from pathlib import Path

import click

from apostille import bootstrap
from apostille.cli.answers import agreed, as_json, contents
from apostille.directory.rules import Flawed
from apostille.directory.service import Source

SHOWN = 40
"""Lines of a plan per kind of entry that a person is shown; `--json` has all."""


def bring_in(
    settings: str | None,
    *,
    units: Path | None = None,
    officials: Path | None = None,
    prune: bool,
    dry_run: bool,
    yes: bool,
    json: bool,
) -> None:
    """Shows what the files would change, and changes it as one import, or not at all."""
    directory = bootstrap.directory(settings)
    sources = [None if path is None else Source(path.name, contents(path)) for path in (units, officials)]
    try:
        plan = directory.read(*sources, prune=prune)
    except Flawed as flawed:
        if json:
            as_json(
                {"applied": False, "flaws": [{"where": one.where, "text": one.text} for one in flawed.flaws]}
            )
        raise
    applied = False
    if not json:
        click.echo("\n".join(plan.lines(SHOWN)))
    if not plan.empty and not dry_run:
        agreed(f"{plan.summary()}. Go on?", yes=yes)
        revision = directory.apply(plan)
        applied = True
        if not json:
            click.secho(f"done; the directory is now at revision {revision}", fg="green")
    if json:
        as_json({"applied": applied, **plan.as_dict()})
