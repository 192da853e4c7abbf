"""The register in a database.

Knows the tables of the directory and that a change and its revision number are one transaction; refuses to
know what a change means.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    Engine,
    ForeignKey,
    Integer,
    Row,
    String,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from apostille.database import metadata, reading
from apostille.directory.plan import Added, Change, Changed, Removed
from apostille.directory.rules import Entry, Government, Official, Post, Unit
from apostille.vocabulary import Address, Fault, Reason, Refusal, Standing


def _reference(column: str) -> ForeignKey:
    # deferred: one import may move a unit under another that it adds later
    return ForeignKey(column, deferrable=True, initially="DEFERRED")


units = Table(
    "units",
    metadata,
    Column("path", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("parent", String, _reference("units.path"), index=True),
    Column("names", JSON, nullable=False),
)

posts = Table(
    "posts",
    metadata,
    Column("id", String, primary_key=True),
    Column("unit", String, _reference("units.path"), nullable=False, index=True),
    Column("title", String, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("position", Integer, nullable=False),
)

officials = Table(
    "officials",
    metadata,
    Column("jid", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("post", String, _reference("posts.id"), index=True),
    Column("names", JSON, nullable=False),
    Column("mail", String, nullable=False),
    Column("phone", String, nullable=False),
    Column("standing", String, nullable=False),
    Column("valid_from", Date),
    Column("valid_until", Date),
    Column("held", Boolean, nullable=False),
)

directory_revision = Table(
    "directory_revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
)

_REVISION = select(directory_revision.c.revision).where(directory_revision.c.id == 1)
_UNIT_OF = select(posts.c.unit).where(posts.c.id == bindparam("id"))
_ABOVE = select(units.c.parent).where(units.c.path == bindparam("path"))
_OFFICIAL = select(officials).where(officials.c.jid == bindparam("jid"))


class SqlRegister:
    """The register on any database that SQLAlchemy knows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def revision(self) -> int:
        """The number of the last change, 0 before the first."""
        with _answering(), reading(self._engine) as connection:
            return connection.scalar(_REVISION) or 0

    def government(self) -> tuple[int, Government]:
        """Everything, as it stands at one revision."""
        with _answering(), reading(self._engine) as connection:
            before = connection.scalar(_REVISION) or 0
            while True:
                government = _government(connection)
                after = connection.scalar(_REVISION) or 0
                if before == after:  # PostgreSQL's READ COMMITTED lets each statement see a newer one
                    return after, government
                before = after

    def official(self, address: Address) -> Official | None:
        """One entry, or None."""
        with _answering(), reading(self._engine) as connection:
            row = connection.execute(_OFFICIAL, {"jid": str(address)}).one_or_none()
            return None if row is None else _official(row)

    def line(self, post: str) -> tuple[str, ...]:
        """Paths of the units that a post belongs to, its own first; empty if there is no such post."""
        with _answering(), reading(self._engine) as connection:
            found: list[str] = []
            path = connection.scalar(_UNIT_OF, {"id": post})
            while path and path not in found:
                found.append(path)
                path = connection.scalar(_ABOVE, {"path": path})
            return tuple(found)

    def apply(self, changes: Sequence[Change], revision: int) -> int:
        """Makes the changes in one transaction; returns the new revision; the port says what it refuses."""
        with _answering(), self._engine.begin() as connection:
            _advance(connection, revision)
            for table, key in ((units, "path"), (posts, "id"), (officials, "jid")):
                mine = [change for change in changes if _table(change.entry) is table]
                if added := [_values(change.entry) for change in mine if isinstance(change, Added)]:
                    connection.execute(insert(table), added)
                if changed := [_values(change.entry) for change in mine if isinstance(change, Changed)]:
                    rows = [{**values, "_key": values[key]} for values in changed]
                    connection.execute(update(table).where(table.c[key] == bindparam("_key")), rows)
                if removed := [{"_key": change.entry.key} for change in mine if isinstance(change, Removed)]:
                    connection.execute(delete(table).where(table.c[key] == bindparam("_key")), removed)
        return revision + 1


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise Fault(f"directory: the database does not answer as it should: {cause}") from error


def _advance(connection: Connection, revision: int) -> None:
    """Counts the revision first: its row is the lock that a second writer waits at, and finds changed."""
    moved = Refusal(Reason.CONFLICT, "the directory has changed in the meantime; look at the plan again")
    if revision == 0:
        try:
            connection.execute(insert(directory_revision), {"id": 1, "revision": 1})
        except IntegrityError:
            raise moved from None
        return
    step = update(directory_revision).where(
        directory_revision.c.id == 1, directory_revision.c.revision == revision
    )
    if connection.execute(step.values(revision=revision + 1)).rowcount != 1:
        raise moved


def _government(connection: Connection) -> Government:
    return Government.of(
        (Unit(row.path, row.name, row.parent or "", row.names) for row in connection.execute(select(units))),
        (
            Post(row.id, row.unit, row.title, row.rank, row.position)
            for row in connection.execute(select(posts))
        ),
        (_official(row) for row in connection.execute(select(officials))),
    )


def _official(row: Row[Any]) -> Official:
    jid, name, post, names, mail, phone, standing, valid_from, valid_until, held = row
    local, _, domain = jid.rpartition("@")
    return Official(
        Address(domain, local),
        name,
        post or "",
        names,
        mail,
        phone,
        Standing(standing),
        valid_from,
        valid_until,
        held,
    )


def _table(entry: Entry) -> Table:
    return units if isinstance(entry, Unit) else posts if isinstance(entry, Post) else officials


def _values(entry: Entry) -> dict[str, object]:
    if isinstance(entry, Unit):
        return {
            "path": entry.path,
            "name": entry.name,
            "parent": entry.parent or None,
            "names": dict(entry.names),
        }
    if isinstance(entry, Post):
        return {
            "id": entry.id,
            "unit": entry.unit,
            "title": entry.title,
            "rank": entry.rank,
            "position": entry.order,
        }
    return {
        "jid": str(entry.address),
        "name": entry.name,
        "post": entry.post or None,
        "names": dict(entry.names),
        "mail": entry.mail,
        "phone": entry.phone,
        "standing": entry.standing.value,
        "valid_from": entry.valid_from,
        "valid_until": entry.valid_until,
        "held": entry.held,
    }
