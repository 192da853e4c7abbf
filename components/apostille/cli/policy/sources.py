"""Where the commands about a policy look: files, the directory, the ledger, the clock.

Knows how each is opened and what a person may write for it; refuses to know what a policy says.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from apostille import bootstrap, record
from apostille.directory.rules import standing_on
from apostille.ledger.service import Reader
from apostille.ledger.store import SqlLog
from apostille.policy.classes import FORMS, Side, read_class
from apostille.policy.lints import Places
from apostille.policy.rules import Policy
from apostille.policy.shapes import side_of
from apostille.policy.store import load_policy
from apostille.settings import DEFAULT_FILE
from apostille.vocabulary import Reason, Refusal, Standing
from apostille.xmpp import address


@dataclass(frozen=True)
class Seats:
    """Who is what to the policy at a time, and which units, posts and rooms there are."""

    seat: Callable[[str, datetime], Side]
    places: Places


def are_there(settings: str | None) -> bool:
    """Whether settings were named, or lie in this folder; some commands do without."""
    return settings is not None or Path(DEFAULT_FILE).exists()


def policy_in(file: Path | None, settings: str | None) -> Policy:
    """The policy in a file, or in the one that the settings name."""
    return load_policy(file or bootstrap.settings_at(settings).policy_file)


def seats(settings: str | None) -> Seats:
    """The directory as the policy sees it."""
    read = bootstrap.settings_at(settings)
    engine = bootstrap.database(read)
    judge = bootstrap.judge(read, engine, Policy())
    _, government = bootstrap.directory(settings).government()
    day = bootstrap.today()
    lines = {path: tuple(unit.path for unit in reversed(government.above(path))) for path in government.units}
    posts = {post.id: lines.get(post.unit, ()) for post in government.posts.values()}
    held = frozenset(one.post for one in government.officials.values() if standing_on(one, day) is Standing.VERIFIED)

    def seat(jid: str, at: datetime) -> Side:
        return judge.side(jid, at.astimezone().date())

    return Seats(seat, Places(lines, posts, held, frozenset(read.server_rooms)))


class Sides:
    """Who a class or a JID is to the policy; without settings, only a class is anybody."""

    def __init__(self, settings: str | None) -> None:
        self._seats = seats(settings) if are_there(settings) else None
        self.places = self._seats.places if self._seats else None

    def __call__(self, word: str, name: str, at: datetime) -> Side:
        """The side at a time; `name` is for one who is made up.

        Raises:
            Refusal: the word is neither a class nor a JID, or a JID and nobody can be asked about it.
        """
        one = read_class(word)
        if one is not None:
            return side_of(one, name, self.places)
        if "@" not in word and "." not in word:
            raise Refusal(Reason.MALFORMED, f"{word!r} is neither a JID nor one of {', '.join(FORMS)}")
        jid = str(address(word.partition("/")[0]))
        if self._seats is None:
            raise Refusal(Reason.UNKNOWN, f"only the directory knows who {jid} is: name the settings (-c), or a class")
        return self._seats.seat(jid, at)


# ---- time ---------------------------------------------------------------------------------------------------------------


def now() -> datetime:
    """The time, aware, as the people at this machine read it."""
    return datetime.now().astimezone()


_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, option: str) -> datetime:
    """A time that a person wrote: ISO 8601, UTC unless it says otherwise, or `2h` for two hours ago."""
    try:
        if text[-1:] in _UNITS and text[:-1].isascii() and text[:-1].isdigit():
            return datetime.now(UTC) - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
        when = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        message = f"{option}: {text!r} is no time; write 2026-11-22, 2026-11-22T09:30, or 2h for two hours ago"
        raise click.UsageError(message) from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


# ---- the ledger ---------------------------------------------------------------------------------------------------------

_AT_ONCE = 4096  # entries read in one look, so that no look holds up the database's own housekeeping
_SKEW = 3_600_000  # milliseconds by which the clocks of gates may differ, or go back
_ALL = -1


def judged(settings: str | None, *, newest: int = _ALL, since: int = 0, until: int = 2**62) -> Iterator[record.Judged]:
    """The messages that the ledger holds, oldest first, with a progress bar on a terminal.

    `newest`: among so many newest entries; `since`, `until`: judged from this Unix time (milliseconds) on, and before that. What is
    read is not proven: that is what `ledger verify` is for.
    """
    log, vkey = bootstrap.ledger_log(settings)
    size = int(Reader(log, vkey).checkpoint().splitlines()[1])
    start = max(0, size - newest) if newest != _ALL else 0
    start = max(start, bisect_left(range(size), since - _SKEW, key=lambda index: _at(log, index))) if since else start
    with click.progressbar(length=size - start, label="entries", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        for first in range(start, size, _AT_ONCE):
            with log.view() as view:
                found = list(view.entries(first, min(first + _AT_ONCE, size)))
            for _, data in found:
                one = _read(data)
                if isinstance(one, record.Judged) and since <= one.at < until:
                    yield one
            bar.update(len(found))


def _read(data: bytes) -> record.Record | None:
    try:
        return record.read(data)
    except record.Unreadable:
        return None


def _at(log: SqlLog, index: int) -> int:
    """The time of an entry, or of the first after it that can be read."""
    with log.view() as view:
        readable = (one for _, data in view.entries(index, index + _AT_ONCE) if (one := _read(data)) is not None)
        return next((one.at for one in readable), 0)
