"""Doubles of the ledger's ports: a log in memory whose storage can fail in both ways, and keys that are always the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apostille.ledger.labels import Segment
from apostille.ledger.rules import Batch, Between, Overtaken
from apostille.tlog.note import Signer
from apostille.tlog.tiles import WIDTH, row
from apostille.vocabulary import Fault

ORIGIN = "ledger.example/apostille"


def signer(seed: int = 1, name: str = ORIGIN) -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32)))


@dataclass
class MemoryView:
    note: bytes = b""
    data: dict[int, bytes] = field(default_factory=dict)
    tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)
    labels: list[Segment] = field(default_factory=list)
    openings: dict[int, bytes] = field(default_factory=dict)

    def copy(self) -> MemoryView:
        return MemoryView(
            self.note, dict(self.data), dict(self.tiles), list(self.labels), dict(self.openings)
        )

    def checkpoint(self) -> str:
        return self.note.decode(errors="replace")

    def tile(self, level: int, number: int) -> bytes:
        return self.tiles.get((level, number), b"")

    def entries(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        for index in range(start, stop):
            if index in self.data:
                yield index, self.data[index]

    def opening(self, index: int) -> bytes:
        return self.openings.get(index, b"")

    def search(self, labels: Sequence[bytes], between: Between | None) -> list[tuple[int, bytes, bytes]]:
        of_time = [one for one in self.labels if not between or (one.until >= between.low and one.since < between.high)]
        sets = [{place for one in of_time for place in one.places(label)} for label in labels]
        return [(i, self.data[i], self.opening(i)) for i in sorted(set.intersection(*sets)) if i in self.data]

    def beyond(self, size: int) -> Iterator[tuple[str, int]]:
        strange = [("entry", i) for i in sorted(self.data)]
        strange += [("opening of entry", i) for i in sorted(self.openings)]
        strange += [("lookup of entry", i) for one in self.labels for i in replace(one, stop=min(one.stop, size)).astray()]
        yield from (one for one in strange if not 0 <= one[1] < size or "lookup" in one[0])
        for level, number in sorted(self.tiles):
            if not 0 <= number * WIDTH < row(max(level, 0), size):
                yield f"tile {level}", number


class MemoryLog:
    """A log in memory. Set `fault` to `kept` or `lost`, and the next append fails that way."""

    def __init__(self) -> None:
        self.now = MemoryView()
        self.fault = ""
        self._lock = Lock()

    @contextmanager
    def view(self) -> Iterator[MemoryView]:
        yield self.now.copy()

    def append(self, batch: Batch) -> None:
        with self._lock:
            self._append(batch)

    def _append(self, batch: Batch) -> None:
        fault, self.fault = self.fault, ""
        if fault == "lost":
            raise Fault("the disk went away before the commit")
        after = self.now.copy()
        if after.note != batch.replaces.encode():
            raise Overtaken
        for index, data in batch.entries:
            if index in after.data:
                raise Fault(f"entry {index} is there already")
            after.data[index] = data
        after.tiles |= {(tile.level, tile.number): tile.data for tile in batch.tiles}
        after.labels += [batch.labels] if batch.labels else []
        after.openings |= dict(batch.openings)
        after.note = batch.checkpoint.encode()
        self.now = after
        if fault == "kept":
            raise Fault("the disk went away after the commit")
