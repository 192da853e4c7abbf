"""How a command ends: what it prints where, and which exit status it has.

Knows the four statuses (0 done or "yes", 1 a refusal or a "no", 2 usage, 3 the environment is at fault);
refuses to know any room.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

import click

from apostille.vocabulary import Fault, Refusal

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


def answers(command: Callable[_Arguments, _Answer]) -> Callable[_Arguments, _Answer]:
    """Turns a refusal into exit status 1 and a fault into 3, each with its sentence on stderr."""

    @functools.wraps(command)
    def answering(*arguments: _Arguments.args, **options: _Arguments.kwargs) -> _Answer:
        try:
            return command(*arguments, **options)
        except Refusal as refusal:
            no(refusal.text)
        except Fault as fault:
            click.secho(str(fault), err=True, fg="red")
            raise click.exceptions.Exit(3) from None

    return answering


def no(reason: str) -> NoReturn:
    """Ends the command with a "no" and its reason."""
    click.secho(reason, err=True, fg="yellow")
    raise click.exceptions.Exit(1)


def as_json(answer: object) -> None:
    """Prints an answer for software."""
    click.echo(json.dumps(answer, ensure_ascii=False, indent=2))


def contents(path: Path) -> bytes:
    """The bytes of a file that the person named.

    Raises:
        Fault: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise Fault(f"{path}: cannot be read: {error.strerror}") from None


def agreed(question: str, *, yes: bool) -> None:
    """Goes on only with the person's consent: `--yes`, or an answer on a terminal.

    The question is asked on stderr, so that stdout stays an answer for software.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(
            "nobody can be asked here, so nothing was changed; say --yes to go on, or --dry-run"
        )
    if not click.confirm(question, err=True):
        no("nothing was changed")
