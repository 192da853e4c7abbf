"""The ledger in SQL: SQLite by default, PostgreSQL by URL.

Knows tables, rows and transactions. Refuses to know what a right tree is: it keeps what it is given, and lets
the checkpoint row decide which of two writers came first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from apostille.database import metadata, reading
from apostille.ledger.rules import Batch, Between, Overtaken
from apostille.tlog.tiles import TOP_LEVEL, WIDTH, row
from apostille.vocabulary import Fault

# In SQLite only INTEGER can be the row's own key; elsewhere an index may pass 2**31.
_Number = BigInteger().with_variant(Integer(), "sqlite")
# `between` compares by code point; SQLite does so by itself.
_Words = Text().with_variant(Text(collation="C"), "postgresql")

entries = Table(
    "ledger_entries",
    metadata,
    Column("index", _Number, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
tiles = Table(
    "ledger_tiles",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("number", _Number, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
checkpoints = Table(
    "ledger_checkpoints",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1: only the newest is kept
    Column("note", LargeBinary, nullable=False),  # bytes: a damaged one has to be read too
)
lookups = Table(
    "ledger_lookups",
    metadata,
    Column("field", _Words, primary_key=True),
    Column("value", _Words, primary_key=True),
    Column("index", _Number, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,  # the key is the whole row: keep it once, not twice
)
openings = Table(
    "ledger_openings",
    metadata,
    Column("index", _Number, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary, nullable=False),
)

_NEWEST = 1
# Bytes that somebody stored as another type are damage to report, and no error of the driver.
_NOTE = select(cast(checkpoints.c.note, LargeBinary)).where(checkpoints.c.id == _NEWEST)
_TILE = select(cast(tiles.c.data, LargeBinary)).where(tiles.c.level == bindparam("l"), tiles.c.number == bindparam("n"))
_ENTRIES = (
    select(entries.c.index, cast(entries.c.data, LargeBinary))
    .where(entries.c.index >= bindparam("start"), entries.c.index < bindparam("stop"))
    .order_by(entries.c.index)
)
_OPENING = select(cast(openings.c.salt, LargeBinary)).where(openings.c.index == bindparam("i"))
_REPLACE = (
    update(checkpoints)
    .where(checkpoints.c.id == _NEWEST, checkpoints.c.note == bindparam("old"))
    .values(note=bindparam("new"))
)
_UNTILE = delete(tiles).where(tiles.c.level == bindparam("l"), tiles.c.number == bindparam("n"))


class SqlLog:
    """One log in a database."""

    def __init__(self, engine: Engine) -> None:
        """Use the tables behind an engine of `apostille.database.open_database`, which exist already."""
        self._engine = engine

    @contextmanager
    def view(self) -> Iterator[SqlView]:
        """Look at the log in one snapshot; raises `Fault` when the database cannot be read."""
        try:
            with reading(self._engine) as connection:
                if connection.dialect.name == "postgresql":  # otherwise each statement sees another moment
                    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
                yield SqlView(connection)
        except SQLAlchemyError as error:
            raise Fault(f"ledger: the database cannot be read: {_reason(error)}") from error

    def append(self, batch: Batch) -> None:
        """Store a batch in one transaction, or raise `Overtaken` (nothing stored) or `Fault` (unknown)."""
        try:
            with self._engine.begin() as connection:
                self._replace(connection, batch)
                _insert(connection, entries, batch.entries)
                _insert(connection, openings, batch.openings)
                _insert(connection, lookups, batch.lookups)
                places = [(tile.level, tile.number, tile.data) for tile in batch.tiles]
                if places:
                    connection.execute(_UNTILE, [{"l": level, "n": number} for level, number, _ in places])
                _insert(connection, tiles, places)
        except SQLAlchemyError as error:
            raise Fault(f"ledger: the database did not take the entries: {_reason(error)}") from error

    def _replace(self, connection: Connection, batch: Batch) -> None:
        """First of all the checkpoint: whoever replaces it holds its row until the commit; others fail."""
        notes = {"old": batch.replaces.encode(), "new": batch.checkpoint.encode()}
        if batch.replaces:
            if connection.execute(_REPLACE, notes).rowcount != 1:
                raise Overtaken
            return
        try:
            connection.execute(insert(checkpoints), {"id": _NEWEST, "note": notes["new"]})
        except IntegrityError:
            raise Overtaken from None


class SqlView:
    """A look at a log inside one reading transaction."""

    def __init__(self, connection: Connection) -> None:
        """Read through this connection."""
        self._connection = connection

    def checkpoint(self) -> str:
        """The newest signed checkpoint; empty when there is none."""
        return bytes(self._connection.scalar(_NOTE) or b"").decode(errors="replace")

    def tile(self, level: int, number: int) -> bytes:
        """A hash tile; empty when there is none."""
        return bytes(self._connection.scalar(_TILE, {"l": level, "n": number}) or b"")

    def entries(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """(index, data) of the entries from `start` up to `stop`, in order."""
        for rows in self._connection.execute(_ENTRIES, {"start": start, "stop": stop}).partitions(WIDTH):
            for index, data in rows:
                yield index, bytes(data)

    def opening(self, index: int) -> bytes:
        """The salt beside an entry; empty when there is none."""
        return bytes(self._connection.scalar(_OPENING, {"i": index}) or b"")

    def search(
        self, conditions: Sequence[tuple[str, str]], between: Between | None
    ) -> list[tuple[int, bytes, bytes]]:
        """(index, data, salt) of the entries that have all these lookups, in order."""
        found = (
            select(entries.c.index, entries.c.data, func.coalesce(openings.c.salt, b""))
            .join_from(entries, openings, entries.c.index == openings.c.index, isouter=True)
            .where(entries.c.index.in_(_matching(conditions, between)))
            .order_by(entries.c.index)
        )
        return [(index, bytes(data), bytes(salt)) for index, data, salt in self._connection.execute(found)]

    def beyond(self, size: int) -> Iterator[tuple[str, int]]:
        """Rows that belong to no log of `size` entries."""
        for table, name in ((entries, "entry"), (openings, "opening of entry"), (lookups, "lookup of entry")):
            column = table.c.index
            strange = select(column).where(or_(column < 0, column >= size)).order_by(column)
            for (index,) in self._stream(strange):
                yield name, index if isinstance(index, int) else -1
        for level, number in self._stream(
            select(tiles.c.level, tiles.c.number).order_by(tiles.c.level, tiles.c.number)
        ):
            if not (isinstance(level, int) and isinstance(number, int)):
                yield f"tile {level}", -1
            elif not (0 <= level <= TOP_LEVEL and 0 <= number * WIDTH < row(level, size)):
                yield f"tile {level}", number

    def _stream(self, rows: Select[Any]) -> Iterator[Any]:
        yield from self._connection.execution_options(yield_per=1000).execute(rows)


def _matching(conditions: Sequence[tuple[str, str]], between: Between | None) -> Select[Any]:
    """Indices with all conditions: one pass through the key of `lookups` for each."""
    parts = []
    for field, value in conditions:
        one = lookups.alias()
        parts.append((one, (one.c.field == field) & (one.c.value == value)))
    if between:
        one = lookups.alias()
        wanted = (one.c.field == between.field) & (one.c.value >= between.low) & (one.c.value < between.high)
        parts.append((one, wanted))
    first, wanted = parts[0]
    query = select(first.c.index).where(wanted)
    for other, wanted in parts[1:]:
        query = query.where(other.c.index == first.c.index, wanted)
    return query


def _insert(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows whose values stand in the order of the table's columns."""
    if rows:
        names = table.columns.keys()
        connection.execute(insert(table), [dict(zip(names, values, strict=True)) for values in rows])


def _reason(error: SQLAlchemyError) -> str:
    """The driver's words without the statement, which would carry the entries into a log file."""
    return str(getattr(error, "orig", None) or type(error).__name__)
