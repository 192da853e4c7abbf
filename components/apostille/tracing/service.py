"""Finding the records of a complaint and putting them into a bundle.

Knows how messages are looked up; refuses to know how the ledger keeps them. What it returns is for `rules.judge` to weigh.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from apostille import record as records
from apostille.record import Filed, Judged
from apostille.tracing.rules import Bundle, Exhibit, Item
from apostille.vocabulary import Fault, Reason, Refusal


class Placed(Protocol):
    """An entry in its place in the ledger."""

    @property
    def index(self) -> int: ...  # noqa: D102
    @property
    def data(self) -> bytes: ...  # noqa: D102
    @property
    def opening(self) -> bytes: ...  # noqa: D102


class Ledger(Protocol):
    """Finds and proves entries."""

    def entry(self, index: int) -> Placed:
        """The entry at a place; raises `Refusal` (unknown) if there is none."""
        ...

    def find(self, field: str, value: str) -> Sequence[Placed]:
        """The entries that can be found under a value."""
        ...

    def between(self, sender: str, recipient: str, since: int, until: int) -> Sequence[Placed]:
        """The records of messages from one address to another in [since, until), Unix milliseconds."""
        ...

    def prove_many(self, indices: Iterable[int]) -> Sequence[str]:
        """Inclusion proofs, all for one checkpoint."""
        ...


class Tracing:
    """The use cases of the tracing room."""

    def __init__(self, ledger: Ledger, vkey: str, now: Callable[[], str]) -> None:
        self._ledger = ledger
        self._vkey = vkey
        self._now = now

    def by_stanza_id(self, stanza_id: str) -> Bundle:
        """The messages known under an id: an archive's stanza-id (sender's, recipient's or room's), origin-id or message id."""
        if not stanza_id:
            raise Refusal(Reason.MALFORMED, "an empty id finds nothing")
        places: dict[int, Placed] = {}
        for placed in self._ledger.find("id", stanza_id):
            record = _record(placed)
            if isinstance(record, Judged):
                places[placed.index] = placed
                continue
            ids = record.ids if isinstance(record, Filed) else ()
            for of in {of for of, _, id_ in ids if id_ == stanza_id}:
                with suppress(Refusal):  # filed for a place that is none: it must not hide the others
                    places[of] = self._ledger.entry(of)
        return self._bundle([places[index] for index in sorted(places)], {"stanza-id": stanza_id})

    def between(self, one: str, other: str, since: int, until: int) -> Bundle:
        """The messages between two bare JIDs, in both directions, in [since, until) Unix milliseconds."""
        places = {placed.index: placed for placed in self._ledger.between(one, other, since, until)}
        places |= {placed.index: placed for placed in self._ledger.between(other, one, since, until)}
        question = {"between": f"{one} {other}", "since": str(since), "until": str(until)}
        return self._bundle([places[index] for index in sorted(places)], question)

    def _bundle(self, found: Sequence[Placed], question: dict[str, str]) -> Bundle:
        messages = [placed for placed in found if isinstance(_record(placed), Judged)]
        near: dict[str, list[tuple[Placed, frozenset[int]]]] = {}
        for where in dict.fromkeys(records.neighbourhood(placed.index) for placed in messages):
            near[where] = [(one, _filed(one)) for one in self._ledger.find("of", where)]
        filed = [[one for one, of in near[records.neighbourhood(placed.index)] if placed.index in of] for placed in messages]
        everything = sorted({one.index for group in (messages, *filed) for one in group})
        proofs = dict(zip(everything, self._ledger.prove_many(everything), strict=True))
        items = tuple(
            Item(
                Exhibit(placed.data, proofs[placed.index]),
                tuple(Exhibit(one.data, proofs[one.index]) for one in group),
                placed.opening,
            )
            for placed, group in zip(messages, filed, strict=True)
        )
        return Bundle(self._vkey, question, items, self._now())


def _filed(placed: Placed) -> frozenset[int]:
    """The places of the messages whose archive ids an entry holds."""
    record = _record(placed)
    return frozenset(of for of, _, _ in record.ids) if isinstance(record, Filed) else frozenset()


def _record(placed: Placed) -> records.Record:
    try:
        return records.read(placed.data)
    except records.Unreadable as error:
        raise Fault(f"ledger: entry {placed.index}: {error}; run `apostille ledger verify`") from None
