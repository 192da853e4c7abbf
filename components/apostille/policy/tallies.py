"""What the records of a time say of a policy: what would have been refused, and how much was encrypted.

Knows how to count; refuses to know who sits where: that is told. Counts alone leave this file, and no addresses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from apostille.record import Judged

LONGEST_BY_DAY = 45
"""Days of a report that are shown one by one; a longer time is shown by weeks."""
_SEALED = frozenset(("", "version", "ghost", "missing", "spoofed", "devices-unknown", "device-unapproved"))
"""Codes of objections to how or for whom a message was encrypted; under any other, something beside it could be read."""


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """What messages are counted by: unit of the sender (or what else it is), rule, code that they would have been refused with."""

    unit: str
    rule: str
    code: str


@dataclass(slots=True)
class Count:
    """Messages, and from how many senders."""

    messages: int = 0
    senders: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Span:
    """A day or a week: how many messages were recorded, how many of them with an encrypted part."""

    first: date
    messages: int
    encrypted: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.encrypted / self.messages


class Tally:
    """Takes record after record."""

    def __init__(self, unit_of: Callable[[str], str]) -> None:
        self._unit_of = unit_of
        self.messages = 0
        self.rows: dict[Row, Count] = {}
        self._days: Counter[date] = Counter()
        self._encrypted: Counter[date] = Counter()

    def add(self, record: Judged) -> None:
        """Count one message."""
        day = datetime.fromtimestamp(record.at / 1000, UTC).date()
        self.messages += 1
        self._days[day] += 1
        self._encrypted[day] += bool(record.encrypted) and record.code in _SEALED
        if record.code:
            count = self.rows.setdefault(Row(self._unit_of(record.sender), record.policy, record.code), Count())
            count.messages += 1
            count.senders.add(record.sender)

    def coverage(self) -> tuple[str, list[Span]]:
        """`day` or `week`, and the spans in which something was recorded, in order."""
        days = sorted(self._days)
        by_day = not days or (days[-1] - days[0]).days < LONGEST_BY_DAY
        spans: dict[date, list[int]] = {}
        for day in days:
            first = day if by_day else day - timedelta(day.weekday())
            span = spans.setdefault(first, [0, 0])
            span[0] += self._days[day]
            span[1] += self._encrypted[day]
        return "day" if by_day else "week", [Span(first, *counts) for first, counts in spans.items()]
