"""What a policy document (TOML) says, or what is wrong with it.

Knows keys and words; refuses to guess what an unknown one may have meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apostille.policy.classes import FORMS, Class, party_of, read_class
from apostille.policy.recipients import Level, Unknown
from apostille.policy.rules import EXTRAS, LONGEST_HOLD, VERSIONS, WITHIN, Direction, Policy, Requirement, Rule, Setting, Stage
from apostille.policy.windows import ALWAYS, DAYS, Window
from apostille.vocabulary import Outage, Reason, Refusal

_WINDOW = frozenset(("hours", "days", "from_date", "to_date", "zone"))
_OWN_NAMES = frozenset(("errors", "empty", "devices"))
_KEYS = _WINDOW | frozenset(
    ("name", "from", "to", "require", "stage", "kinds", "direction", "versions", "devices", "unknown_devices", "extras")
) | {"outage", "hold_seconds"}


def read_policy(document: Mapping[str, Any], origin: str) -> Policy:
    """The policy in a parsed TOML document; `origin` names the file in errors.

    Raises:
        Refusal: an unknown key, a wrong type or an unknown word, with the rule, the key and what would be right.
    """
    unknown = sorted(set(document) - {"rule"})
    if unknown:
        raise Refusal(Reason.MALFORMED, f"{origin}: unknown key {unknown[0]!r}; a policy is a list of [[rule]] tables")
    tables = document.get("rule", [])
    if not isinstance(tables, list):
        raise Refusal(Reason.MALFORMED, f"{origin}: write each rule as [[rule]], with two brackets")
    rules = tuple(_rule(table, f"{origin}: rule {number}") for number, table in enumerate(tables, 1))
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise Refusal(Reason.MALFORMED, f"{origin}: two rules are named {name!r}; verdicts name the rule, so each needs its own")
    return Policy(rules)


def _rule(table: Any, where: str) -> Rule:
    if not isinstance(table, dict):
        raise Refusal(Reason.MALFORMED, f"{where}: is not a table; write [[rule]]")
    unknown = sorted(set(table) - _KEYS)
    if unknown:
        raise Refusal(Reason.MALFORMED, f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise Refusal(Reason.MALFORMED, f"{where}: needs a name")
    where = f"{where} ({name})"
    if name in _OWN_NAMES:
        raise Refusal(Reason.MALFORMED, f"{where}: this name is taken: records under it say that no rule decided; choose another")
    rule = Rule(
        name=name,
        senders=_classes(table, "from", where),
        recipients=_classes(table, "to", where),
        require=Requirement(_word(table, "require", where, [one.value for one in Requirement], "omemo")),
        stage=Stage(_word(table, "stage", where, [one.value for one in Stage], "enforce")),
        settings=frozenset(map(Setting, _words(table, "kinds", where, [one.value for one in Setting], [s.value for s in Setting]))),
        directions=frozenset(map(Direction, _words(table, "direction", where, [d.value for d in Direction], [d.value for d in Direction]))),
        versions=frozenset(_words(table, "versions", where, sorted(VERSIONS), sorted(VERSIONS))),
        extras=frozenset(_words(table, "extras", where, sorted(EXTRAS), [])),
        outage=Outage(_word(table, "outage", where, [one.value for one in Outage], "bounce")),
        hold_seconds=_seconds(table, where),
        devices=Level(_word(table, "devices", where, [one.value for one in Level], "any")),
        unknown=Unknown(_word(table, "unknown_devices", where, [one.value for one in Unknown], "refuse")),
        window=_window(table, where) if _WINDOW & set(table) else ALWAYS,
    )
    _expect_outage(rule, where)
    if not rule.versions and rule.require is not Requirement.OX:
        raise Refusal(Reason.MALFORMED, f"{where}: versions names no version of OMEMO; leave it out for both")
    return rule


def _expect_outage(rule: Rule, where: str) -> None:
    if rule.outage is Outage.PASS and {party_of(one) for one in rule.senders | rule.recipients} & WITHIN:
        raise Refusal(Reason.MALFORMED, f'{where}: outage = "pass" is never for people or rooms of this server; write "bounce" or "hold"')
    if (rule.outage is Outage.HOLD) != bool(rule.hold_seconds):
        raise Refusal(Reason.MALFORMED, f'{where}: outage = "hold" and hold_seconds go together; write for example hold_seconds = 20')


def _classes(table: Mapping[str, Any], key: str, where: str) -> frozenset[Class]:
    value = table.get(key)
    if value is None or not isinstance(value, list):
        raise Refusal(Reason.MALFORMED, f"{where}: needs {key}, a list of {', '.join(FORMS)}")
    found = set()
    for word in value:
        one = read_class(word) if isinstance(word, str) else None
        if one is None:
            raise Refusal(Reason.MALFORMED, f"{where}: {key} holds {word!r}; known are {', '.join(FORMS)}")
        found.add(one)
    return frozenset(found)


def _window(table: Mapping[str, Any], where: str) -> Window:
    first, last = _date(table, "from_date", where), _date(table, "to_date", where)
    if first and last and last < first:
        raise Refusal(Reason.MALFORMED, f"{where}: to_date = {last} is before from_date = {first}; correct one of them")
    days = frozenset(map(DAYS.index, _words(table, "days", where, DAYS, list(DAYS))))
    if not days:
        raise Refusal(Reason.MALFORMED, f"{where}: days names no day, so that the rule never holds; leave it out for all days")
    return Window(_hours(table, where), days, first, last, _zone(table, where))


def _hours(table: Mapping[str, Any], where: str) -> tuple[int, int]:
    value = table.get("hours", "00:00-24:00")
    begin, dash, end = value.partition("-") if isinstance(value, str) else ("", "", "")
    minutes = [_minutes(text) for text in (begin, end)]
    if not dash or None in minutes or minutes[0] == minutes[1] or minutes[0] == 24 * 60:
        raise Refusal(Reason.MALFORMED, f'{where}: hours = {value!r}; write it like hours = "08:00-18:00"')
    return minutes[0] or 0, minutes[1] or 0


def _minutes(text: str) -> int | None:
    hour, colon, minute = text.strip().partition(":")
    if not colon or len(hour) != 2 or len(minute) != 2 or not (hour + minute).isascii() or not (hour + minute).isdigit():
        return None
    total = int(hour) * 60 + int(minute)
    return total if int(minute) < 60 and total <= 24 * 60 else None


def _date(table: Mapping[str, Any], key: str, where: str) -> date | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, date) or isinstance(value, datetime):
        raise Refusal(Reason.MALFORMED, f"{where}: {key} = {value!r}; write a date without quotes, like {key} = 2026-12-31")
    return value


def _zone(table: Mapping[str, Any], where: str) -> tzinfo:
    value = table.get("zone", "UTC")
    try:
        return UTC if value == "UTC" else ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        mend = "write one that this machine knows, like Asia/Kolkata"
        raise Refusal(Reason.MALFORMED, f"{where}: zone = {value!r} is no time zone; {mend}") from None


def _seconds(table: Mapping[str, Any], where: str) -> int:
    value = table.get("hold_seconds", 0)
    if type(value) is not int or not 0 <= value <= LONGEST_HOLD:
        raise Refusal(Reason.MALFORMED, f"{where}: hold_seconds = {value!r}; should be a whole number up to {LONGEST_HOLD}")
    return value


def _word(table: Mapping[str, Any], key: str, where: str, known: Sequence[str], default: str) -> str:
    value = table.get(key, default)
    if not isinstance(value, str) or value not in known:
        raise Refusal(Reason.MALFORMED, f"{where}: {key} = {value!r}; should be one of {', '.join(known)}")
    return value


def _words(table: Mapping[str, Any], key: str, where: str, known: Sequence[str], default: list[str]) -> list[str]:
    value = table.get(key, default)
    if not isinstance(value, list):
        raise Refusal(Reason.MALFORMED, f"{where}: {key} should be a list of {', '.join(known)}")
    for word in value:
        if not isinstance(word, str) or word not in known:
            raise Refusal(Reason.MALFORMED, f"{where}: {key} holds {word!r}; known are {', '.join(known)}")
    return value
