"""The register of devices in SQL.

Knows its tables and that one account is changed by one transaction at a time; refuses to know what an entry means.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Integer,
    Row,
    String,
    Table,
    and_,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from apostille.database import metadata, reading
from apostille.devices.rules import Decision, Device, Id, State, Taken
from apostille.vocabulary import Fault

_Number = BigInteger().with_variant(Integer(), "sqlite")

devices = Table(
    "devices",
    metadata,
    Column("account", String(2047), primary_key=True),
    Column("namespace", String(255), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("identity", String, nullable=False),
    Column("label", String, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_used", BigInteger, nullable=False),
    Column("session", String, nullable=False),
    Column("listed", Boolean, nullable=False),
    Column("listed_at", BigInteger, nullable=False),
    Column("keyed_at", BigInteger, nullable=False),
    Column("decision", String),
    Column("decided_at", BigInteger),
    Column("decided_by", String),
    Column("decided_means", String),
    Column("decided_identity", String),
    Column("decided_place", BigInteger),
    Column("revision", BigInteger, nullable=False, index=True),  # at which it was written
)
notices = Table(
    "devices_notices",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("recipient", String(2047), nullable=False),
    Column("text", String, nullable=False),
)
revisions = Table(
    "devices_revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Column("followed", BigInteger, nullable=False),
)

_ROW = revisions.c.id == 1
_THIS = and_(
    devices.c.account == bindparam("_account"), devices.c.namespace == bindparam("_namespace"), devices.c.number == bindparam("_number")
)


class SqlRegister:
    """The port `Register`, over SQLAlchemy."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def revision(self) -> int:
        """The number of the last change, 0 before the first; cheap."""
        with _answering(), reading(self._engine) as connection:
            return connection.scalar(select(revisions.c.revision).where(_ROW)) or 0

    def changed(self, since: int) -> list[str]:
        """The accounts with a device that changed after a revision."""
        query = select(devices.c.account).where(devices.c.revision > since).distinct()
        with _answering(), reading(self._engine) as connection:
            return list(connection.scalars(query))

    def devices(self, account: str | None = None) -> list[Device]:
        """The devices of an account, or all: by account, version and number."""
        with _answering(), reading(self._engine) as connection:
            return _devices(connection, account)

    def take(self, account: str, step: Callable[[Sequence[Device]], Taken], tell: Callable[[Taken], Sequence[tuple[str, str]]]) -> Taken:
        """Change an account's devices and keep what is to be said about it, in one transaction; nobody else changes any meanwhile."""
        with _answering(), self._engine.begin() as connection:
            if connection.dialect.name != "sqlite":  # where a transaction that writes is alone from its beginning
                connection.execute(update(revisions).where(_ROW).values(revision=revisions.c.revision))
            taken = step(_devices(connection, account))
            gone = [_key(account, id_) for id_ in (*taken.forgotten, *(one.id for one in taken.changed))]
            if gone:
                connection.execute(delete(devices).where(_THIS), gone)
                connection.execute(update(revisions).where(_ROW).values(revision=revisions.c.revision + 1))
                revision = connection.scalar(select(revisions.c.revision).where(_ROW))
                if rows := [{**_values(one), "revision": revision} for one in taken.changed]:
                    connection.execute(insert(devices), rows)
            if said := [{"recipient": to, "text": text} for to, text in tell(taken)]:
                connection.execute(insert(notices), said)
        return taken

    def use(self, used: Mapping[tuple[str, Id], int]) -> None:
        """Keep when devices were used last (Unix milliseconds); those that are not in the register are left out."""
        rows = [{**_key(account, id_), "at": at} for (account, id_), at in used.items()]
        if rows:
            with _answering(), self._engine.begin() as connection:
                older = update(devices).where(_THIS, devices.c.last_used < bindparam("at"))
                connection.execute(older.values(last_used=bindparam("at")), rows)

    def notices(self, most: int) -> list[tuple[int, str, str]]:
        """The oldest messages that are still to be said: (number, recipient, text)."""
        with _answering(), reading(self._engine) as connection:
            return [(one.id, one.recipient, one.text) for one in connection.execute(select(notices).order_by(notices.c.id).limit(most))]

    def said(self, numbers: Collection[int]) -> None:
        """Forget messages that were said."""
        if numbers:
            with _answering(), self._engine.begin() as connection:
                connection.execute(delete(notices).where(notices.c.id == bindparam("number")), [{"number": one} for one in numbers])

    def followed(self) -> int:
        """Up to when (Unix milliseconds) all entries of the ledger are surely taken in; 0 at first."""
        with _answering(), reading(self._engine) as connection:
            return connection.scalar(select(revisions.c.followed).where(_ROW)) or 0

    def follow(self, at: int) -> None:
        """Remember up to when they are."""
        with _answering(), self._engine.begin() as connection:
            connection.execute(update(revisions).where(_ROW).values(followed=at))


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise Fault(f"devices: the database does not answer as it should: {getattr(error, 'orig', None) or error}") from None


def _devices(connection: Connection, account: str | None) -> list[Device]:
    query = select(devices).order_by(devices.c.account, devices.c.namespace, devices.c.number)
    rows = connection.execute(query if account is None else query.where(devices.c.account == account))
    return [_device(row) for row in rows]


def _device(row: Row[Any]) -> Device:
    decision = None
    if row.decision is not None:
        decision = Decision(State(row.decision), row.decided_at, row.decided_by, row.decided_means, row.decided_identity, row.decided_place)
    return Device(
        account=row.account,
        id=Id(row.namespace, row.number),
        identity=row.identity,
        label=row.label,
        first_seen=row.first_seen,
        last_used=row.last_used,
        session=row.session,
        listed=row.listed,
        listed_at=row.listed_at,
        keyed_at=row.keyed_at,
        decision=decision,
    )


def _key(account: str, id_: Id) -> dict[str, object]:
    return {"_account": account, "_namespace": id_.namespace, "_number": id_.number}


def _values(device: Device) -> dict[str, object]:
    decision = device.decision
    return {
        "account": device.account,
        "namespace": device.id.namespace,
        "number": device.id.number,
        "identity": device.identity,
        "label": device.label,
        "first_seen": device.first_seen,
        "last_used": device.last_used,
        "session": device.session,
        "listed": device.listed,
        "listed_at": device.listed_at,
        "keyed_at": device.keyed_at,
        "decision": decision and decision.state.value,
        "decided_at": decision and decision.at,
        "decided_by": decision and decision.by,
        "decided_means": decision and decision.means,
        "decided_identity": decision and decision.identity,
        "decided_place": decision and decision.place,
    }
