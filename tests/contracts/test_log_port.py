"""What every storage of a log has to do, run over the double and over SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Protocol

import pytest
from sqlalchemy import Engine, LargeBinary, Table, delete, select, text, update

from apostille.database import metadata, open_database
from apostille.ledger import store
from apostille.ledger.labels import FOLD, HASH, LABEL, LOOSE, Segment, label
from apostille.ledger.rules import Batch, Between, Entry, Found, Overtaken
from apostille.ledger.service import Ledger, Log
from apostille.ledger.store import SqlLog
from apostille.ledger.verification import verify
from apostille.tlog.tiles import Tile
from apostille.vocabulary import Fault
from doubles_ledger import MemoryLog, signer

KEY = signer()
STATEMENTS = ["UPDATE ON ledger_checkpoints", "DELETE ON ledger_labels"]
STATEMENTS += [f"INSERT ON ledger_{table}" for table in ("entries", "openings", "labels", "tiles")]
LABELS = label("f", "v") + bytes([0, 0, 0, 1])


class Bench(Protocol):
    """A log, and a back door into what it stores: `(kind, place)` to bytes."""

    @property
    def log(self) -> Log: ...
    def stored(self) -> dict[tuple[str, tuple[int, ...]], bytes]: ...
    def damage(self, kind: str, place: tuple[int, ...], data: bytes | None) -> None: ...
    def point(self, kind: str, old: int, new: int) -> None: ...


class MemoryBench:
    def __init__(self) -> None:
        self.log = MemoryLog()

    def stored(self) -> dict[tuple[str, tuple[int, ...]], bytes]:
        now = self.log.now
        rows: dict[tuple[str, tuple[int, ...]], bytes] = {("checkpoint", ()): now.note}
        rows |= {("entry", (index,)): data for index, data in now.data.items()}
        return rows | {("tile", place): data for place, data in now.tiles.items()}

    def damage(self, kind: str, place: tuple[int, ...], data: bytes | None) -> None:
        now = self.log.now
        if kind == "checkpoint":
            now.note = data or b""
            return
        rows: dict[object, bytes] = now.data if kind == "entry" else now.tiles  # type: ignore[assignment]
        key: object = place[0] if kind == "entry" else place
        if data is None:
            del rows[key]
        else:
            rows[key] = data

    def point(self, kind: str, old: int, new: int) -> None:
        now = self.log.now
        if kind == "lookup":
            now.labels = [replace(one, data=pointed(one.data, old, new)) for one in now.labels]
        else:
            now.openings[new] = now.openings.pop(old)


class SqlBench:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.log = SqlLog(engine)

    def stored(self) -> dict[tuple[str, tuple[int, ...]], bytes]:
        with self.engine.connect() as connection:
            rows: dict[tuple[str, tuple[int, ...]], bytes] = {}
            note = connection.scalar(select(store.checkpoints.c.note))
            rows |= {} if note is None else {("checkpoint", ()): note}
            rows |= {("entry", (row[0],)): row[1] for row in connection.execute(select(store.entries))}
            return rows | {("tile", (row[0], row[1])): row[2] for row in connection.execute(select(store.tiles))}

    def damage(self, kind: str, place: tuple[int, ...], data: bytes | None) -> None:
        table: Table = {"checkpoint": store.checkpoints, "entry": store.entries, "tile": store.tiles}[kind]
        key = list(table.primary_key.columns)
        where = [column == value for column, value in zip(key, place or (1,), strict=True)]
        blob = next(column for column in table.columns if isinstance(column.type, LargeBinary))
        with self.engine.begin() as connection:
            if data is None:
                connection.execute(delete(table).where(*where))
            elif not connection.execute(update(table).where(*where).values({blob: data})).rowcount:
                values = dict(zip((column.name for column in key), place or (1,), strict=True))
                connection.execute(table.insert().values(**values, **{blob.name: data}))

    def point(self, kind: str, old: int, new: int) -> None:
        with self.engine.begin() as connection:
            if kind == "opening":
                connection.execute(update(store.openings).where(store.openings.c.index == old).values(index=new))
                return
            for first, data in connection.execute(select(store.labels.c.first, store.labels.c.data)):
                connection.execute(update(store.labels).where(store.labels.c.first == first).values(data=pointed(data, old, new)))


def pointed(labels: bytes, old: int, new: int) -> bytes:
    """The same labels, with those of one entry pointing at another."""
    parts = [labels[at : at + LABEL] for at in range(0, len(labels), LABEL)]
    low = {place: place.to_bytes(LABEL - HASH, "big") for place in (old, new)}
    return b"".join(one[:HASH] + (low[new] if one[HASH:] == low[old] else one[HASH:]) for one in parts)


@pytest.fixture(params=["memory", "sqlite"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "memory":
        yield MemoryBench()
        return
    engine = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    metadata.create_all(engine)
    yield SqlBench(engine)
    engine.dispose()


def entries(count: int) -> list[Entry]:
    return [
        Entry(f"entry {n}".encode(), (("from", f"p{n % 3}"), ("to", f"q{n % 2}"), ("n", f"{n:03}")), bytes([n % 251]) * 32, n)
        for n in range(count)
    ]


def test_what_was_appended_is_read_back(bench: Bench) -> None:
    batch = Batch("", "note", ((0, b"a"), (1, b"")), (Tile(0, 0, b"x" * 64),), Segment(LOOSE, 0, 2, 5, 6, LABELS), ((1, b"s" * 32),))
    bench.log.append(batch)
    with bench.log.view() as view:
        assert view.checkpoint() == "note"
        assert list(view.entries(0, 9)) == [(0, b"a"), (1, b"")]
        assert (view.tile(0, 0), view.tile(0, 1), view.tile(1, 0)) == (b"x" * 64, b"", b"")
        assert (view.opening(0), view.opening(1)) == (b"", b"s" * 32)
        assert view.search([label("f", "v")], None) == [(1, b"", b"s" * 32)]
        assert view.search([label("f", "v"), label("f", "w")], None) == []
        assert list(view.beyond(2)) == []
        assert {name for name, _ in view.beyond(0)} == {"entry", "opening of entry", "lookup of entry", "tile 0"}


def test_a_tile_is_rewritten_in_place(bench: Bench) -> None:
    bench.log.append(Batch("", "one", (), (Tile(0, 0, b"x" * 32),)))
    bench.log.append(Batch("one", "two", (), (Tile(0, 0, b"y" * 64), Tile(0, 1, b"z" * 32))))
    with bench.log.view() as view:
        assert (view.tile(0, 0), view.tile(0, 1)) == (b"y" * 64, b"z" * 32)


def test_a_batch_that_builds_on_another_checkpoint_changes_nothing(bench: Bench) -> None:
    bench.log.append(Batch("", "one", ((0, b"a"),)))
    before = bench.stored()
    for replaces in ("", "zero", "one "):
        with pytest.raises(Overtaken):
            bench.log.append(Batch(replaces, "two", ((1, b"b"),)))
    assert bench.stored() == before


def test_a_batch_that_fails_halfway_changes_nothing(bench: Bench) -> None:
    bench.log.append(Batch("", "one", ((0, b"a"),)))
    before = bench.stored()
    with pytest.raises(Fault):
        bench.log.append(Batch("one", "two", ((0, b"again"),), (Tile(0, 0, b"x" * 32),)))
    assert bench.stored() == before


def test_a_view_does_not_move_while_a_writer_appends(bench: Bench) -> None:
    ledger = Ledger(bench.log, KEY)
    ledger.append(entries(2))
    with bench.log.view() as view:
        before = view.checkpoint()
        ledger.append(entries(3))
        assert view.checkpoint() == before
        assert len(list(view.entries(0, 99))) == 2
        assert len(view.tile(0, 0)) == 64


def test_entries_are_found_by_one_by_several_and_by_a_range(bench: Bench) -> None:
    ledger = Ledger(bench.log, KEY)
    ledger.append(entries(30))
    assert [one.index for one in ledger.find("from", "p1")] == list(range(1, 30, 3))
    assert [one.index for one in ledger.find_all(("from", "p1"), ("to", "q0"))] == [4, 10, 16, 22, 28]
    assert ledger.find("from", "nobody") == []
    found = ledger.find("n", "007")[0]
    assert (found.data, found.opening) == (b"entry 7", b"\7" * 32)


def test_of_another_time_nothing_is_found_and_of_the_asked_one_everything(bench: Bench) -> None:
    ledger = Ledger(bench.log, KEY)
    for number in range(9):
        ledger.append([Entry(b"", (("f", "v"),), b"", number)])
    for low, high in [(2, 5), (0, 1), (8, 99), (-5, 0), (9, 10), (4, 4)]:
        assert [one.index for one in ledger.find_all(("f", "v"), between=Between(low, high))] == list(range(9))[max(low, 0) : max(high, 0)]


def test_a_search_that_finds_too_much_is_put_right_by_who_can_read(bench: Bench) -> None:
    ledger = Ledger(bench.log, KEY, reads=lambda data: Found((("f", data.decode()),), len(data)) if data else None)
    ledger.append([Entry(data, (("f", "v"),), b"", 1) for data in (b"v", b"w", b"")])
    assert [one.data for one in ledger.find("f", "v")] == [b"v", b""]  # what cannot be read is damage, and must be heard of
    assert [one.data for one in ledger.find_all(("f", "v"), between=Between(0, 2))] == [b"v", b""]
    assert [one.data for one in ledger.find_all(("f", "v"), between=Between(0, 1))] == []


@pytest.mark.parametrize("size", [1, 100, 5000])
def test_entries_are_found_before_and_after_their_labels_are_sorted(bench: Bench, size: int) -> None:
    ledger, count = Ledger(bench.log, KEY), 2 * FOLD + 200
    some = [Entry(b"%d" % n, (("id", f"i{n}"), ("mod", f"{n % 7}")), b"", n) for n in range(count)]
    if size == 1:
        some, count = some[: FOLD + 200], FOLD + 200
        ledger.append(some[: FOLD - 100])
        for one in some[FOLD - 100 :]:
            ledger.append([one])
    else:
        for first in range(0, count, size):
            ledger.append(some[first : first + size])
    for wanted in (0, 1, 255, FOLD - 1, FOLD, FOLD + 1, count - 1):
        assert [one.index for one in ledger.find("id", f"i{wanted}")] == [wanted]
    assert ledger.find("id", f"i{count}") == []
    assert [one.index for one in ledger.find("mod", "3")] == list(range(3, count, 7))
    narrow = Between(FOLD - 3, FOLD + 4)
    assert {n for n in range(FOLD - 3, FOLD + 4) if n % 7 == 3} <= {one.index for one in ledger.find_all(("mod", "3"), between=narrow)}
    assert verify(bench.log, KEY.vkey) == []


def test_writers_in_turn_continue_one_another(bench: Bench) -> None:
    writers = [Ledger(bench.log, KEY) for _ in range(3)]
    for turn, who in enumerate((0, 1, 1, 2, 0, 2, 1, 0)):
        assert writers[who].append([Entry(b"%d of %d" % (turn, who), (("turn", str(turn)),))]) == turn
    assert [one.data for turn in range(8) for one in writers[0].find("turn", str(turn))] == [
        b"%d of %d" % (turn, who) for turn, who in enumerate((0, 1, 1, 2, 0, 2, 1, 0))
    ]
    assert verify(bench.log, KEY.vkey) == []


def test_threads_with_a_writer_each_lose_nothing_and_store_nothing_twice(bench: Bench) -> None:
    places: dict[int, bytes] = {}

    def write(who: int) -> None:
        ledger = Ledger(bench.log, KEY)
        for turn in range(15):
            some = [Entry(b"%d %d %d" % (who, turn, number), (("who", str(who)),)) for number in range(1 + turn % 3)]
            places.update(enumerate((one.data for one in some), ledger.append(some)))

    threads = [Thread(target=write, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with bench.log.view() as view:
        assert dict(view.entries(0, 999)) == places
    assert len(places) == 3 * 30
    assert len(Ledger(bench.log, KEY).find("who", "1")) == 30
    assert verify(bench.log, KEY.vkey) == []


@pytest.mark.parametrize("what", STATEMENTS)
def test_an_append_that_breaks_off_at_any_statement_leaves_the_old_state(what: str, tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    metadata.create_all(engine)
    bench = SqlBench(engine)
    ledger = Ledger(bench.log, KEY)
    ledger.append([Entry(b"", (("f", "v"),))] * (FOLD - 2))
    before = bench.stored()
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TRIGGER broken BEFORE {what} BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"))
    with pytest.raises(Fault, match="the disk is full"):
        ledger.append(entries(5))
    assert bench.stored() == before
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER broken"))
    assert ledger.append(entries(5)) == FOLD - 2
    assert len(ledger.find("from", "p1")) == 2
    assert verify(bench.log, KEY.vkey) == []
    engine.dispose()


def test_every_single_byte_that_changes_is_found_and_located(bench: Bench) -> None:
    ledger = Ledger(bench.log, KEY)
    ledger.append(entries(7))
    assert verify(bench.log, KEY.vkey) == []
    for (kind, place), data in bench.stored().items():
        where = " ".join([kind, "/".join(map(str, place))]).strip()
        for at in range(len(data)):
            bench.damage(kind, place, data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
            found = verify(bench.log, KEY.vkey)
            expected = f"{where} offset {at // 32}" if kind == "tile" else where
            assert [one.where for one in found] == [expected], at
        bench.damage(kind, place, data)
    assert verify(bench.log, KEY.vkey) == []


def test_every_missing_row_and_every_row_too_many_is_found_and_located(bench: Bench) -> None:
    Ledger(bench.log, KEY).append(entries(7))
    for (kind, place), data in bench.stored().items():
        bench.damage(kind, place, None)
        where = " ".join([kind, "/".join(map(str, place))]).strip()
        assert [one.where for one in verify(bench.log, KEY.vkey)] == [where]
        bench.damage(kind, place, data)
    more = {("entry", (7,)): "entry 7", ("entry", (-1,)): "entry -1", ("tile", (0, 1)): "tile 0/1", ("tile", (1, 0)): "tile 1/0"}
    for (kind, place), where in more.items():
        bench.damage(kind, place, b"x" * 32)
        assert [one.where for one in verify(bench.log, KEY.vkey)] == [where]
        bench.damage(kind, place, None)
    assert verify(bench.log, KEY.vkey) == []


@pytest.mark.parametrize(
    ("kind", "nowhere"), [("lookup", 7), ("lookup", 2**32 - 1), ("opening", 7), ("opening", -1), ("opening", 2**40)]
)
def test_a_lookup_or_opening_that_points_nowhere_is_found(bench: Bench, kind: str, nowhere: int) -> None:
    Ledger(bench.log, KEY).append(entries(7))
    bench.point(kind, 3, nowhere)
    findings = verify(bench.log, KEY.vkey)
    assert [(one.where, one.text) for one in findings] == [(f"{kind} of entry {nowhere}", "points at no entry")]


def test_a_database_without_tables_is_a_fault_and_no_traceback(tmp_path: Path) -> None:
    log = SqlLog(open_database(f"sqlite:///{tmp_path / 'empty.db'}"))
    with pytest.raises(Fault, match="no such table"):
        Ledger(log, KEY)
    with pytest.raises(Fault, match="no such table"):
        log.append(Batch("", "note"))


def test_rows_of_a_wrong_type_are_damage_and_no_traceback(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    metadata.create_all(engine)
    Ledger(SqlLog(engine), KEY).append(entries(3))
    with engine.begin() as connection:
        connection.execute(text("UPDATE ledger_entries SET data = 'text' WHERE \"index\" = 1"))
        connection.execute(text("UPDATE ledger_labels SET stop = 'x'"))
        connection.execute(text("INSERT INTO ledger_tiles VALUES (0, 'x', 'y')"))
    found = {one.where for one in verify(SqlLog(engine), KEY.vkey)}
    assert found == {"entry 1", "lookup of entry -1", "tile 0/-1"}
