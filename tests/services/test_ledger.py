"""The ledger's use cases over a log in memory."""

from __future__ import annotations

import contextlib
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apostille.ledger.files import FolderLog, export
from apostille.ledger.rules import Batch, Entry, Placed
from apostille.ledger.service import ATTEMPTS, Ledger, Reader
from apostille.ledger.verification import verify
from apostille.tlog import checkpoint, proof
from apostille.tlog.merkle import EMPTY_ROOT, Frontier, leaf_hash
from apostille.tlog.note import Verifier
from apostille.vocabulary import Fault, Reason, Refusal
from doubles_ledger import ORIGIN, MemoryLog, signer

KEY = signer()


def entries(count: int, first: int = 0) -> list[Entry]:
    return [Entry(f"entry {number}".encode(), (("n", str(number)),)) for number in range(first, first + count)]


def head(log: MemoryLog) -> checkpoint.Checkpoint:
    return checkpoint.verified(log.now.note, Verifier.parse(KEY.vkey))


def test_an_empty_ledger_begins_with_a_signed_checkpoint_of_nothing() -> None:
    log = MemoryLog()
    ledger = Ledger(log, KEY)
    assert head(log) == checkpoint.Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert ledger.checkpoint() == log.now.checkpoint()
    assert verify(log, KEY.vkey) == []


def test_the_checkpoint_is_over_exactly_the_appended_entries() -> None:
    log = MemoryLog()
    ledger, sizes = Ledger(log, KEY), [1, 255, 1, 300, 7]
    for first, size in zip([0, 1, 256, 257, 557], sizes, strict=True):
        assert ledger.append(entries(size, first)) == first
        leaves = [leaf_hash(one.data) for one in entries(first + size)]
        assert head(log).root == Frontier().extended(leaves).root()
        assert verify(log, KEY.vkey) == []


def test_a_restarted_ledger_goes_on_where_it_ended() -> None:
    log = MemoryLog()
    for first in range(0, 600, 50):
        assert Ledger(log, KEY).append(entries(50, first)) == first
    assert verify(log, KEY.vkey) == []


def test_an_entry_is_read_with_its_opening() -> None:
    ledger = Ledger(MemoryLog(), KEY)
    ledger.append([Entry(b"a"), Entry(b"b", (), b"s" * 32)])
    assert ledger.entry(1) == Placed(1, b"b", b"s" * 32)
    assert ledger.entry(0) == Placed(0, b"a", b"")
    for index in (2, -1):
        with pytest.raises(Refusal) as refusal:
            ledger.entry(index)
        assert refusal.value.reason is Reason.UNKNOWN


def test_proofs_convince_somebody_who_has_only_the_key() -> None:
    log = MemoryLog()
    ledger = Ledger(log, KEY)
    ledger.append(entries(700))
    for index, text in zip((0, 255, 256, 511, 699), ledger.prove_many([0, 255, 256, 511, 699]), strict=True):
        assert proof.verify(text, f"entry {index}".encode(), [KEY.vkey]) == (index, head(log))
    assert Reader(log, KEY.vkey).prove(3) == ledger.prove(3)
    with pytest.raises(Refusal):
        ledger.prove(700)


def test_a_damaged_ledger_gives_no_proof() -> None:
    log = MemoryLog()
    ledger = Ledger(log, KEY)
    ledger.append(entries(3))
    log.now.data[1] = b"forged"
    with pytest.raises(Fault, match="entry 1"):
        ledger.prove(1)
    log.now.tiles.clear()
    with pytest.raises(Fault, match="entry 0"):
        ledger.prove(0)


@pytest.mark.parametrize("fault", ["kept", "lost"])
def test_after_a_failed_commit_the_ledger_goes_on_with_what_was_kept(fault: str) -> None:
    log = MemoryLog()
    ledger = Ledger(log, KEY)
    ledger.append(entries(254))
    log.fault = fault
    with pytest.raises(Fault):
        ledger.append(entries(5, 254))
    kept = 5 if fault == "kept" else 0
    assert len(ledger.find("n", "256")) == (1 if kept else 0)
    assert ledger.append(entries(1, 300)) == 254 + kept
    assert verify(log, KEY.vkey) == []


class Crowded(MemoryLog):
    """A log in which, just before an append arrives, another writer has appended; as often as it is told to."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def append(self, batch: Batch) -> None:
        if self.times and batch.entries:
            self.times -= 1
            log = MemoryLog()
            log.now = self.now
            Ledger(log, KEY).append(entries(3, 1000))
            self.now = log.now
        super().append(batch)


@pytest.mark.parametrize("times", [0, 1, 2, ATTEMPTS - 1])
def test_a_writer_that_is_overtaken_builds_on_what_the_other_left(times: int) -> None:
    log = Crowded(times)
    ledger = Ledger(log, KEY)
    assert ledger.append(entries(2)) == 3 * times
    assert [one.index for one in ledger.find("n", "1")] == [3 * times + 1]
    assert ledger.append(entries(1, 2)) == 3 * times + 2
    assert len(log.now.data) == 3 * times + 3
    assert verify(log, KEY.vkey) == []


def test_a_writer_that_is_overtaken_for_ever_gives_up_and_has_recorded_nothing() -> None:
    log = Crowded(10 * ATTEMPTS)
    ledger = Ledger(log, KEY)
    with pytest.raises(Refusal) as refusal:
        ledger.append(entries(2))
    assert refusal.value.reason is Reason.CONFLICT
    assert (len(log.now.data), ledger.find("n", "1")) == (3 * ATTEMPTS, [])
    log.times = 0
    assert ledger.append(entries(2)) == 3 * ATTEMPTS
    assert verify(log, KEY.vkey) == []


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5), st.sampled_from(["", "", "kept", "lost"])), max_size=25))
def test_writers_that_take_turns_and_fail_lose_nothing_and_keep_nothing_twice(turns: list[tuple[int, int, str]]) -> None:
    log, kept = MemoryLog(), list[bytes]()
    writers = [Ledger(log, KEY) for _ in range(3)]
    for turn, (who, count, fault) in enumerate(turns):
        some = [Entry(b"%d %d" % (turn, number)) for number in range(count)]
        head = writers[who]._head
        overtaken = head is not None and head.note != log.now.checkpoint()
        log.fault = fault if not overtaken else ""
        try:
            assert writers[who].append(some) == len(kept)
        except Fault:
            assert fault
        if not log.fault and (overtaken or fault != "lost"):
            kept += [one.data for one in some]
    assert list(log.now.data.values()) == kept
    assert verify(log, KEY.vkey) == []


def test_of_two_writers_that_begin_a_ledger_at_once_one_begins_it() -> None:
    class Raced(MemoryLog):
        def append(self, batch: Batch) -> None:
            if not self.now.note:
                log = MemoryLog()
                Ledger(log, KEY).append(entries(1))
                self.now = log.now
            super().append(batch)

    assert Ledger(Raced(), KEY).append(entries(1)) == 1


@pytest.mark.parametrize("fault", ["kept", "lost"])
def test_a_ledger_that_could_not_begin_begins_at_the_next_start(fault: str) -> None:
    log = MemoryLog()
    log.fault = fault
    with pytest.raises(Fault):
        Ledger(log, KEY)
    assert Ledger(log, KEY).append(entries(1)) == 0


def test_faults_one_after_another_never_break_the_tree() -> None:
    log = MemoryLog()
    ledger = Ledger(log, KEY)
    for number in range(60):
        log.fault = ("", "kept", "lost", "kept", "", "lost", "lost")[number % 7]
        with contextlib.suppress(Fault):
            ledger.append(entries(9, number * 9))
        assert verify(log, KEY.vkey) == []


def test_a_ledger_does_not_start_on_a_checkpoint_of_another_key() -> None:
    log = MemoryLog()
    Ledger(log, KEY).append(entries(3))
    for other in (signer(2), signer(1, "other.example")):
        with pytest.raises(Fault, match="no checkpoint of"):
            Ledger(log, other)


@pytest.mark.parametrize("size", [1, 256, 300])
def test_a_ledger_does_not_start_when_its_tiles_do_not_lead_to_the_signed_root(size: int) -> None:
    log = MemoryLog()
    Ledger(log, KEY).append(entries(size))
    edge = (1, 0) if size == 256 else (0, size // 256)
    good = log.now.tiles[edge]
    for wrong in (b"", good[:-1], good + b"\0" * 32, bytes([good[0] ^ 1]) + good[1:]):
        log.now.tiles[edge] = wrong
        with pytest.raises(Fault, match="run verify"):
            Ledger(log, KEY)


def test_a_ledger_does_not_start_beside_entries_that_nothing_vouches_for() -> None:
    log = MemoryLog()
    Ledger(log, KEY).append(entries(3))
    log.now.data[3] = b"smuggled"
    with pytest.raises(Fault, match="entry 3"):
        Ledger(log, KEY)
    log.now.note = b""
    with pytest.raises(Fault, match="without any checkpoint"):
        Ledger(log, KEY)


def test_what_cannot_be_kept_is_refused_before_anything_is_stored() -> None:
    log = MemoryLog()
    ledger = Ledger(log, KEY)
    before = log.now.note
    for data, lookups, opening in [
        (b"x" * 65_536, (), b""), (b"", (), b"x" * 31), (b"", (("", "v"),), b""), (b"", (("f" * 65, "v"),), b""),
        (b"", (("\0", "v"),), b""), (b"", (("f", "\ud800"),), b""), (b"", (("\ud800", "v"),), b""),
    ]:  # fmt: skip
        with pytest.raises(Refusal) as refusal:
            ledger.append([Entry(data, lookups, opening)])
        assert refusal.value.reason is Reason.MALFORMED
    for wrong in (lambda: ledger.append([]), lambda: ledger.find_all(), lambda: ledger.find("", "v")):
        with pytest.raises(Refusal):
            wrong()
    assert log.now.note == before


def test_a_lookup_may_be_of_any_length_and_be_said_twice() -> None:
    ledger = Ledger(MemoryLog(), KEY)
    ledger.append([Entry(b"long", (("id", "x" * 100_000), ("id", "x" * 100_000))), Entry(b"y", (("id", "x" * 1025),))])
    assert [one.data for one in ledger.find("id", "x" * 100_000)] == [b"long"]


def test_sealed_entries_are_stored_sealed_and_read_open() -> None:
    class Mask:
        def seal(self, index: int, data: bytes) -> bytes:
            return bytes(one ^ index + 1 for one in data)

        def unseal(self, index: int, data: bytes) -> bytes:
            return self.seal(index, data)

    log = MemoryLog()
    ledger = Ledger(log, KEY, Mask())
    ledger.append(entries(3))
    assert log.now.data[2] != b"entry 2" == ledger.find("n", "2")[0].data
    assert proof.verify(ledger.prove(2), log.now.data[2], [KEY.vkey])[0] == 2
    assert verify(log, KEY.vkey) == []


def test_threads_that_append_at_once_each_get_their_own_places() -> None:
    log = MemoryLog()
    ledger, firsts = Ledger(log, KEY), list[int]()
    threads = [Thread(target=lambda: firsts.append(ledger.append(entries(3)))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(firsts) == list(range(0, 60, 3))
    assert verify(log, KEY.vkey) == []


@pytest.mark.parametrize("size", [0, 1, 256, 700])
def test_an_exported_ledger_is_verified_from_its_files_alone(tmp_path: Path, size: int) -> None:
    log = MemoryLog()
    ledger = Ledger(log, KEY)
    if size:
        ledger.append(entries(size))
    assert export(log, tmp_path) == size
    assert verify(FolderLog(tmp_path), KEY.vkey) == []
    if size == 700:
        names = {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()}
        assert names == {"checkpoint", "tile/1/000.p/2"} | {
            f"tile/{kind}/{number}" for kind in ("0", "entries") for number in ("000", "001", "002.p/188")
        }
        assert Reader(FolderLog(tmp_path), KEY.vkey).prove(699) == ledger.prove(699)
        bundle = tmp_path / "tile/entries/001"
        bundle.write_bytes(bundle.read_bytes().replace(b"entry 300", b"entry 3x0"))
        assert [one.where for one in verify(FolderLog(tmp_path), KEY.vkey)] == ["entry 300"]
        bundle.write_bytes(b"\xff")
        assert [one.where for one in verify(FolderLog(tmp_path), KEY.vkey)] == ["entry 256-511"]


def test_an_export_grows_with_its_ledger(tmp_path: Path) -> None:
    log = MemoryLog()
    ledger = Ledger(log, KEY)
    for first in range(0, 1000, 125):
        ledger.append(entries(125, first))
        export(log, tmp_path)
        assert verify(FolderLog(tmp_path), KEY.vkey) == []


def test_what_cannot_be_exported_is_a_fault_and_no_half_checkpoint(tmp_path: Path) -> None:
    log = MemoryLog()
    with pytest.raises(Fault, match="no checkpoint"):
        export(log, tmp_path)
    Ledger(log, KEY).append(entries(2))
    del log.now.data[1]
    with pytest.raises(Fault, match="entries are missing"):
        export(log, tmp_path)
    assert not (tmp_path / "checkpoint").exists()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Fault, match="cannot write"):
        export(log, tmp_path / "file")


def test_an_exported_ledger_is_only_read(tmp_path: Path) -> None:
    export(_log(1), tmp_path)
    for wrong in (lambda: FolderLog(tmp_path).append(Batch("", "")), lambda: Reader(FolderLog(tmp_path), KEY.vkey).find("n", "0")):
        with pytest.raises(Refusal):
            wrong()
    (tmp_path / "checkpoint").write_bytes(b"\xff")
    assert [one.where for one in verify(FolderLog(tmp_path), KEY.vkey)] == ["checkpoint"]


def _log(size: int) -> MemoryLog:
    log = MemoryLog()
    Ledger(log, KEY).append(entries(size))
    return log
