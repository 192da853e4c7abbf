"""The ledger's use cases: append, find, prove.

Knows in which order things become durable and what has to agree before the ledger may go on. Refuses to know
SQL, keys and what entries mean: storage, signing and sealing are ports. `apostille.ledger.verification`
checks a whole stored ledger, `apostille.ledger.files` writes one as files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from threading import Lock
from typing import Protocol

from apostille.ledger.rules import Batch, Between, Entry, Head, Overtaken, Placed, Reads, expect, expect_lookup, fits, placed
from apostille.tlog.checkpoint import Checkpoint, CheckpointError, verified
from apostille.tlog.merkle import ProofError, inclusion, leaf_hash, verify_inclusion
from apostille.tlog.note import NoteError, Verifier
from apostille.tlog.proof import Proof
from apostille.tlog.tiles import Edge, TileError, node_reader
from apostille.vocabulary import Fault, Reason, Refusal

ATTEMPTS = 64
"""How often a writer builds anew on what another one left, before it gives up."""


class View(Protocol):
    """One unchanging look at a stored log, for as long as it is open."""

    def checkpoint(self) -> str:
        """The newest signed checkpoint; empty when there is none."""

    def tile(self, level: int, number: int) -> bytes:
        """A hash tile; empty when there is none."""

    def entries(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """(index, sealed data) of the entries that exist from `start` up to `stop`, in order."""

    def opening(self, index: int) -> bytes:
        """The salt beside an entry; empty when there is none."""

    def search(self, labels: Sequence[bytes], between: Between | None) -> list[tuple[int, bytes, bytes]]:
        """(index, sealed data, salt) of the entries with all these labels, in order.

        With `between`, entries may be left out that belong to another time, and need not be.
        """

    def beyond(self, size: int) -> Iterator[tuple[str, int]]:
        """What belongs to no log of `size` entries: (`entry`, index), ..., (`tile <level>`, number)."""


class Log(Protocol):
    """Storage of one log."""

    def view(self) -> AbstractContextManager[View]:
        """Look at the log as it is now, whatever a writer does meanwhile; may raise `Fault`."""

    def append(self, batch: Batch) -> None:
        """Make a batch durable in one transaction, or change nothing.

        Raises:
            Overtaken: the stored checkpoint is not the one that the batch replaces.
            Fault: storage failed; whether the batch was kept is unknown.
        """


class Signer(Protocol):
    """The log's key; `apostille.tlog.note.Signer` is one."""

    @property
    def vkey(self) -> str:
        """The verifier key; its name is the log's origin."""

    def sign(self, text: str) -> str:
        """A signature line over the text, with its newline."""


class Seal(Protocol):
    """How entries are made unreadable at rest; the tree is built over what is stored: sealed bytes."""

    def seal(self, index: int, data: bytes) -> bytes:
        """The bytes to store."""

    def unseal(self, index: int, data: bytes) -> bytes:
        """The entry behind stored bytes."""


class Unsealed:
    """A seal that seals nothing."""

    def seal(self, index: int, data: bytes) -> bytes:  # noqa: ARG002
        """The bytes themselves."""
        return data

    def unseal(self, index: int, data: bytes) -> bytes:  # noqa: ARG002
        """The bytes themselves."""
        return data


class Reader:
    """Finds entries and proves them, against the newest checkpoint that the log's key signed."""

    def __init__(self, log: Log, vkey: str, seal: Seal | None = None, reads: Reads | None = None) -> None:
        """Read `log`, trusting `vkey`. Only with `reads` are searches exact; else they can find more than was asked for.

        Raises:
            NoteError: the verifier key is misspelled.
        """
        self._log = log
        self._verifier = Verifier.parse(vkey)
        self._seal: Seal = seal or Unsealed()
        self._reads = reads

    def checkpoint(self) -> str:
        """The newest signed checkpoint, after its signature was checked.

        Raises:
            Fault: there is none, or the log's key did not sign it.
        """
        with self._log.view() as view:
            return self._checked(view)[0]

    def entry(self, index: int) -> Placed:
        """The entry at `index`.

        Raises:
            Refusal: (unknown) there is none.
        """
        with self._log.view() as view:
            return self._placed(index, self._stored(view, index), view.opening(index))

    def find(self, field: str, value: str) -> list[Placed]:
        """All entries with this lookup, in the order of the ledger."""
        return self.find_all((field, value))

    def find_all(self, *conditions: tuple[str, str], between: Between | None = None) -> list[Placed]:
        """All entries that have every one of these lookups and, if asked, belong to a time; in order.

        Raises:
            Refusal: (malformed) nothing was asked, or a field or value is none.
        """
        if not conditions:
            raise Refusal(Reason.MALFORMED, "a search needs at least one condition")
        labels = [expect_lookup(field, value) for field, value in conditions]
        with self._log.view() as view:
            candidates = [self._placed(*found) for found in view.search(labels, between)]
        return [one for one in candidates if self._fits(one.data, conditions, between)]

    def _fits(self, data: bytes, conditions: Sequence[tuple[str, str]], between: Between | None) -> bool:
        """Whether an entry is what was asked for; one that cannot be read is, so that damage is heard of."""
        found = self._reads(data) if self._reads else None
        return found is None or fits(found, conditions, between)

    def prove(self, index: int) -> str:
        """The proof that the newest checkpoint contains the entry, as C2SP tlog-proof text.

        It is about the stored (sealed) bytes.

        Raises:
            Refusal: (unknown) there is no such entry.
            Fault: what is stored does not prove it; `verify` says where the damage is.
        """
        return self.prove_many([index])[0]

    def prove_many(self, indices: Iterable[int]) -> list[str]:
        """A proof for each entry, all against the same checkpoint; see `prove`."""
        with self._log.view() as view:
            note, head = self._checked(view)
            node, proofs = node_reader(view.tile), []
            for index in indices:
                leaf = leaf_hash(self._stored(view, index))
                try:
                    path = inclusion(node, index, head.size)
                    verify_inclusion(leaf, index, head.size, path, head.root)
                except (ProofError, TileError) as error:
                    raise Fault(f"ledger: entry {index} cannot be proved: {error}; run verify") from None
                proofs.append(Proof(index, tuple(path), note).text)
            return proofs

    def _checked(self, view: View) -> tuple[str, Checkpoint]:
        note = view.checkpoint()
        try:
            return note, verified(note, self._verifier)
        except (NoteError, CheckpointError) as error:
            raise Fault(f"ledger: no checkpoint of {self._verifier.vkey} is stored: {error}") from None

    def _stored(self, view: View, index: int) -> bytes:
        for _, data in view.entries(index, index + 1):
            return data
        raise Refusal(Reason.UNKNOWN, f"there is no entry {index}")

    def _placed(self, index: int, data: bytes, opening: bytes) -> Placed:
        return Placed(index, self._seal.unseal(index, data), opening)


class Ledger(Reader):
    """A writer of a log. Several threads may call one, and several processes may each have one for the same log."""

    def __init__(self, log: Log, signer: Signer, seal: Seal | None = None, reads: Reads | None = None) -> None:
        """Open the log, or begin an empty one.

        Raises:
            Fault: what is stored does not lead to the checkpoint that this key signed.
            NoteError: the signer's verifier key is misspelled.
        """
        super().__init__(log, signer.vkey, seal, reads)
        self._signer = signer
        self._lock = Lock()
        try:
            self._head: Head | None = self._load()
        except Overtaken:  # another writer began it
            self._head = self._load()

    def append(self, entries: Sequence[Entry]) -> int:
        """Record entries, durably, in one transaction.

        Returns:
            The index of the first; the others follow without gaps.

        Raises:
            Refusal: (malformed) there is nothing to record; (conflict) other writers were always faster, and
            nothing was recorded.
            Fault: storage failed. Whether the entries were kept is unknown to the caller, and becomes known
            to the
                ledger before its next append: look them up before recording them again.
        """
        expect(entries)
        with self._lock:
            for _ in range(ATTEMPTS):
                try:
                    return self._appended(entries)
                except Overtaken:  # nothing was stored: build on what the other writer left
                    continue
        raise Refusal(Reason.CONFLICT, "other writers appended to the ledger all the time; nothing was recorded")

    def _appended(self, entries: Sequence[Entry]) -> int:
        head = self._head or self._load()
        first = head.edge.size
        sealed = [self._seal.seal(index, entry.data) for index, entry in enumerate(entries, first)]
        edge, batch = placed(entries, sealed, head.edge)
        self._head = None  # from here on only storage knows, until it answers
        self._head = self._commit(edge, batch, head.note)
        return first

    def _commit(self, edge: Edge, batch: Batch, replaces: str) -> Head:
        """Sign the tree with this edge and store what leads to it; raises `Overtaken` when another writer was faster."""
        unsigned = Head("", edge)
        text = unsigned.checkpoint(self._verifier.name).text
        note = f"{text}\n{self._signer.sign(text)}"
        self._log.append(replace(batch, replaces=replaces, checkpoint=note))
        # COMMIT POINT. The entries are recorded if and only if the transaction above was kept. A signed
        # checkpoint that was not kept is known to nobody: checkpoints are read from storage alone.
        return replace(unsigned, note=note)

    def _load(self) -> Head:
        """What is stored, once it agrees with what this key signed; the way to start and to recover alike."""
        with self._log.view() as view:
            stray = next(view.beyond(0), None) if not view.checkpoint() else None
            if view.checkpoint():
                note, head = self._checked(view)
                return Head(note, self._edge(view, head))
        if stray:
            raise Fault(f"ledger: {stray[0]} {stray[1]} is stored without any checkpoint; run verify")
        return self._commit(Edge(), Batch("", ""), "")

    def _edge(self, view: View, head: Checkpoint) -> Edge:
        try:
            edge = Edge.load(head.size, view.tile)
        except TileError as error:
            raise Fault(f"ledger: the right edge is damaged: {error}; run verify") from None
        if edge.frontier.root() != head.root:
            raise Fault("ledger: the stored tiles do not lead to the signed root; run verify")
        if any(True for _ in view.entries(head.size, head.size + 1)):
            raise Fault(f"ledger: entry {head.size} is stored beyond the signed checkpoint; run verify")
        return edge
