"""`apostille audit`: from a complaint to evidence, and the check that needs no server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from apostille import bootstrap
from apostille.cli.answers import answers, as_json, contents, no
from apostille.tlog.note import NoteError, Verifier
from apostille.tracing.rules import LEVEL_NAMES, Bundle, Claim, Finding, NoBundle, Report, judge_bundle, moment, read_bundle, write_bundle
from apostille.vocabulary import Fault, Reason, Refusal
from apostille.xmpp import address

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


@click.group()
def audit() -> None:
    """Trace a message to its origin, and verify evidence offline."""


_claim = [
    click.option("--text", "claimed", metavar="TEXT", help="The text that somebody says was sent; it is checked, not believed."),
    click.option("--text-file", metavar="FILE", type=click.Path(path_type=Path), help="The same from a file, byte for byte."),
    click.option("--json", "json_", is_flag=True, help="Answer in JSON."),
]


def _with_claim(command: Any) -> Any:
    for option in reversed(_claim):
        command = option(command)
    return command


@audit.command()
@click.option("--stanza-id", metavar="ID", help="An id of the message: sender's, recipient's or room's archive id, origin-id, message id.")
@click.option("--between", nargs=2, metavar="A B", help="All messages between two JIDs, both ways.")
@click.option("--since", metavar="TIME", help="With --between: from this time on (ISO 8601; UTC unless it says otherwise; or 2h, 3d).")
@click.option("--until", metavar="TIME", help="With --between: before this time.")
@click.option("--export", "export_to", metavar="FILE", type=click.Path(path_type=Path), help="Write an evidence bundle for `audit verify`.")
@_with_claim
@click.pass_obj
@answers
def trace(
    settings: str | None,
    stanza_id: str | None,
    between: tuple[str, str] | None,
    since: str | None,
    until: str | None,
    export_to: Path | None,
    claimed: str | None,
    text_file: Path | None,
    json_: bool,
) -> None:
    """Say who sent what when to whom, how strong the evidence is, and prove that the ledger holds it.

    Ids of archives are the safest to search by; message ids and origin-ids are chosen by the sender.
    """
    if (stanza_id is None) == (between is None):
        raise click.UsageError("name either --stanza-id ID or --between A B")
    if between is None and (since or until):
        raise click.UsageError("--since and --until go with --between")
    tracing = bootstrap.tracing(settings)
    if between is not None:
        one, other = (str(address(jid)) for jid in between)
        bundle = tracing.between(one, other, _milliseconds(since, "--since"), _milliseconds(until, "--until", _LAST))
    else:
        bundle = tracing.by_stanza_id(stanza_id or "")
    report = judge_bundle(bundle, [bundle.vkey], _claimed(claimed, text_file))
    if not bundle.items:
        no("the ledger holds no such message")
    if export_to is not None:
        try:
            export_to.write_text(write_bundle(bundle), encoding="utf-8")
        except OSError as error:
            raise Fault(f"{export_to}: cannot be written: {error.strerror}") from None
    _answer(bundle, report, json_)
    if export_to is not None and not json_:
        click.echo(f"Evidence written to {export_to}. An outsider checks it with:")
        click.echo(f"  apostille audit verify {export_to} --key '{bundle.vkey}'")


@audit.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--key", "vkeys", metavar="VKEY", multiple=True, required=True, help="The ledger's public key, as you were given it.")
@_with_claim
@answers
def verify(file: Path, vkeys: tuple[str, ...], claimed: str | None, text_file: Path | None, json_: bool) -> None:
    """Check an evidence bundle offline: no server, no settings, no database; only FILE and the key that you trust."""
    try:
        for vkey in vkeys:
            Verifier.parse(vkey)
    except NoteError as error:
        raise Refusal(Reason.MALFORMED, f"--key: {error}") from None
    try:
        bundle = read_bundle(contents(file))
    except NoBundle as error:
        raise Refusal(Reason.MALFORMED, f"{file}: {error}") from None
    _answer(bundle, judge_bundle(bundle, vkeys, _claimed(claimed, text_file)), json_)


def _answer(bundle: Bundle, report: Report, json_: bool) -> None:
    if json_:
        as_json({"ok": report.ok, "question": dict(bundle.question), "items": [_told(finding) for finding in report.findings]})
        if not report.ok:
            raise click.exceptions.Exit(1)
        return
    for finding in report.findings:
        _print(finding)
    if not report.findings:
        no("the bundle is empty: it proves nothing")
    if not report.ok:
        bad = sum(not finding.sound for finding in report.findings)
        no(f"{bad} of {len(report.findings)} messages are NOT proven: do not rely on this bundle")
    click.echo(f"{len(report.findings)} message{'s' if len(report.findings) > 1 else ''}, every proof holds.")


def _print(finding: Finding) -> None:
    if not finding.sound or finding.record is None or finding.checkpoint is None:
        click.secho("NOT PROVEN", fg="red", bold=True)
        for fault in finding.faults:
            click.echo(f"  fault       {fault}")
        click.echo()
        return
    record = finding.record
    click.secho(f"{finding.level.value} ({LEVEL_NAMES[finding.level]})", fg="green", bold=True)
    click.echo(f"  first account known to this ledger   {record.sender}")
    rows = [("to", record.recipient), ("room", record.room), ("when", moment(record.at)), ("type", record.type)]
    rows += [("message id", record.id), ("origin-id", record.origin_id)]
    rows += [("stanza-id", f"{id_} (archive of {by})") for by, id_ in finding.ids]
    rows += [("text", f"{body.length} bytes in plain text") for body in record.bodies]
    rows += [("omemo", f"{one.payload} bytes, device {one.sid} to {len(one.devices)} devices") for one in record.encrypted]
    rows += [("policy", f"rule {record.policy}" + (f"; passed in spite of {record.code}" if record.code else ""))]
    rows += [("proven", text) for text in finding.proven] + [("not proven", text) for text in finding.unproven]
    checkpoint = finding.checkpoint
    rows += [("ledger", f"{checkpoint.origin}, entry {finding.index} of {checkpoint.size}; inclusion proof checked")]
    for name, value in rows:
        if value:
            click.echo(f"  {name:<11} {value}")
    click.echo()


def _told(finding: Finding) -> dict[str, Any]:
    record = finding.record
    if not finding.sound or record is None or finding.checkpoint is None:
        return {"sound": False, "faults": list(finding.faults)}
    return {
        "sound": True,
        "level": finding.level.value,
        "entry": finding.index,
        "from": record.sender,
        "to": record.recipient,
        "room": record.room,
        "at": moment(record.at),
        "type": record.type,
        "id": record.id,
        "origin_id": record.origin_id,
        "stanza_ids": [{"by": by, "id": id_} for by, id_ in finding.ids],
        "encrypted": [{"namespace": one.namespace, "payload": one.payload, "sid": one.sid} for one in record.encrypted],
        "plaintext_bytes": [body.length for body in record.bodies],
        "proven": list(finding.proven),
        "not_proven": list(finding.unproven),
        "checkpoint": {"origin": finding.checkpoint.origin, "size": finding.checkpoint.size},
    }


def _claimed(text: str | None, file: Path | None) -> Claim:
    if text is not None and file is not None:
        raise click.UsageError("name either --text or --text-file")
    if file is None:
        return Claim(text)
    try:
        return Claim(contents(file).decode())
    except UnicodeDecodeError:
        raise Refusal(Reason.MALFORMED, f"{file}: is not UTF-8 text, so it is no message") from None


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _milliseconds(text: str | None, option: str, default: datetime = _FIRST) -> int:
    when = default
    if text is not None:
        try:
            if text[-1:] in _UNITS and text[:-1].isdigit():
                when = datetime.now(UTC) - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
            else:
                when = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            message = f"{option}: {text!r} is no time; write 2026-11-22, 2026-11-22T09:30, or 2h for two hours ago"
            raise click.UsageError(message) from None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
