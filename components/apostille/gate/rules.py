"""What is written down of a message that passes.

Knows how facts and a verdict become a record; refuses to keep what no complaint needs: text, names of devices, errors.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from apostille.record import Body, DevicesChanged, Encrypted, Judged, commitment, resource_mark
from apostille.vocabulary import Change, Message, Verdict, bare

# An entry holds 65,535 bytes. A policy that only observes lets anything pass, so a record must fit whatever a message brings;
# the digest covers all of it all the same.
_PARTS = 4
_BODIES = 32
_DEVICES = 1200
_ID_CHARACTERS = 256

NOTICE_PAUSE = 3_600_000  # milliseconds between two notices of the same kind to the same person


_resource_mark = lru_cache(10_000)(resource_mark)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict, and the place of its record in the ledger (None: nothing is kept)."""

    verdict: Verdict
    record: int | None = None


def judged(message: Message, verdict: Verdict, at: int, salt: bytes) -> Judged:
    """The record of a message that passes at Unix time `at` (milliseconds); `salt` blinds the hashes of plaintext bodies."""
    bodies, encrypted = [], []
    for child in message.children:
        envelope = child.envelope
        if envelope is not None:
            devices = tuple([key.rid for key in envelope.keys[:_DEVICES]])
            encrypted.append(Encrypted(child.namespace, envelope.digest, envelope.sid, envelope.payload or 0, devices))
        elif child.sha256 and child.text:
            bodies.append(Body(commitment(salt, child.sha256), child.text))
    return Judged(
        at=at,
        sender=bare(message.sender),
        recipient=bare(message.recipient),
        resource=_resource_mark(message.sender),
        type=message.type,
        flow=message.flow,
        id=message.id[:_ID_CHARACTERS],
        origin_id=message.origin_id[:_ID_CHARACTERS],
        room=message.room,
        policy=verdict.rule,
        code=verdict.code,
        bodies=tuple(bodies[:_BODIES]),
        encrypted=tuple(encrypted[:_PARTS]),
    )


def changed(change: Change, verdict: Verdict, at: int) -> DevicesChanged:
    """The record of a change to somebody's OMEMO devices that passes at Unix time `at` (milliseconds)."""
    return DevicesChanged(
        at=at,
        owner=bare(change.owner),
        resource=_resource_mark(change.sender),
        flow=change.flow,
        action=change.action,
        namespace=change.namespace,
        subject=change.subject,
        devices=change.devices[:_DEVICES],
        identity=change.identity,
        policy=verdict.rule,
    )


def notice_due(last: int | None, now: int) -> bool:
    """Whether a person may be told again (both in milliseconds)."""
    return last is None or now - last >= NOTICE_PAUSE


def uncovered(served: Collection[str], exempt: Collection[str], reports: Mapping[str, Mapping[str, bool] | None]) -> list[str]:
    """Hosts that messages could pass by without being asked about, in order.

    `served` are the hosts that must have the gate; `reports` is what each said of all hosts on its server (None, or nothing: it did
    not answer, so the gate is not there). `exempt` hosts are known to be without, by the operator's own decision.
    """
    silent = {host for host in served if reports.get(host) is None}
    open_ = {host for report in reports.values() if report for host, covered in report.items() if not covered}
    return sorted((silent | open_) - set(exempt))
