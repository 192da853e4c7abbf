"""The engine and the one metadata that all rooms' tables register in.

Knows how to open the database so that a commit is durable; refuses to know any table.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, PoolProxiedConnection, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from apostille.vocabulary import Fault

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


_LOG_PAGES = 10_000  # in the write-ahead log before they are moved to their places
_PAGE = 4096
_FILLER_PAGES = 16
_SMALL_CACHE = -64  # kilobytes, as SQLite counts them
_USUAL_CACHE = -2000


def open_database(url: str) -> Engine:
    """An engine on the database at `url` (SQLAlchemy's URL syntax).

    SQLite files run with a write-ahead log and `synchronous=FULL`, so that a commit that returned is on the disk, and every
    transaction of a writer begins as one (`BEGIN IMMEDIATE`), so that two writers meet at the start and not at the commit.

    Raises:
        Fault: the URL cannot be read or its driver is not installed.
    """
    try:
        parsed = make_url(url)
        engine = create_engine(parsed, pool_pre_ping=parsed.get_backend_name() != "sqlite")
    except (SQLAlchemyError, ImportError, ValueError) as error:  # ValueError: a port that is no number
        raise Fault(f"database: cannot use {url.rsplit('@', maxsplit=1)[-1]!r}: {error}") from None
    if parsed.get_backend_name() == "sqlite":
        _make_private(parsed.database)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_private(file: str | None) -> None:
    """A new database file is its owner's alone: it says who wrote to whom. SQLite gives the log beside it the same mode."""
    if file and file != ":memory:" and not file.startswith("file:"):
        with suppress(OSError):  # what is wrong with the place, SQLite will say
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy, not the driver, says BEGIN
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"wal_autocheckpoint={_LOG_PAGES}",
        "foreign_keys=ON",
        "busy_timeout=10000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def grow_log(engine: Engine) -> None:
    """Make SQLite's write-ahead log as long as it will get, for a process that commits again and again.

    A commit that makes a file longer has to wait for the file system's own journal, and with it for what other programs write at the
    same time; one that overwrites does not (docs/explanation/performance.md). SQLite keeps the length until the last process is gone.

    Raises:
        Fault: the database cannot be written.
    """
    if engine.dialect.name != "sqlite":
        return
    try:
        with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
            try:
                cursor.execute(f"PRAGMA cache_size={_SMALL_CACHE}")  # what does not fit into it is written to the log before the commit,
                cursor.execute("BEGIN IMMEDIATE")
                cursor.execute("CREATE TABLE filler (data BLOB)")
                for _ in range(_LOG_PAGES // _FILLER_PAGES):
                    cursor.execute("INSERT INTO filler VALUES (zeroblob(?))", (_FILLER_PAGES * _PAGE,))
                cursor.execute("ROLLBACK")  # and there is none
            finally:
                cursor.execute(f"PRAGMA cache_size={_USUAL_CACHE}")
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        raise Fault(f"database: cannot be written: {error}") from None


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    connection.exec_driver_sql("BEGIN" if options.get("reading") else "BEGIN IMMEDIATE")


class Writer:
    """A connection that is kept for the statements that run for every message; one thread at a time may use it.

    They go to the driver itself: SQLAlchemy's way to one transaction costs as much processor time as the records of two messages.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: PoolProxiedConnection | None = None

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A cursor of the driver in a transaction that is committed unless something is raised; errors are the driver's."""
        connection, self._kept = self._kept or self._engine.raw_connection(), None
        try:
            cursor: Any = connection.cursor()
            if self._engine.dialect.name == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
            yield cursor
            connection.commit()
            self._kept = connection
        finally:
            if self._kept is None:
                connection.close()  # the pool rolls back what was not committed


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads: one snapshot, and no writer waits for it."""
    with engine.connect().execution_options(reading=True) as connection, connection.begin():
        yield connection
