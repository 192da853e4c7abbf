"""What the ledger costs below the gate: keeping records, finding one of many, verifying all of them.

Knows how to make records as a busy government makes them; compares with the same bytes put into the same kind of database by
plain inserts, without tree, labels and signature, batch by batch in turn.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apostille import record as records
from apostille.bootstrap import _LedgerOfGate, _LedgerOfTracing, found_by
from apostille.database import metadata, open_database
from apostille.ledger.service import Ledger
from apostille.ledger.store import SqlLog
from apostille.ledger.verification import verify
from apostille.record import Encrypted, FiledId, Judged, Record, filings
from apostille.tlog.note import Signer
from benchmark.figures import Figure

BATCH = 32
PEOPLE = 1000
START = 1_795_000_000_000
_NAMESPACE = "eu.siacs.conversations.axolotl"
Kept = Sequence[tuple[Record, bytes]]


def _person() -> str:
    return f"official{secrets.randbelow(PEOPLE)}@gov.example"


def _message(at: int) -> Judged:
    sender, ident = _person(), secrets.token_hex(16)
    encrypted = Encrypted(_NAMESPACE, secrets.token_hex(32), 77, 240, (101, 102, 103, 104))
    mark = f"{hash(sender) % 16**16:016x}"
    return Judged(at, sender, _person(), mark, "chat", "local", id=ident, origin_id=ident, policy="officials", encrypted=(encrypted,))


def _batch(at: int, before: Sequence[tuple[int, Judged]]) -> list[tuple[Record, bytes]]:
    """What the gate keeps in one step: two archive ids for each message of the step before, then the messages of this one."""
    ids: list[FiledId] = [(of, by, secrets.token_urlsafe(18)) for of, one in before for by in (one.sender, one.recipient)]
    return [*((one, b"") for one in filings(at, ids)), *((_message(at), b"") for _ in range(BATCH))]


class _Bare:
    """The rival: the same bytes in a table, one durable transaction for each batch, and nothing else."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=10000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("CREATE TABLE entries (place INTEGER PRIMARY KEY, data BLOB NOT NULL)")

    def keep(self, kept: Kept) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO entries (data) VALUES (?)", [(records.write(one),) for one, _ in kept])
        self._connection.execute("COMMIT")


def _spent(work: Callable[[], object]) -> tuple[float, float]:
    """Microseconds of processor time of this thread, and seconds on the clock, for each message of a batch."""
    cpu, clock = time.thread_time(), time.monotonic()
    work()
    return (time.thread_time() - cpu) / BATCH * 1e6, (time.monotonic() - clock) / BATCH


def measure(full: bool) -> dict[str, Figure]:
    """The ledger's figures; `full` fills it with a million messages instead of fifty thousand."""
    folder = Path(tempfile.mkdtemp(prefix="apostille-bench-"))
    try:
        return _measure(folder, 1_000_000 if full else 50_000)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure(folder: Path, count: int) -> dict[str, Figure]:
    file = folder / "ledger.sqlite"
    engine = open_database(f"sqlite:///{file}")
    metadata.create_all(engine)
    key, log = Signer("gov.example/ledger", Ed25519PrivateKey.generate()), SqlLog(engine)
    ledger = Ledger(log, key, reads=found_by)
    gate, tracing, bare = _LedgerOfGate(ledger), _LedgerOfTracing(ledger), _Bare(folder / "bare.sqlite")
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    before: list[tuple[int, Judged]] = []
    wanted: list[str] = []
    for number in range(count // BATCH):
        kept, places = _batch(START + number * BATCH, before), list[int]()
        ours.append(_spent(lambda kept=kept, places=places: places.append(gate.keep(kept))))  # type: ignore[misc]
        if number % 10 == 0:
            theirs.append(_spent(lambda kept=kept: bare.keep(kept)))  # type: ignore[misc]
        before = [(place, one) for place, (one, _) in enumerate(kept, places[0]) if isinstance(one, Judged)]
        if number % (count // BATCH // 50) == 0:
            wanted.append(before[0][1].id)
    sqlite3.connect(file).execute("PRAGMA wal_checkpoint(TRUNCATE)")  # what lies in the write-ahead log belongs to the file
    size = file.stat().st_size / (count // BATCH * BATCH)

    finding = [_timed(lambda ident=ident: tracing.find("id", ident)) for ident in wanted]  # type: ignore[misc]
    person, end = "official7@gov.example", START + count
    days = [_timed(lambda other=other: tracing.between(person, f"official{other}@gov.example", START, end)) for other in range(20)]  # type: ignore[misc]
    began = time.process_time()
    findings = verify(log, key.vkey)
    verified = time.process_time() - began
    assert findings == [], findings
    entries = int(ledger.checkpoint().split("\n")[1])
    engine.dispose()

    plain, rounds = "plain inserts of the same bytes, same run", len(ours)
    cpu, bare_cpu = (statistics.median(one for one, _ in taken) for taken in (ours, theirs))
    rate, bare_rate = (1 / statistics.mean(one for _, one in taken) for taken in (ours, theirs))
    return {
        "ledger.keep_cpu_us": Figure(cpu, "us", f"{plain}: {bare_cpu:.3g}", rounds),
        "ledger.keep_cpu_mean_us": Figure(statistics.mean(one for one, _ in ours), "us", "the mean, with the sorting of labels", rounds),
        "ledger.append_per_s": Figure(rate, "1/s", f"{plain}: {bare_rate:.3g}", rounds),
        "ledger.verify_leaves_per_s": Figure(entries / verified, "1/s", "processor time, one core", 1),
        "ledger.lookup_id_ms": Figure(statistics.median(finding) * 1000, "ms", f"among {count} messages", len(finding)),
        "ledger.lookup_between_ms": Figure(statistics.median(days) * 1000, "ms", f"two people, among {count} messages", len(days)),
        "ledger.bytes_per_record": Figure(size, "B", "a message with two archive ids, all tables", 1),
    }


def _timed(work: Callable[[], Sequence[object]]) -> float:
    """Seconds of processor time of a search that has to find something or nothing, but must answer."""
    began = time.process_time()
    work()
    return time.process_time() - began
