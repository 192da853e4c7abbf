"""Checkpoints: what a log signs about its tree (C2SP tlog-checkpoint).

Knows the three lines (origin, size, root) and that the origin is the name of the log's key. Refuses to know
earlier
checkpoints: whether two of them fit together is a matter of a consistency proof
    (`merkle.verify_consistency`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from apostille.tlog.merkle import EMPTY_ROOT, HASH
from apostille.tlog.note import NoteError, Verifier, decode, encode, expect_text, opened

SIZE_LIMIT = 1 << 63
"""No tree here has as many leaves as this."""

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


class CheckpointError(ValueError):
    """A signed text that is no checkpoint, or the checkpoint of another log."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a tree.

    Attributes:
        origin: which log, never empty.
        size: leaves.
        root: 32 bytes.
        extensions: further lines, opaque and discouraged.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(line and "\n" not in line for line in (self.origin, *self.extensions)):
            raise CheckpointError("a line of the checkpoint is empty")
        if not 0 <= self.size < SIZE_LIMIT:
            raise CheckpointError(f"no tree has {self.size} leaves")
        if len(self.root) != HASH or (self.size == 0 and self.root != EMPTY_ROOT):
            raise CheckpointError("the root hash is not one of a tree of this size")

    @property
    def text(self) -> str:
        """The text to be signed, with its final newline.

        Raises:
            NoteError: the origin or an extension holds what no note may hold.
        """
        text = "\n".join((self.origin, str(self.size), encode(self.root), *self.extensions)) + "\n"
        expect_text(text)
        return text


def decimal(text: str) -> int:
    """A number in the one spelling that C2SP knows: ASCII digits without leading zeroes.

    Raises:
        CheckpointError: it is spelled otherwise or is 2**63 or more.
    """
    if not _DECIMAL.fullmatch(text) or int(text) >= SIZE_LIMIT:
        raise CheckpointError("not a number")
    return int(text)


def parse(text: str) -> Checkpoint:
    """Read the text of a checkpoint, without its signatures.

    Raises:
        CheckpointError: it is misspelled.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop():
        raise CheckpointError("a checkpoint has three lines at least")
    try:
        root = decode(lines[2])
    except NoteError as error:
        raise CheckpointError(f"the root hash is {error}") from None
    return Checkpoint(lines[0], decimal(lines[1]), root, tuple(lines[3:]))


def verified(note: str | bytes, verifier: Verifier) -> Checkpoint:
    """The checkpoint in a note that this log key signed.

    Raises:
        NoteError: the note is misspelled or not signed by the key.
        CheckpointError: the signed text is no checkpoint, or its origin is not the name of the key.
    """
    checkpoint = parse(opened(note, (verifier,)))
    if checkpoint.origin != verifier.name:
        raise CheckpointError("the checkpoint is that of another log")
    return checkpoint
