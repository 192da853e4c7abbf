"""Proofs that one entry is in a log, as a text that anyone checks offline (C2SP tlog-proof).

Knows the format, and how leaf, path and signed checkpoint hang together. Refuses to know witnesses' policies
and what an entry means: the caller brings the entry's bytes and the key that it trusts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apostille.tlog.checkpoint import Checkpoint, CheckpointError, decimal, verified
from apostille.tlog.merkle import HASH, ProofError, leaf_hash, verify_inclusion
from apostille.tlog.note import LIMIT, NoteError, Verifier, decode, encode

FIRST_LINE = "c2sp.org/tlog-proof@v1"
DEPTH = 63
"""Hashes of the longest path."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof taken apart; nothing in it is to be believed before `verify`.

    Attributes:
        index: of the entry, from 0.
        path: hashes from the leaf's sibling upwards.
        checkpoint: the signed note, verbatim.
        extra: opaque bytes that nothing vouches for; empty when there are none.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = b""

    @property
    def text(self) -> str:
        """The proof in its file format (`.tlog-proof`)."""
        lines = [FIRST_LINE]
        if self.extra:
            lines.append(f"extra {encode(self.extra)}")
        lines += [f"index {self.index}", *map(encode, self.path), "", self.checkpoint]
        return "\n".join(lines)


def parse(text: str | bytes) -> Proof:
    """Take a proof apart without believing it.

    Raises:
        ProofError: it is misspelled.
    """
    if len(text) > LIMIT * 2:
        raise ProofError("the proof is too long")
    try:
        whole = text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError:
        raise ProofError("the proof is not UTF-8") from None
    head, blank, checkpoint = whole.partition("\n\n")
    lines = head.split("\n")
    if not blank or lines.pop(0) != FIRST_LINE:
        raise ProofError(f"a proof begins with {FIRST_LINE}, and an empty line precedes its checkpoint")
    extra = b""
    try:
        if lines and lines[0].startswith("extra "):
            extra = decode(lines.pop(0).removeprefix("extra "))
            if not extra:
                raise ProofError("an extra line without data")
        if not lines or not lines[0].startswith("index "):
            raise ProofError("the line with the index is missing")
        index = decimal(lines.pop(0).removeprefix("index "))
        path = tuple(map(decode, lines))
    except (NoteError, CheckpointError) as error:
        raise ProofError(f"in the proof: {error}") from None
    if len(path) > DEPTH or any(len(one) != HASH for one in path):
        raise ProofError("the path of the proof is not made of hashes, or too long")
    return Proof(index, path, checkpoint, extra)


def verify(text: str | bytes, data: bytes, vkeys: Sequence[str]) -> tuple[int, Checkpoint]:
    """Check that the log holds the entry.

    Args:
        text: the proof.
        data: the entry's bytes, as the log hashed them.
        vkeys: verifier keys of the logs that are trusted; origin and key have to belong together.

    Returns:
        The entry's index, and the checkpoint that vouches for it.

    Raises:
        ProofError: the proof is misspelled, or it does not prove that.
        NoteError: a verifier key is misspelled, or the checkpoint is not signed by one of the keys.
        CheckpointError: the signed text is no checkpoint.
    """
    proof = parse(text)
    origin = proof.checkpoint.partition("\n")[0]
    trusted = [one for one in map(Verifier.parse, vkeys) if one.name == origin]
    if not trusted:
        raise ProofError("the checkpoint is that of a log that is not trusted")
    failure: NoteError | None = None
    for verifier in trusted:
        try:
            checkpoint = verified(proof.checkpoint, verifier)
        except NoteError as error:
            failure = error
            continue
        verify_inclusion(leaf_hash(data), proof.index, checkpoint.size, proof.path, checkpoint.root)
        return proof.index, checkpoint
    raise failure or NoteError("no trusted key signed the checkpoint")
