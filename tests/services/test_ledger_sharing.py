"""One writer for several gates: each hears of its own entries, and what waits together is appended together."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from multiprocessing import Pipe

import pytest

from apostille.ledger.rules import Entry
from apostille.ledger.sharing import Remote, Shared, Writer, answer
from apostille.vocabulary import Fault, Reason, Refusal


class SlowWriter:
    """A writer in memory whose appends last until `go` is set; entries named `bad` are refused, `broken` ones end in a fault."""

    def __init__(self) -> None:
        self.steps: list[list[bytes]] = []
        self.go = threading.Event()
        self.go.set()
        self.busy = threading.Event()

    @property
    def stored(self) -> list[bytes]:
        return [data for step in self.steps for data in step]

    def append(self, entries: Sequence[Entry]) -> int:
        self.busy.set()
        assert self.go.wait(10)
        found = [entry.data for entry in entries]
        if b"bad" in found:
            raise Refusal(Reason.MALFORMED, "a bad entry")
        if b"broken" in found:
            raise Fault("the disk is gone")
        first = len(self.stored)
        self.steps.append(found)
        return first


def entries(*names: str) -> list[Entry]:
    return [Entry(name.encode()) for name in names]


def together(shared: Shared, writer: SlowWriter, *loads: list[Entry]) -> list[int | Exception]:
    """What each of several threads hears that append while a first append, of `first`, is under way."""
    heard: list[int | Exception | None] = [None] * len(loads)

    def bring(place: int, load: list[Entry]) -> None:
        try:
            heard[place] = shared.append(load)
        except Exception as error:  # what is raised is what is tested
            heard[place] = error

    writer.go.clear()
    writer.busy.clear()
    threads = [threading.Thread(target=shared.append, args=(entries("first"),))]
    threads[0].start()
    assert writer.busy.wait(10)
    threads += [threading.Thread(target=bring, args=one) for one in enumerate(loads)]
    for thread in threads[1:]:
        thread.start()
    while len(shared._waiting) < len(loads):
        threading.Event().wait(0.001)
    writer.go.set()
    for thread in threads:
        thread.join(10)
    return [one for one in heard if one is not None]


def test_each_hears_the_place_of_its_own_entries_and_what_waited_is_one_append() -> None:
    writer = SlowWriter()
    heard = together(Shared(writer), writer, entries("a1", "a2"), entries("b"), entries("c1", "c2", "c3"))
    assert len(writer.steps) == 2
    for first, own in zip(heard, ([b"a1", b"a2"], [b"b"], [b"c1", b"c2", b"c3"]), strict=True):
        assert isinstance(first, int)
        assert writer.stored[first : first + len(own)] == own


def test_a_refused_load_does_not_take_the_others_with_it() -> None:
    writer = SlowWriter()
    good, bad, other = together(Shared(writer), writer, entries("good"), entries("bad"), entries("other"))
    assert isinstance(bad, Refusal)
    assert isinstance(good, int)
    assert isinstance(other, int)
    assert writer.stored[good] == b"good"
    assert writer.stored[other] == b"other"


def test_after_a_fault_nobody_is_told_that_his_entries_were_kept() -> None:
    writer = SlowWriter()
    shared = Shared(writer)
    heard = together(shared, writer, entries("a"), entries("broken"), entries("c"))
    assert [type(one) for one in heard] == [Fault] * 3
    assert writer.stored == [b"first"]
    assert shared.append(entries("again")) == 1


@pytest.fixture
def far() -> Iterator[tuple[Remote, SlowWriter]]:
    here, there = Pipe()
    writer = SlowWriter()
    thread = threading.Thread(target=answer, args=(here, writer))
    thread.start()
    with there:
        yield Remote(there), writer
    thread.join(10)
    assert not thread.is_alive(), "it outlives the gate at the other end"


def test_a_gate_in_another_process_appends_through_its_connection(far: tuple[Remote, SlowWriter]) -> None:
    remote, writer = far
    assert remote.append([Entry(b"a", (("from", "x"),), b"s" * 32, 7), Entry(b"b")]) == 0
    assert remote.append(entries("c")) == 2
    assert writer.stored == [b"a", b"b", b"c"]


@pytest.mark.parametrize(("name", "words"), [("bad", "a bad entry"), ("broken", "the disk is gone")])
def test_what_the_writer_says_reaches_the_gate_as_a_fault_and_it_goes_on(far: tuple[Remote, SlowWriter], name: str, words: str) -> None:
    remote, _ = far
    with pytest.raises(Fault, match=words):
        remote.append(entries(name))
    assert remote.append(entries("next")) == 0


def test_a_gate_whose_writer_is_gone_says_so() -> None:
    here, there = Pipe()
    here.close()
    remote: Writer = Remote(there)
    with pytest.raises(Fault, match="is gone"):
        remote.append(entries("a"))
