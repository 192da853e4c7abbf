"""`apostille ledger`: whether the ledger is whole, and what it says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from apostille import bootstrap
from apostille.cli.answers import answers, as_json, contents, no
from apostille.ledger.files import FolderLog, export
from apostille.ledger.rules import Finding
from apostille.ledger.service import Log
from apostille.ledger.verification import verify as verify_log
from apostille.tlog.note import NoteError
from apostille.vocabulary import Reason, Refusal


@click.group()
def ledger() -> None:
    """What was said by whom, unforgeably: verify, show, export."""


@ledger.command()
@click.option("--key", "vkey", metavar="VKEY", help="The ledger's public key as you were given it (default: from the settings).")
@click.option(
    "--known",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A checkpoint that was kept from earlier; the ledger must contain it. May be repeated.",
)
@click.option(
    "--folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Verify tiles written by `ledger export` instead of the database; needs --key and no settings.",
)
@click.option("--json", "json_", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def verify(settings: str | None, vkey: str | None, known: tuple[Path, ...], folder: Path | None, json_: bool) -> None:
    """Derive the whole tree anew from entries and tiles, trusting the public key alone, and say where anything does not fit.

    Without --known, a ledger that was cut back to an earlier signed state looks whole: keep checkpoints elsewhere.
    """
    if folder is not None and vkey is None:
        raise click.UsageError("--folder needs --key: a folder cannot say whom to trust")
    log, key = _source(settings, vkey, folder)
    notes = [contents(path).decode(errors="replace") for path in known]
    try:
        with _Progress() as progress:
            findings = verify_log(log, key, progress.show, notes)
    except NoteError as error:
        raise Refusal(Reason.MALFORMED, f"--key: {error}") from None
    with log.view() as view:
        size = (view.checkpoint().split("\n")[1:2] or ["0"])[0]  # a damaged checkpoint need not have a second line
    _report(findings, size, json_)


def _source(settings: str | None, vkey: str | None, folder: Path | None) -> tuple[Log, str]:
    if folder is not None:
        return FolderLog(folder), vkey or ""
    log, own = bootstrap.ledger_log(settings, vkey)
    return log, own


def _report(findings: list[Finding], size: str, json_: bool) -> None:
    if json_:
        told = [{"where": finding.where, "text": finding.text} for finding in findings]
        as_json({"ok": not findings, "entries": int(size) if size.isdigit() else None, "findings": told})
        if findings:
            raise click.exceptions.Exit(1)
        return
    for finding in findings:
        click.echo(f"{click.style(finding.where, fg='red', bold=True)}: {finding.text}")
    if findings:
        no(f"the ledger is NOT whole: {len(findings)} finding{'s' if len(findings) > 1 else ''}")
    click.echo(f"The ledger is whole: {size} entries, every tile and the signed checkpoint fit together.")


class _Progress:
    """A bar on a terminal, nothing in a pipe."""

    def __enter__(self) -> _Progress:
        self._done = 0
        self._bar = click.progressbar(length=0, label="entries", file=sys.stderr, hidden=not sys.stderr.isatty())
        self._bar.__enter__()
        return self

    def show(self, done: int, all_: int) -> None:
        """Move the bar."""
        self._bar.length = all_
        self._bar.update(done - self._done)
        self._done = done

    def __exit__(self, *_: object) -> None:
        self._bar.__exit__(None, None, None)


@ledger.command()
@click.pass_obj
@answers
def checkpoint(settings: str | None) -> None:
    """Print the newest signed checkpoint (C2SP tlog-checkpoint); keep it elsewhere for `verify --known`."""
    click.echo(bootstrap.ledger(settings).checkpoint(), nl=False)


@ledger.command()
@click.pass_obj
@answers
def key(settings: str | None) -> None:
    """Print the ledger's public key (C2SP signed-note vkey), for auditors and witnesses."""
    click.echo(bootstrap.ledger_log(settings)[1])


@ledger.command()
@click.argument("index", type=click.IntRange(0, 2**53))
@click.pass_obj
@answers
def show(settings: str | None, index: int) -> None:
    """Print one entry and its inclusion proof (C2SP tlog-proof)."""
    reader = bootstrap.ledger(settings)
    proof = reader.prove(index)  # first: what cannot be proved is not shown as if it could
    click.echo(json.dumps(json.loads(reader.entry(index).data), ensure_ascii=False, indent=2))
    click.echo()
    click.echo(proof, nl=False)


@ledger.command("export")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
@answers
def export_(settings: str | None, folder: Path) -> None:
    """Write the ledger into DIR as C2SP static tiles, for other tools; a second export adds to the first."""
    entries = export(bootstrap.ledger_log(settings)[0], folder)
    click.echo(f"{folder}: {entries} entries")
