"""`apostille serve`, `doctor`, `upgrade`: running the rooms, and finding out why they do not run.

Knows what an operator wants to be told; refuses to know how a room works.
"""

from __future__ import annotations

import logging
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from apostille import bootstrap, migrations
from apostille.cli.answers import answers, as_json
from apostille.database import open_database
from apostille.ledger.service import Reader
from apostille.ledger.store import SqlLog
from apostille.settings import MOST_GATES, Settings
from apostille.vocabulary import Fault, Refusal


@click.command()
@click.argument("rooms", nargs=-1, type=click.Choice(bootstrap.ROOMS), metavar="[ROOM]...")
@click.option("--gates", type=click.IntRange(1, MOST_GATES), help="Number of gate components, each a process (default: components.gates).")
@click.option("--number", type=click.IntRange(2, MOST_GATES), hidden=True, help="Run this gate alone, until standard input ends.")
@click.option("--ledger", type=int, hidden=True, help="File descriptor of the connection to the process that writes the ledger.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True)
@click.pass_obj
@answers
def serve(
    settings: str | None, rooms: tuple[str, ...], gates: int | None, number: int | None, ledger: int | None, log_level: str
) -> None:
    """Run rooms (gate, rosters; default: all) until SIGTERM or Ctrl-C.

    Each room is a component of the XMPP server (XEP-0114) and connects again by itself whenever the server went away.
    """
    if (number is None) != (ledger is None) or (number or 1) > (gates or MOST_GATES):
        raise click.UsageError("--number and --ledger are what this program says to its own processes; use --gates")
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("slixmpp").setLevel(logging.ERROR)  # at "debug" it would log whole stanzas
    if number is not None and ledger is not None:
        bootstrap.serve_gate(settings, gates or number, number, ledger)
    else:
        bootstrap.serve(settings, rooms or bootstrap.ROOMS, gates, ("--log-level", log_level))


@click.command()
@click.pass_obj
@answers
def upgrade(settings: str | None) -> None:
    """Bring the database to the schema of this version. Stop `serve` first."""
    engine = open_database(bootstrap.settings_at(settings).database_url)
    before = migrations.current(engine)
    migrations.upgrade(engine)
    after = migrations.current(engine)
    click.echo(f"schema {after}: up to date" if before == after else f"schema {before or '(none)'} -> {after}")


@click.command()
@click.option("--json", "json_", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def doctor(settings: str | None, json_: bool) -> None:
    """Check settings, keys, database, ledger, policy and the way to the XMPP server; say what is wrong and how to mend it."""
    findings = list(_examine(bootstrap.settings_at(settings)))
    if json_:
        as_json([{"check": name, "ok": ok, "text": text} for name, ok, text in findings])
    else:
        for name, ok, text in findings:
            click.echo(f"{click.style('ok  ', fg='green') if ok else click.style('FAIL', fg='red')} {name}: {text}")
    if not all(ok for _, ok, _ in findings):
        raise click.exceptions.Exit(1)


def _examine(settings: Settings) -> Iterator[tuple[str, bool, str]]:
    checks: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("settings", lambda settings: f"{settings.domain}, rooms at {', '.join(settings.server_rooms)}"),
        ("components' secret", lambda settings: _private(settings.components_secret_file, bool(settings.secret()))),
        ("ledger key", lambda settings: _private(settings.ledger_key_file, bool(bootstrap.signer(settings)))),
        ("policy", _policy),
        ("database", lambda settings: bootstrap.database(settings).url.render_as_string()),
        ("ledger", _ledger),
        ("XMPP server", _server),
    )
    for name, check in checks:
        try:
            yield name, True, check(settings)
        except (Fault, Refusal) as trouble:
            yield name, False, str(trouble)


def _private(file: Path, _readable: bool) -> str:
    mode = file.stat().st_mode
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Fault(f"{file} can be read by others; run `chmod 600 {file}`")
    return str(file)


def _policy(settings: Settings) -> str:
    rules = bootstrap.policy_of(settings)
    if not rules:
        raise Fault(f"{settings.policy_file} has no rule, so every message is refused; see docs/reference/policy.md")
    return f"{rules} rules in {settings.policy_file}"


def _ledger(settings: Settings) -> str:
    checkpoint = Reader(SqlLog(bootstrap.database(settings)), bootstrap.signer(settings).vkey).checkpoint()
    return f"{checkpoint.splitlines()[1]} entries under a signed checkpoint; `apostille ledger verify` checks them all"


def _server(settings: Settings) -> str:
    where = (settings.server_host, settings.server_port)
    try:
        socket.create_connection(where, timeout=3).close()
    except OSError as error:
        raise Fault(
            f"nothing listens for components at {where[0]}:{where[1]} ({error.strerror or error}); "
            "is the server running, and is component_ports set in its configuration?"
        ) from None
    return f"listens for components at {where[0]}:{where[1]}"
