"""What was written to the server last, in SQL.

Knows one table; refuses to know what a canonical form means.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice

from sqlalchemy import Column, Engine, LargeBinary, String, Table, delete, insert, select

from apostille.database import metadata, reading
from apostille.rosters.rules import digest
from apostille.vocabulary import Address

rosters_applied = Table(
    "rosters_applied",
    metadata,
    Column("owner", String(2047), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("marks", LargeBinary, nullable=False),
)

_BATCH = 500  # SQLite takes 999 variables in older builds


class SqlApplied:
    """The port `Applied`, over SQLAlchemy."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def digests(self) -> Mapping[Address, str]:
        """The digest of every roster that was written."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(rosters_applied.c.owner, rosters_applied.c.digest))
            return {_address(owner): value for owner, value in rows}

    def marks(self, owners: Collection[Address]) -> Mapping[Address, bytes]:
        """The canonical forms of those rosters among `owners` that were written."""
        found: dict[Address, bytes] = {}
        with reading(self._engine) as connection:
            for names in _batches(owners):
                query = select(rosters_applied.c.owner, rosters_applied.c.marks)
                rows = connection.execute(query.where(rosters_applied.c.owner.in_(names)))
                found.update((_address(owner), value) for owner, value in rows)
        return found

    def record(self, written: Mapping[Address, bytes | None]) -> None:
        """Remember canonical forms with their digests; None forgets the owner."""
        if not written:
            return
        kept = ((str(owner), form) for owner, form in written.items() if form is not None)
        rows = [{"owner": owner, "digest": digest(form), "marks": form} for owner, form in kept]
        with self._engine.begin() as connection:
            for names in _batches(written):
                connection.execute(delete(rosters_applied).where(rosters_applied.c.owner.in_(names)))
            if rows:
                connection.execute(insert(rosters_applied), rows)


def _batches(owners: Collection[Address]) -> list[list[str]]:
    names = map(str, owners)
    return [list(islice(names, _BATCH)) for _ in range(0, len(owners), _BATCH)]


def _address(text: str) -> Address:
    local, _, domain = text.rpartition("@")
    return Address(domain, local)
