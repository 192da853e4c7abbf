"""When a rule holds: hours of a day, days of a week, dates, in one time zone.

Knows clocks on walls; refuses to look at one: the time is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which a rule holds.

    Attributes:
        hours: minutes after midnight from which, and up to which (not including); from 22:00 to 06:00 goes over midnight and belongs to
            the day on which it begins.
        days: numbers of the days of the week, 0 is Monday.
        first, last: the first and the last day; None for no such day.
        zone: whose clock.
    """

    hours: tuple[int, int] = (0, _DAY)
    days: frozenset[int] = frozenset(range(7))
    first: date | None = None
    last: date | None = None
    zone: tzinfo = UTC

    def holds(self, now: datetime) -> bool:
        """Whether an aware time lies in the window."""
        local = now.astimezone(self.zone)
        minute, day = local.hour * 60 + local.minute, local.date()
        begin, end = self.hours
        if begin < end:
            within = begin <= minute < end
        else:
            within = minute >= begin or minute < end
            if minute < end:
                if day == date.min:
                    return False
                day = date.fromordinal(day.toordinal() - 1)
        begun, ended = self.first is None or self.first <= day, self.last is not None and self.last < day
        return within and day.weekday() in self.days and begun and not ended


ALWAYS = Window()
"""The window of a rule that names none."""
