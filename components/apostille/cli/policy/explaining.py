"""`apostille policy explain`: what the policy says of two people, and why."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from apostille.cli.answers import answers, as_json, contents
from apostille.cli.policy import sources
from apostille.policy.account import Account, account, told, words_of
from apostille.policy.cases import said_of
from apostille.policy.classes import Side
from apostille.policy.rules import Case, Setting, case_of, direction_of
from apostille.policy.shapes import message_of, setting_between
from apostille.vocabulary import Message, Party, Reason, Refusal
from apostille_xep.gate.facts import read_message


@click.command()
@click.argument("sender", metavar="FROM")
@click.argument("recipient", metavar="TO")
@click.option("--stanza", metavar="FILE", type=click.Path(path_type=Path), help="A <message/> in XML: what becomes of it.")
@click.option("--at", metavar="TIME", help="At this time instead of now (ISO 8601; UTC unless it says otherwise; or 2h, 3d ago).")
@click.option("--policy", "file", metavar="FILE", type=click.Path(path_type=Path), help="This policy instead of that of the settings.")
@click.option("--json", "json_", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def explain(
    settings: str | None, sender: str, recipient: str, stanza: Path | None, at: str | None, file: Path | None, json_: bool
) -> None:
    """Say which rules are asked for messages between two, why each does not fit or does, and what would make a message pass.

    FROM and TO are JIDs, or classes as in a rule: verified, unit:PATH, post:ID, room:JID.
    """
    policy = sources.policy_in(file, settings)
    when = sources.moment(at, "--at") if at else sources.now()
    sides = sources.Sides(settings)
    one, other = sides(sender, "sender", when), sides(recipient, "recipient", when)
    message = None if stanza is None else _message(stanza, one, other)
    if message is None:
        case = Case(one, other, _setting(one, other, recipient), direction_of(one.party, other.party), when)
    else:
        case = case_of(message, one, other, when)
    found = account(policy, case, message)
    if json_:
        as_json(_told(case, found))
    else:
        _print(case, found)


def _message(file: Path, sender: Side, recipient: Side) -> Message:
    setting = Setting.COMPONENT if sender.party is Party.SERVICE else setting_between(recipient)
    try:
        return message_of(contents(file), sender, recipient, setting, read_message)
    except ValueError as error:
        raise Refusal(Reason.MALFORMED, f"{file}: {error}") from None


def _setting(sender: Side, recipient: Side, written: str) -> Setting:
    if sender.party is Party.SERVICE:
        return Setting.COMPONENT
    if recipient.party is Party.ROOM and "/" in written:
        return Setting.PRIVATE
    return setting_between(recipient)


def _side(side: Side) -> dict[str, Any]:
    return {"address": side.address, "party": side.party.value, "post": side.post, "units": list(side.units), "classes": words_of(side)}


def _told(case: Case, found: Account) -> dict[str, Any]:
    verdict = found.verdict
    return {
        "from": _side(case.sender),
        "to": _side(case.recipient),
        "kind": case.setting.value,
        "direction": case.direction.value,
        "at": _time(case.now),
        "asked": [
            {
                "number": one.number,
                "name": one.name,
                "fits": not one.unfit,
                "unfit": [{"key": unfit.key, "wanted": unfit.wanted, "found": unfit.found} for unfit in one.unfit],
            }
            for one in found.asked
        ],
        "rule": None if found.rule is None else told(found.rule),
        "checks": [] if found.rule is None else [check.reason for check in found.rule.checks],
        "unchecked": _unchecked(found),
        "verdict": None
        if verdict is None
        else {"passes": verdict.passes, "code": verdict.code, "rule": verdict.rule, "where": verdict.where, "text": verdict.text},
        "objections": [{"code": one.code, "where": one.where} for one in found.objections],
        "mends": list(found.mends),
    }


def _unchecked(found: Account) -> list[str]:
    """What the rule asks that only the server can know: for whose devices a message is encrypted."""
    return [] if found.rule is None else [check.name for check in found.rule.checks if check.name == "devices"]


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _print(case: Case, found: Account) -> None:
    for name, side in (("from", case.sender), ("to", case.recipient)):
        click.echo(f"{name:<5}{side.address}: {', '.join(words_of(side))}")
    click.echo(f"     {case.setting.value}, {case.direction.value}, {_time(case.now)}")
    for one in found.asked:
        click.secho(f"{one.number}. {one.name}{'' if one.unfit else ': decides'}", bold=not one.unfit)
        for unfit in one.unfit:
            click.echo(f"   {unfit.key}: {unfit.wanted}; but {unfit.found}")
    if found.rule is None:
        click.echo("No rule fits: refused, unless it says nothing." if found.verdict is None else "No rule decides.")
    else:
        _print_rule(found)
    if found.verdict is not None:
        verdict = found.verdict
        colour = "green" if verdict.passes and not verdict.code else "yellow" if verdict.passes else "red"
        click.echo(f"The message: {click.style(said_of(verdict), fg=colour)}" + ("" if verdict.rule else "; no rule fits"))
        if verdict.text and (verdict.notice or not verdict.passes):
            click.echo(f'   its sender reads: "{_safe(verdict.text)}"')
        for objection in found.objections:
            click.echo(f"   objection: {objection.code}{f' {_safe(objection.where)}' if objection.where else ''}")
    would = "" if found.verdict is None else "it would pass without objection if: " if found.verdict.passes else "it would pass if: "
    for mend in found.mends:
        click.echo(f"   {would}{mend}")


def _safe(text: str) -> str:
    """What a sender chose, as a namespace, without what a terminal would obey."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _print_rule(found: Account) -> None:
    assert found.rule is not None  # noqa: S101 - the caller looked
    rule = told(found.rule)
    asks = "; ".join(check.reason for check in found.rule.checks) or "nothing"
    click.echo(f"   asks of a message: {asks}")
    if _unchecked(found):
        click.echo("   not checked here, as only the server knows them: the devices that people announce")
    if rule["extras"]:
        click.echo(f"   lets pass all the same: {', '.join(rule['extras'])}")
    click.echo(f"   stage: {rule['stage']}; in an outage: {rule['outage']}")
