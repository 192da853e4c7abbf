"""What a policy should say of certain messages, as a file (TOML) says it, and whether it does.

Knows keys and how a case is tried; refuses to open files and to know the directory: both are told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol

from apostille.policy.classes import Side
from apostille.policy.rules import Policy, Setting, setting_of
from apostille.policy.shapes import SHAPES, Reads, message_of, setting_between, written
from apostille.vocabulary import Reason, Refusal, Verdict

PASS = "pass"  # noqa: S105 - no password
_KEYS = ("name", "from", "to", "kind", "at", "stanza", "file", "expect", "rule")


@dataclass(frozen=True, slots=True)
class Expected:
    """One case.

    Attributes:
        sender, recipient: words of `from` and `to` of a rule, or JIDs.
        stanza: the message, as XML or by the name of a shape.
        expect: `pass`, or the code that it is refused with.
        rule: name of the rule that decides; empty: any.
        kind: where it is said; None: in the room if the recipient is one, and outside rooms if not.
        at: when; None: now.
    """

    name: str
    sender: str
    recipient: str
    stanza: str
    expect: str
    rule: str = ""
    kind: Setting | None = None
    at: datetime | None = None


class Sides(Protocol):
    """Who a word of `from` or `to`, or a JID, is to the policy at a time."""

    def __call__(self, word: str, name: str, at: datetime) -> Side:
        """The side; raises Refusal where nobody knows. `name` is for one who is made up."""
        ...


@dataclass(frozen=True, slots=True)
class Tried:
    """A case, what the policy said, and what is wrong with that; empty if nothing is."""

    case: Expected
    verdict: Verdict
    wrong: str


def read_cases(document: Mapping[str, Any], origin: str, contents: Callable[[str], str]) -> list[Expected]:
    """The cases of a parsed document; `contents` opens a file that one of them names.

    Raises:
        Refusal: an unknown key, a missing one or a wrong value; the text names file, case and key.
    """
    unknown = sorted(set(document) - {"case"})
    tables = document.get("case", [])
    if unknown or not isinstance(tables, list) or not tables:
        raise Refusal(Reason.MALFORMED, f"{origin}: should be a list of [[case]] tables, and nothing else")
    return [_case(table, f"{origin}: case {number}", contents) for number, table in enumerate(tables, 1)]


def _case(table: Any, where: str, contents: Callable[[str], str]) -> Expected:
    if not isinstance(table, dict):
        raise Refusal(Reason.MALFORMED, f"{where}: is not a table; write [[case]]")
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise Refusal(Reason.MALFORMED, f"{where}: needs a name")
    where = f"{where} ({name})"
    unknown = sorted(set(table) - set(_KEYS))
    if unknown:
        raise Refusal(Reason.MALFORMED, f"{where}: unknown key {unknown[0]!r}; known are {', '.join(_KEYS)}")
    sender, recipient, expect = (_text(table, key, where) for key in ("from", "to", "expect"))
    if ("stanza" in table) == ("file" in table):
        raise Refusal(Reason.MALFORMED, f"{where}: needs either stanza or file")
    stanza = _text(table, "stanza", where) if "stanza" in table else contents(_text(table, "file", where))
    if "file" not in table and not stanza.lstrip().startswith("<") and stanza not in SHAPES:
        raise Refusal(Reason.MALFORMED, f"{where}: stanza = {stanza!r}; should be XML or one of {', '.join(SHAPES)}")
    rule = _text(table, "rule", where) if "rule" in table else ""
    return Expected(name, sender, recipient, stanza, expect, rule, _kind(table, where), _at(table, where))


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise Refusal(Reason.MALFORMED, f"{where}: needs {key}, a text in quotes")
    return value


def _kind(table: Mapping[str, Any], where: str) -> Setting | None:
    value = table.get("kind")
    known = [one.value for one in Setting]
    if value is None:
        return None
    if value not in known:
        raise Refusal(Reason.MALFORMED, f"{where}: kind = {value!r}; should be one of {', '.join(known)}")
    return Setting(value)


def _at(table: Mapping[str, Any], where: str) -> datetime | None:
    value = table.get("at")
    if value is None:
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, 12, tzinfo=UTC)
    raise Refusal(Reason.MALFORMED, f"{where}: at = {value!r}; write a time without quotes, like 2026-11-22T09:30:00Z")


def attempt(case: Expected, policy: Policy, reads: Reads, now: datetime, side: Sides) -> Tried:
    """What the policy says of a case at its time, or `now`.

    Raises:
        Refusal: the case names somebody who is neither a class nor known, or a stanza that is none.
    """
    at = case.at or now
    sender, recipient = side(case.sender, "sender", at), side(case.recipient, "recipient", at)
    setting = case.kind or setting_between(recipient)
    stanza = written(case.stanza, recipient.address, setting) if case.stanza in SHAPES else case.stanza.encode()
    try:
        message = message_of(stanza, sender, recipient, setting, reads)
    except ValueError as error:
        raise Refusal(Reason.MALFORMED, f"{case.name}: {error}") from None
    if case.kind and setting_of(message) is not setting:
        kind = setting_of(message).value
        raise Refusal(Reason.MALFORMED, f"{case.name}: the stanza is one of kind {kind}, and the case of kind {setting.value}; correct one")
    verdict = policy.judge(message, sender, recipient, at)
    return Tried(case, verdict, _wrong(case, verdict))


def _wrong(case: Expected, verdict: Verdict) -> str:
    said = said_of(verdict)
    if case.expect == PASS and not verdict.passes:
        return f"should pass, and is {said}"
    if case.expect != PASS and (verdict.passes or verdict.code != case.expect):
        return f"should be refused ({case.expect}), and {'' if verdict.passes else 'is '}{said}"
    if case.rule and verdict.rule != case.rule:
        return f"should be decided by rule {case.rule}, and {'no rule fits' if not verdict.rule else f'is decided by {verdict.rule}'}"
    return ""


def said_of(verdict: Verdict) -> str:
    """A verdict in few words."""
    if not verdict.passes:
        return f"refused ({verdict.code})"
    if verdict.code:
        return f"passes with a warning ({verdict.code})" if verdict.notice else f"passes, observed ({verdict.code})"
    return "passes"
