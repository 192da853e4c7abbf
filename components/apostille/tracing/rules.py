"""Evidence: what a record of the ledger proves, to what level, and what it does not.

Knows the bundle's form and how to judge one offline, trusting nothing but a public key that the judge brings along. Refuses to
claim more than is proven: the level is worked out from what was checked, never read from the bundle.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from apostille import record as records
from apostille.record import Filed, Judged
from apostille.tlog import proof as proofs
from apostille.tlog.checkpoint import Checkpoint
from apostille.tlog.note import NoteError, decode

FORMAT = "apostille-evidence/1"
MAX_BYTES = 64 * 1024 * 1024


class Level(enum.Enum):
    """How strong a piece of evidence is (docs/explanation/evidence.md)."""

    E0 = "E0"
    E2P = "E2p"


LEVEL_NAMES = {Level.E0: "metadata", Level.E2P: "plaintext opened"}


class NoBundle(ValueError):
    """Bytes that are no evidence bundle of this version."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One entry of the ledger with its inclusion proof (C2SP tlog-proof text)."""

    entry: bytes
    proof: str


@dataclass(frozen=True, slots=True)
class Item:
    """One message: its record, the records that file it under archive ids, and the salt that opens a plaintext commitment."""

    judged: Exhibit
    filed: tuple[Exhibit, ...] = ()
    salt: bytes = b""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What an auditor hands to an outsider. `vkey` is the ledger's own word for its key: compare it with what you were given."""

    vkey: str
    question: Mapping[str, str]
    items: tuple[Item, ...]
    made: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What one item of a bundle proves.

    `sound` is False if anything in it does not hold; then `faults` says what, and nothing is proven.
    """

    sound: bool
    index: int = -1
    record: Judged | None = None
    ids: tuple[tuple[str, str], ...] = ()
    level: Level = Level.E0
    proven: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """The text that somebody says was sent; None if nobody claims any."""

    text: str | None = None


def moment(milliseconds: int) -> str:
    """A time of the ledger as a person reads it, UTC."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(sep=" ", timespec="milliseconds").replace("+00:00", " UTC")
    except (OverflowError, ValueError, OSError):
        return f"{milliseconds} ms after 1970"


def judge(item: Item, vkeys: Sequence[str], claim: Claim = Claim()) -> Finding:
    """Judge one item, trusting only `vkeys`."""
    index, checkpoint, record, faults = _check(item.judged, vkeys)
    if not isinstance(record, Judged) or checkpoint is None:
        return Finding(False, faults=tuple(faults) or ("the entry is not the record of a message",))
    ids: list[tuple[str, str]] = []
    for exhibit in item.filed:
        _, _, filed, more = _check(exhibit, vkeys)
        faults += more
        mine = [(by, id_) for of, by, id_ in filed.ids if of == index] if isinstance(filed, Filed) else []
        ids += mine
        if not mine and not more:
            faults.append("an archive id that was filed for another message")
    if faults:
        return Finding(False, faults=tuple(faults))
    level, proven, unproven = _weigh(record, item.salt, claim)
    unproven.append("who sat at the keyboard: evidence is about an account and its session, not about a human being")
    unproven.append("that no copy of the ledger was replaced before this checkpoint: no witness has cosigned it")
    return Finding(True, index, record, tuple(ids), level, tuple(proven), tuple(unproven), (), checkpoint)


def _check(exhibit: Exhibit, vkeys: Sequence[str]) -> tuple[int, Checkpoint | None, records.Record | None, list[str]]:
    try:
        index, checkpoint = proofs.verify(exhibit.proof, exhibit.entry, vkeys)
        return index, checkpoint, records.read(exhibit.entry), []
    except records.Unreadable as error:
        return -1, None, None, [f"the entry cannot be read: {error}"]
    except ValueError as error:
        return -1, None, None, [f"the inclusion proof does not hold: {error}"]


def _weigh(record: Judged, salt: bytes, claim: Claim) -> tuple[Level, list[str], list[str]]:
    where = f" in the room {record.room}" if record.room else ""
    encrypted, readable = sum(one.payload for one in record.encrypted), sum(body.length for body in record.bodies)
    what = f"an encrypted message of {encrypted} bytes" if record.encrypted else f"a message of {readable} bytes in plain text"
    proven = [
        f"the account {record.sender} submitted {what} to {record.recipient}{where} at {moment(record.at)}",
        "the record of it has not been changed since the ledger signed the checkpoint",
    ]
    unproven = []
    level = Level.E0
    if claim.text is None:
        unproven.append("what the message said")
    elif _opens(record, salt, claim.text):
        if record.encrypted:
            proven.append("the claimed text stood in clear beside the encrypted part, byte for byte")
            unproven.append("what the encrypted part said")
        else:
            level = Level.E2P
            proven.append("the text of the message is the claimed one, byte for byte")
    elif record.encrypted:
        unproven.append("the claimed text: the message was end-to-end encrypted, and this evidence cannot open it (UNVERIFIED CLAIM)")
    elif not salt or not record.bodies:
        unproven.append("the claimed text: the salt that opens the commitment is not in the bundle (UNVERIFIED CLAIM)")
    else:
        unproven.append("the claimed text: it is NOT a text that the record commits to")
    return level, proven, unproven


def _opens(record: Judged, salt: bytes, text: str) -> bool:
    if len(salt) != records.SALT_BYTES:
        return False
    found = records.commitment(salt, hashlib.sha256(text.encode()).hexdigest())
    return any(hmac.compare_digest(found, body.commitment) for body in record.bodies)


# ---- the bundle's form --------------------------------------------------------------------------------------------------


def _exhibit_shape(exhibit: Exhibit) -> dict[str, str]:
    return {"entry": base64.b64encode(exhibit.entry).decode(), "proof": exhibit.proof}


def write_bundle(bundle: Bundle) -> str:
    """The bundle as JSON text."""
    items = []
    for item in bundle.items:
        shape: dict[str, Any] = _exhibit_shape(item.judged)
        if item.filed:
            shape["filed"] = [_exhibit_shape(one) for one in item.filed]
        if item.salt:
            shape["salt"] = base64.b64encode(item.salt).decode()
        items.append(shape)
    document = {"format": FORMAT, "made": bundle.made, "vkey": bundle.vkey, "question": dict(bundle.question), "items": items}
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def read_bundle(text: str | bytes) -> Bundle:
    """The bundle in JSON text.

    Raises:
        NoBundle: it is none, or one of another version.
    """
    if len(text) > MAX_BYTES:
        raise NoBundle(f"larger than {MAX_BYTES} bytes")
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise NoBundle(f"its format is {document['format']!r}; this program reads {FORMAT!r}")
        return Bundle(
            _text(document["vkey"]),
            {_text(name): _text(value) for name, value in document["question"].items()},
            tuple(map(_read_item, document["items"])),
            _text(document["made"]),
        )
    except NoBundle:
        raise
    except KeyError as error:
        raise NoBundle(f"{error} is missing") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise NoBundle(f"not an evidence bundle: {error}") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise NoBundle(f"a text was expected, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can spell a lone surrogate, no terminal can show one
        raise NoBundle("a text in it is no Unicode text") from None
    return value


def _bytes(value: object) -> bytes:
    try:
        return decode(_text(value))  # strict: one way to write the same bytes
    except NoteError as error:
        raise NoBundle(f"not base64: {error}") from None


def _read_exhibit(shape: Mapping[str, Any]) -> Exhibit:
    return Exhibit(_bytes(shape["entry"]), _text(shape["proof"]))


def _read_item(shape: Mapping[str, Any]) -> Item:
    return Item(_read_exhibit(shape), tuple(map(_read_exhibit, shape.get("filed", ()))), _bytes(shape.get("salt", "")))


@dataclass(frozen=True, slots=True)
class Report:
    """The findings about a bundle, in its order; `ok` only if there is at least one and every one is sound."""

    findings: tuple[Finding, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether everything in the bundle holds."""
        return bool(self.findings) and all(finding.sound for finding in self.findings)


def judge_bundle(bundle: Bundle, vkeys: Sequence[str], claim: Claim = Claim()) -> Report:
    """Judge every item of a bundle."""
    return Report(tuple(judge(item, vkeys, claim) for item in bundle.items))
