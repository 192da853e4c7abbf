"""Checking a whole stored ledger, and saying where it is damaged.

Knows how entries, tiles and the signed checkpoint have to fit. Trusts the public key and nothing that is
stored; refuses to repair. Memory stays the same for any number of entries: one path of tiles from the root
down.

From the signed root downwards, each tile is either what its parent's hash stands for, or damaged. A damaged
one is settled from what lies below it (tiles or entries), as long as that leads to the parent's hash; so a
changed tile and a changed entry are told apart. What cannot be settled is reported as such.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from apostille.ledger.rules import Finding
from apostille.ledger.service import Log, View
from apostille.tlog import merkle
from apostille.tlog.checkpoint import Checkpoint, CheckpointError, verified
from apostille.tlog.note import NoteError, Verifier
from apostille.tlog.tiles import WIDTH, TileError, edge_widths, node_reader, peaks, row, split

Progress = Callable[[int, int], None]
"""Told of (entries checked, entries in all), about once for each 256."""

DOUBTS = 10
"""Hashes of one tile that may be doubtful before it cannot be settled: all mixtures of them are tried."""

_Hashes = list[bytes | None]
_Proves = Callable[[Sequence[bytes]], bool]


def verify(log: Log, vkey: str, progress: Progress | None = None, known: Sequence[str] = ()) -> list[Finding]:
    """Derive the tree anew and compare it with everything that is stored.

    Lookups and openings are not in the tree: of them only rows that point at no entry are found.

    Args:
        log: what to check; looked at in one snapshot.
        vkey: the log's verifier key.
        progress: told how far it is.
        known: checkpoints (signed notes) that somebody kept from earlier. The stored tree has to contain each
            of them; without any, a ledger that was cut back to an earlier signed state looks whole.

    Returns:
        What is wrong, empty when nothing is. Neighbours with the same fault are one finding.

    Raises:
        NoteError: the verifier key is misspelled.
        Fault: the log cannot be read.
    """
    verifier = Verifier.parse(vkey)
    with log.view() as view:
        try:
            head = verified(view.checkpoint(), verifier)
        except (NoteError, CheckpointError) as error:
            return [Finding("checkpoint", f"{error}; nothing else can be judged without a signed root")]
        walk = _Walk(view, head, progress or (lambda _done, _all: None))
        walk.whole()
        return walk.findings() + _earlier(view, head, verifier, known)


def _earlier(view: View, head: Checkpoint, verifier: Verifier, known: Sequence[str]) -> list[Finding]:
    findings, node = [], node_reader(view.tile)
    for note in known:
        try:
            earlier = verified(note, verifier)
            where = f"known checkpoint of {earlier.size} entries"
            if earlier.size > head.size:
                findings.append(Finding(where, f"the stored ledger ends at {head.size}: it was cut back"))
            elif merkle.root(node, earlier.size) != earlier.root:
                findings.append(Finding(where, "the stored ledger does not continue it: it was written anew"))
        except (NoteError, CheckpointError) as error:
            findings.append(Finding("known checkpoint", f"{error}"))
        except TileError as error:
            findings.append(Finding(where, f"cannot be compared: {error}"))
    return findings


@dataclass(frozen=True, slots=True)
class _Settled:
    """The best knowledge of the hashes of one tile (or of the whole right edge)."""

    hashes: _Hashes
    changed: list[int]
    proven: bool


def _settle(stored: _Hashes, derive: Callable[[], _Hashes], proves: _Proves) -> _Settled:
    """Find out which hashes lead to the parent: the stored ones, those from below, or a mixture."""

    def proven(hashes: _Hashes) -> bool:
        whole = [one for one in hashes if one is not None]
        return len(whole) == len(hashes) and proves(whole)

    if proven(stored):
        return _Settled(stored, [], proven=True)
    below = derive()
    best = [old if new is None else new for old, new in zip(stored, below, strict=True)]
    if proven(best):
        return _Settled(best, _different(stored, best), proven=True)
    pairs = list(zip(stored, below, strict=True))
    doubtful = [at for at, (old, new) in enumerate(pairs) if old and new and old != new]
    if len(doubtful) <= DOUBTS:
        for choice in product(range(2), repeat=len(doubtful)):
            mixture = list(best)
            for at, which in zip(doubtful, choice, strict=True):
                mixture[at] = pairs[at][which]
            if proven(mixture):
                return _Settled(mixture, _different(stored, mixture), proven=True)
    return _Settled([old or new for old, new in pairs], [], proven=False)


def _different(stored: _Hashes, right: _Hashes) -> list[int]:
    return [at for at, (one, other) in enumerate(zip(stored, right, strict=True)) if one != other]


class _Walk:
    """One walk through a stored tree, from the root to the entries, left to right."""

    def __init__(self, view: View, head: Checkpoint, progress: Progress) -> None:
        self._view = view
        self._head = head
        self._progress = progress
        self._runs: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self._plain: list[Finding] = []

    def whole(self) -> None:
        """Check everything."""
        edge = [
            (level, row(level, self._head.size) // WIDTH, width)
            for level, width in enumerate(edge_widths(self._head.size))
            if width
        ][::-1]  # the highest level stands furthest left in the tree
        settled = self._right_edge(edge)
        at = 0
        for level, number, width in edge:
            self._below(level, number, settled.hashes[at : at + width], settled.proven)
            at += width
        for name, index in self._view.beyond(self._head.size):
            kind, text = (name, "is stored beyond the signed checkpoint")
            if name.startswith("tile "):
                kind = f"{name}/"
            elif name != "entry":
                text = "points at no entry"
            self._note(kind, index, text)
        self._progress(self._head.size, self._head.size)

    def findings(self) -> list[Finding]:
        """What was found, neighbours with one fault together."""
        found = list(self._plain)
        for (kind, text), runs in self._runs.items():
            gap = "" if kind.endswith(("/", "offset ")) else " "
            for first, last in runs:
                span = f"{first}" if first == last else f"{first}-{last}"
                found.append(Finding(f"{kind}{gap}{span}", text))
        return found

    def _note(self, kind: str, index: int, text: str) -> None:
        runs = self._runs.setdefault((kind, text), [])
        if runs and runs[-1][1] in (index - 1, index):
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))

    def _right_edge(self, edge: Sequence[tuple[int, int, int]]) -> _Settled:
        """The partial tiles, which only together lead to the root."""

        def leads_to_root(hashes: Sequence[bytes]) -> bool:
            at, tops = 0, []
            for _, _, width in edge:
                tops += peaks(hashes[at : at + width])
                at += width
            return merkle.Frontier(self._head.size, tuple(tops)).root() == self._head.root

        stored = [one for place in edge for one in self._stored(*place)]
        settled = _settle(
            stored, lambda: [one for place in edge for one in self._derived(*place)], leads_to_root
        )
        if not settled.proven:
            self._plain.append(Finding("right edge", "the stored tree does not lead to the signed root"))
        at = 0
        for level, number, width in edge:
            mine = [one - at for one in settled.changed if at <= one < at + width]
            self._report(level, number, mine, width)
            at += width
        return settled

    def _full(self, level: int, number: int, expected: bytes, proven: bool) -> None:
        """A full tile whose hash is known from the tile above."""
        settled = _settle(
            self._stored(level, number, WIDTH),
            lambda: self._derived(level, number, WIDTH),
            lambda hashes: merkle.perfect_root(hashes) == expected,
        )
        self._report(level, number, settled.changed, WIDTH)
        if not settled.proven:
            self._note(f"tile {level}/", number, "neither it nor what is below it leads to its hash above")
        self._below(level, number, settled.hashes, settled.proven and proven)

    def _below(self, level: int, number: int, hashes: _Hashes, proven: bool) -> None:
        """What a settled tile stands over: tiles, or entries."""
        start = number * WIDTH
        if level:
            for offset, expected in enumerate(hashes):
                self._full(level - 1, start + offset, expected or b"", proven)
            return
        derived = self._derived(0, number, len(hashes))
        for index, (right, found) in enumerate(zip(hashes, derived, strict=True), start):
            if found is None:
                self._note("entry", index, "is missing")
            elif found != right and proven:
                self._note("entry", index, "was changed: the signed root vouches for another")
            elif found != right:
                self._note("entry", index, "does not fit its hash in the tile, and neither is proven")
        self._progress(start + len(hashes), self._head.size)

    def _stored(self, level: int, number: int, width: int) -> _Hashes:
        data = self._view.tile(level, number)
        if len(data) == width * merkle.HASH:
            return list(split(data))
        text = f"has {len(data)} bytes instead of {width * merkle.HASH}" if data else "is missing"
        self._note(f"tile {level}/", number, text)
        return [None] * width

    def _derived(self, level: int, number: int, width: int) -> _Hashes:
        """The hashes of a tile from what lies one level below."""
        start, hashes = number * WIDTH, list[bytes | None]([None] * width)
        if level == 0:
            for index, data in self._view.entries(start, start + width):
                hashes[index - start] = merkle.leaf_hash(data)
            return hashes
        for offset in range(width):
            data = self._view.tile(level - 1, start + offset)
            whole = len(data) == WIDTH * merkle.HASH
            lower = list[bytes | None](split(data)) if whole else self._derived(level - 1, start + offset, WIDTH)
            known = [one for one in lower if one is not None]
            if len(known) == WIDTH:
                hashes[offset] = merkle.perfect_root(known)
        return hashes

    def _report(self, level: int, number: int, changed: Sequence[int], width: int) -> None:
        if len(self._view.tile(level, number)) != width * merkle.HASH:
            return  # said already
        for offset in changed:
            self._note(f"tile {level}/{number} offset ", offset, "was changed: what is below it is proven")
