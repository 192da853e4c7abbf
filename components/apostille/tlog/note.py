"""Signed notes: text that machines sign with Ed25519 (C2SP signed-note).

Knows how a note, a signature line and a verifier key are spelled. Refuses to know what the text means, where
keys are kept and how they are made; other signature types than Ed25519 (0x01) are carried along unread, as
the format demands.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
"""The signature type of this module."""
LIMIT = 1_000_000
"""Bytes of the longest note that is read."""
SIGNATURES = 100
"""Signature lines of the longest note that is read; the format wants at least 16."""

_DASH = "\u2014 "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})")


class NoteError(ValueError):
    """A note, a signature or a verifier key that is misspelled, or a note that no trusted key signed."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line.

    Attributes:
        name: of the key.
        key_id: 32-bit number that together with the name says which key of which type.
        signature: the bytes behind the key id.
    """

    name: str
    key_id: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note taken apart; nothing in it is to be believed before a signature was checked.

    Attributes:
        text: what is signed, with its final newline.
        signatures: in the order of their lines, at least one.
    """

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with a name: what somebody who checks a note has to trust.

    Attributes:
        name: of the key; for a log, its origin.
        public: 32 bytes (RFC 8032).
    """

    name: str
    public: bytes

    def __post_init__(self) -> None:
        _expect_name(self.name)
        if len(self.public) != 32:
            raise NoteError(f"an Ed25519 public key of {len(self.public)} bytes")

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Read a verifier key (`name+hexid+base64`).

        Raises:
            NoteError: it is misspelled, not Ed25519, or its id is not that of its key.
        """
        found = _VKEY.fullmatch(vkey) if len(vkey) <= LIMIT else None
        if not found:
            raise NoteError("not a verifier key (name+id+base64)")
        key = decode(found[3])
        if key[:1] != ED25519:
            raise NoteError("the verifier key is of another type than Ed25519")
        verifier = cls(found[1], key[1:])
        if f"{verifier.key_id:08x}" != found[2]:
            raise NoteError("the id inside the verifier key is not that of its key")
        return verifier

    @property
    def key_id(self) -> int:
        """First four bytes of SHA-256 over name, newline, type and key, as a number."""
        return int.from_bytes(
            sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4], "big"
        )

    @property
    def vkey(self) -> str:
        """The key as text, the way it is published."""
        return f"{self.name}+{self.key_id:08x}+{encode(ED25519 + self.public)}"

    def accepts(self, text: str, signature: bytes) -> bool:
        """Whether the signature (64 bytes) is this key's over the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """A private key with a name: what signs notes."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        """Take a key under a name; raises NoteError when a key may not be called that."""
        self._private = private
        self._verifier = Verifier(name, private.public_key().public_bytes_raw())
        self._key_id = self._verifier.key_id.to_bytes(4, "big")

    @property
    def vkey(self) -> str:
        """The verifier key that belongs to this key."""
        return self._verifier.vkey

    def sign(self, text: str) -> str:
        """The signature line over the text, with its newline.

        Raises:
            NoteError: the text cannot be that of a note.
        """
        expect_text(text)
        return f"{_DASH}{self._verifier.name} {encode(self._key_id + self._private.sign(text.encode()))}\n"


def parse(note: str | bytes) -> Note:
    """Take a note apart without believing it.

    Raises:
        NoteError: it is misspelled, too long or has too many signatures.
    """
    if len(note) > LIMIT:
        raise NoteError(f"the note is longer than {LIMIT} bytes")
    try:
        whole = note.decode() if isinstance(note, bytes) else note
    except UnicodeDecodeError:
        raise NoteError("the note is not UTF-8") from None
    head, blank, tail = whole.rpartition("\n\n")
    text = head + "\n"
    expect_text(text)
    lines = tail.split("\n")
    if not blank or len(lines) < 2 or lines.pop():
        raise NoteError("the note does not end in signature lines")
    if len(lines) > SIGNATURES:
        raise NoteError(f"the note has more than {SIGNATURES} signatures")
    return Note(text, tuple(_signature(line) for line in lines))


def opened(note: str | bytes, verifiers: Iterable[Verifier]) -> str:
    """The text of a note that at least one of the trusted keys signed.

    Signatures of unknown keys are ignored; one bad signature in the name and id of a trusted key refuses the
    note.

    Raises:
        NoteError: the note is misspelled, or no trusted key signed it, or a signature in a trusted name is
        false.
    """
    taken = parse(note)
    known = {(one.name, one.key_id): one for one in verifiers}
    good = False
    for line in taken.signatures:
        verifier = known.get((line.name, line.key_id))
        if verifier is None:
            continue
        if not verifier.accepts(taken.text, line.signature):
            raise NoteError(f"the signature of {line.name} is false")
        good = True
    if not good:
        raise NoteError("no trusted key signed the note")
    return taken.text


def expect_text(text: str) -> None:
    """Check that the text can be signed as a note.

    Raises:
        NoteError: it lacks its final newline, holds a control character, or is not Unicode.
    """
    if not text.endswith("\n") or _CONTROL.search(text):
        raise NoteError("the text of a note ends in a newline and holds no other control character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NoteError("the text of a note is not Unicode") from None


def encode(data: bytes) -> str:
    """Standard base64 (RFC 4648 section 4)."""
    return base64.b64encode(data).decode()


def decode(text: str) -> bytes:
    """The bytes behind standard base64, of which only the one canonical spelling is read.

    Raises:
        NoteError: it is not base64 or another spelling of it.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("not base64") from None
    if encode(data) != text:
        raise NoteError("base64 that is not canonical")
    return data


def _expect_name(name: str) -> None:
    if not name or "+" in name or any(one.isspace() for one in name) or _CONTROL.search(name):
        raise NoteError("the name of a key is not empty and holds neither spaces nor plus")
    expect_text(name + "\n")


def _signature(line: str) -> Signature:
    dash, name, text = line[:2], *line[2:].partition(" ")[::2]
    if dash != _DASH:
        raise NoteError("a signature line begins with an em dash and a space")
    _expect_name(name)
    blob = decode(text)
    if len(blob) < 5:
        raise NoteError("a signature line without a signature")
    return Signature(name, int.from_bytes(blob[:4], "big"), blob[4:])
