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
    Dialect,
    Engine,
    Executable,
    Integer,
    LargeBinary,
    Select,
    SmallInteger,
    Table,
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
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from apostille.database import Writer, metadata, reading
from apostille.ledger.labels import FOLD, LOOSE, Segment, fold
from apostille.ledger.rules import Batch, Between, Overtaken
from apostille.tlog.tiles import TOP_LEVEL, WIDTH, row
from apostille.vocabulary import Fault

# In SQLite only INTEGER can be the row's own key; elsewhere an index may pass 2**31.
_Number = BigInteger().with_variant(Integer(), "sqlite")
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
labels = Table(
    "ledger_labels",
    metadata,
    Column("part", SmallInteger, primary_key=True, autoincrement=False),
    Column("first", _Number, primary_key=True, autoincrement=False),
    Column("stop", _Number, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
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
_SEGMENTS = select(
    labels.c.part, labels.c.first, labels.c.stop, labels.c.since, labels.c.until, cast(labels.c.data, LargeBinary)
).order_by(labels.c.first)
_FOUND = (
    select(entries.c.index, entries.c.data, func.coalesce(openings.c.salt, b""))
    .join_from(entries, openings, entries.c.index == openings.c.index, isouter=True)
    .where(entries.c.index.in_(bindparam("some", expanding=True)))
    .order_by(entries.c.index)
)
_AT_ONCE = 1000


class _Statements:
    """What an append says to the driver: text with positional parameters, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        spoken, tile = dialect, sqlite.insert(tiles)
        if dialect.name == "postgresql":  # positions instead of names, so that rows can be tuples
            spoken, tile = type(dialect)(paramstyle="format"), postgresql.insert(tiles)  # type: ignore[call-arg,assignment]
        kept = tile.on_conflict_do_update(index_elements=["level", "number"], set_={"data": tile.excluded.data})

        def told(statement: Executable) -> str:
            return str(statement.compile(dialect=spoken))  # type: ignore[attr-defined]

        self.begin = told(insert(checkpoints))
        self.replace = told(
            update(checkpoints).where(checkpoints.c.note == bindparam("old"), checkpoints.c.id == _NEWEST).values(note=bindparam("new"))
        )
        self.entry = told(insert(entries))
        self.opening = told(insert(openings))
        self.tile = told(kept)
        self.labels = told(insert(labels))
        self.loose = told(_SEGMENTS.where(labels.c.part == LOOSE))
        self.forget = told(delete(labels).where(labels.c.part == LOOSE))


class SqlLog:
    """One log in a database."""

    def __init__(self, engine: Engine) -> None:
        """Use the tables behind an engine of `apostille.database.open_database`, which exist already."""
        self._engine = engine
        self._writer = Writer(engine)
        self._say = _Statements(engine.dialect)
        self._error: type[Exception] = engine.dialect.loaded_dbapi.Error

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
            with self._writer.transaction() as cursor:
                self._replace(cursor, batch)
                if batch.entries:
                    cursor.executemany(self._say.entry, batch.entries)
                if batch.openings:
                    cursor.executemany(self._say.opening, batch.openings)
                for tile in batch.tiles:
                    cursor.execute(self._say.tile, (tile.level, tile.number, tile.data))
                if batch.labels is not None:
                    self._find(cursor, batch.labels)
        except (SQLAlchemyError, self._error) as error:
            raise Fault(f"ledger: the database did not take the entries: {_reason(error)}") from error

    def _replace(self, cursor: Any, batch: Batch) -> None:
        """First of all the checkpoint: whoever replaces it holds its row until the commit; others fail."""
        new = batch.checkpoint.encode()
        if batch.replaces:
            cursor.execute(self._say.replace, (new, batch.replaces.encode(), _NEWEST))
            if cursor.rowcount != 1:
                raise Overtaken
            return
        try:
            cursor.execute(self._say.begin, (_NEWEST, new))
        except self._engine.dialect.loaded_dbapi.IntegrityError:
            raise Overtaken from None

    def _find(self, cursor: Any, segment: Segment) -> None:
        """Make the entries findable; now and then, sort what is loose."""
        cursor.execute(self._say.labels, _row(segment))
        if segment.first // FOLD != segment.stop // FOLD:
            cursor.execute(self._say.loose, (LOOSE,))
            loose = [_segment(found) for found in cursor.fetchall()]
            cursor.execute(self._say.forget, (LOOSE,))
            cursor.executemany(self._say.labels, map(_row, fold(loose)))


def _row(segment: Segment) -> tuple[Any, ...]:
    return segment.part, segment.first, segment.stop, segment.since, segment.until, segment.data


def _segment(found: Sequence[Any]) -> Segment:
    part, first, stop, since, until, data = found
    return Segment(part, first, stop, since, until, bytes(data))


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

    def search(self, labels_: Sequence[bytes], between: Between | None) -> list[tuple[int, bytes, bytes]]:
        """(index, data, salt) of the entries with all these labels, in order."""
        places = sorted(set.intersection(*[self._places(label, between) for label in labels_]))
        found: list[tuple[int, bytes, bytes]] = []
        for at in range(0, len(places), _AT_ONCE):
            rows = self._connection.execute(_FOUND, {"some": places[at : at + _AT_ONCE]})
            found += [(index, bytes(data), bytes(salt)) for index, data, salt in rows]
        return found

    def _places(self, label: bytes, between: Between | None) -> set[int]:
        query = _SEGMENTS.where(labels.c.part.in_((LOOSE, label[0])))
        if between:
            query = query.where(labels.c.until >= between.low, labels.c.since < between.high)
        return {place for found in self._connection.execute(query) for place in _segment(found).places(label)}

    def beyond(self, size: int) -> Iterator[tuple[str, int]]:
        """Rows that belong to no log of `size` entries."""
        for table, name in ((entries, "entry"), (openings, "opening of entry")):
            column = table.c.index
            strange = select(column).where(or_(column < 0, column >= size)).order_by(column)
            for (index,) in self._stream(strange):
                yield name, index if isinstance(index, int) else -1
        yield from (("lookup of entry", place) for place in self._astray(size))
        for level, number in self._stream(
            select(tiles.c.level, tiles.c.number).order_by(tiles.c.level, tiles.c.number)
        ):
            if not (isinstance(level, int) and isinstance(number, int)):
                yield f"tile {level}", -1
            elif not (0 <= level <= TOP_LEVEL and 0 <= number * WIDTH < row(level, size)):
                yield f"tile {level}", number

    def _astray(self, size: int) -> Iterator[int]:
        for found in self._stream(_SEGMENTS):
            part, first, stop, since, until, data = found
            if not all(isinstance(one, int) for one in (part, first, stop, since, until)):
                yield -1
            else:
                yield from Segment(part, first, min(stop, size), since, until, bytes(data)).astray()

    def _stream(self, rows: Select[Any]) -> Iterator[Any]:
        yield from self._connection.execution_options(yield_per=1000).execute(rows)


def _reason(error: Exception) -> str:
    """The driver's words without the statement, which would carry the entries into a log file."""
    return str(getattr(error, "orig", None) or error.args[:1] or type(error).__name__)
