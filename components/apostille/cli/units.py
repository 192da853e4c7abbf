"""`apostille units`: the tree of the government, and the posts in it."""

from __future__ import annotations

from pathlib import Path

import click

from apostille import bootstrap
from apostille.cli.answers import answers, as_json
from apostille.cli.imports import bring_in


@click.group()
def units() -> None:
    """Units and posts: import, list."""


@units.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--prune", is_flag=True, help="Remove units and posts that the file omits.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def import_(settings: str | None, file: Path, prune: bool, dry_run: bool, yes: bool, json: bool) -> None:
    """Import units and posts from a TOML file; officials keep their posts."""
    bring_in(settings, units=file, prune=prune, dry_run=dry_run, yes=yes, json=json)


@units.command("list")
@click.option("--json", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def list_(settings: str | None, json: bool) -> None:
    """Show the tree of units, each with its posts, the head first."""
    _, government = bootstrap.directory(settings).government()
    posts = sorted(government.posts.values(), key=lambda post: (post.rank, post.order, post.id))
    tree = [
        (depth, unit, [post for post in posts if post.unit == unit.path]) for depth, unit in government.tree()
    ]
    if json:
        as_json(
            [
                {
                    "path": unit.path,
                    "name": unit.name,
                    "names": dict(unit.names),
                    "parent": unit.parent,
                    "place": government.flat(unit.path),
                    "posts": [{"id": post.id, "title": post.title, "rank": post.rank} for post in mine],
                }
                for _, unit, mine in tree
            ]
        )
        return
    for depth, unit, mine in tree:
        click.echo(f"{'  ' * depth}{click.style(unit.name, bold=True)}  {unit.path}")
        for post in mine:
            click.echo(f"{'  ' * depth}  - {post.title}  {post.id}")
