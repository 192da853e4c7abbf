"""`apostille policy test`: whether a policy says what it should."""

from __future__ import annotations

import tomllib
from pathlib import Path

import click

from apostille.cli.answers import answers, as_json, contents, no
from apostille.cli.policy import sources
from apostille.policy.cases import Tried, attempt, read_cases, said_of
from apostille.vocabulary import Reason, Refusal
from apostille_xep.gate.facts import read_message


@click.command()
@click.argument("cases", type=click.Path(path_type=Path))
@click.option("--policy", "file", metavar="FILE", type=click.Path(path_type=Path), help="This policy instead of that of the settings.")
@click.option("--json", "json_", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def test(settings: str | None, cases: Path, file: Path | None, json_: bool) -> None:
    """Try every [[case]] of a TOML file on a policy; 1 if one of them is not as it says.

    With --policy and classes instead of JIDs, neither settings nor a directory are needed.
    """
    policy = sources.policy_in(file, settings)
    now, sides = sources.now(), sources.Sides(settings)
    expected = read_cases(_document(cases), str(cases), lambda name: _text(cases.parent / name))
    tried = [attempt(case, policy, read_message, now, sides) for case in expected]
    failed = [one for one in tried if one.wrong]
    if json_:
        as_json({"ok": not failed, "cases": [_told(one) for one in tried]})
        if failed:
            raise click.exceptions.Exit(1)
        return
    for one in failed:
        click.echo(f"{click.style('FAIL', fg='red')} {one.case.name}: {one.wrong}")
    if failed:
        no(f"{len(failed)} of {len(tried)} cases failed")
    click.echo(f"{len(tried)} case{'' if len(tried) == 1 else 's'}, all as expected")


def _document(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise Refusal(Reason.MALFORMED, f"{path}: not TOML: {error}") from None


def _text(path: Path) -> str:
    try:
        return contents(path).decode()
    except UnicodeDecodeError:
        raise Refusal(Reason.MALFORMED, f"{path}: is not UTF-8 text") from None


def _told(one: Tried) -> dict[str, object]:
    verdict = one.verdict
    return {
        "name": one.case.name,
        "ok": not one.wrong,
        "wrong": one.wrong,
        "expect": one.case.expect,
        "said": said_of(verdict),
        "passes": verdict.passes,
        "code": verdict.code,
        "rule": verdict.rule,
        "asked": list(verdict.asked),
    }
