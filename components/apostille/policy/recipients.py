"""Who could read this: the devices that a message is encrypted for, against those of the accounts that should read it.

Knows what OMEMO shows of a message (XEP-0384: the sender's device, a key for each recipient's) and what is known of accounts; refuses
to know who keeps that. What it cannot know it says, and never takes for good.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from apostille.policy.envelopes import OMEMO_2
from apostille.vocabulary import Envelope

_NOBODY: frozenset[int] = frozenset()


class Level(enum.Enum):
    """Which devices a rule wants a message to be encrypted for: it does not look, those announced, those approved."""

    ANY = "any"
    ANNOUNCED = "announced"
    APPROVED = "approved"


class Unknown(enum.Enum):
    """What a rule says of readers whose devices are not known."""

    REFUSE = "refuse"
    PASS = "pass"  # noqa: S105 - no password


class Known(NamedTuple):
    """What is known of one account's devices in one version of OMEMO.

    Attributes:
        announced: those on its list, none if it has no list; None if nobody here can know (an account of another server).
        approved: those that the register approves of; None if the register does not know the account.
        recent: those that came onto the list or left it within the window of grace.
        elsewhere: it announces devices in the other version.
    """

    announced: frozenset[int] | None
    approved: frozenset[int] | None = None
    recent: frozenset[int] = _NOBODY
    elsewhere: bool = False


class Part(NamedTuple):
    """One `<encrypted/>` of a message, and what is known of the sender and of everybody who should read it, by bare JID."""

    namespace: str
    envelope: Envelope
    readers: Mapping[str, Known]


class Severity(enum.Enum):
    """Whether the message could be read by whom it should not, or only less than it should; or nobody can tell."""

    GRAVE = "grave"
    SLIGHT = "slight"  # also honest clients do it: at the most a warning


class Finding(NamedTuple):
    """One thing that is not as it should be; `where` is a device's number or an account (in a room: the room)."""

    code: str
    where: str
    severity: Severity = Severity.GRAVE


_REMEMBERED = 4096  # answers
_LONGEST_REMEMBERED = 100  # keys and readers of one
_known: dict[tuple[object, ...], tuple[Finding, ...]] = {}
_ORDER = ("spoofed", "ghost", "device-unapproved", "devices-unknown", "missing")


def findings(parts: Sequence[Part], sender: str, level: Level, unknown: Unknown, room: str = "") -> tuple[Finding, ...]:
    """What is wrong with the devices of a message from bare JID `sender`, the gravest first.

    Codes: `spoofed`, the sending device is not the sender's; `ghost`, a key for a device that nobody of the readers has;
    `device-unapproved`, a key for (or a message from) one that its owner announces and nobody approved; `devices-unknown`, of a reader no
    devices are known; `missing`, a reader's device got no key. Clients leave out devices that their user does not trust or that
    have no bundle, so `missing` is slight unless the device is approved. A message for `room` names the room and not its members.
    The messages of a chat are for the same devices again and again, so an answer is remembered by everything that it follows from.
    """
    if level is Level.ANY:
        return ()
    approved, refuse = level is Level.APPROVED, unknown is Unknown.REFUSE
    if sum([len(part.envelope.keys) + len(part.readers) for part in parts]) > _LONGEST_REMEMBERED:
        return _find(parts, sender, approved, refuse, room)
    shape = (approved, refuse, sender, room, *[
        (namespace, envelope.sid, tuple(envelope.keys), tuple(readers.items())) for namespace, envelope, readers in parts
    ])  # fmt: skip
    found = _known.get(shape)
    if found is None:
        if len(_known) >= _REMEMBERED:
            _known.clear()
        found = _known[shape] = _find(parts, sender, approved, refuse, room)
    return found


def _find(parts: Sequence[Part], sender: str, approved: bool, refuse: bool, room: str) -> tuple[Finding, ...]:
    found: set[Finding] = set()
    keyed = _keyed(parts)
    for namespace, envelope, readers in parts:
        owned = {account: _owned(known, approved) for account, known in readers.items()}
        his = owned.get(sender)
        if his is not None and envelope.sid not in his:
            found.add(Finding(_code(envelope.sid, [readers[sender]], "spoofed", approved), str(envelope.sid)))
        if namespace == OMEMO_2:
            found |= _ghosts_by_account(envelope, readers, owned, approved)
        else:
            found |= _ghosts(envelope, readers, owned, approved)
        for account, known in readers.items():
            if refuse and _is_unknown(known, approved, reads=account != sender):
                found.add(Finding("devices-unknown", room or account))
            if known.announced:
                needed = _required(known, approved)
                if not needed <= keyed[""] and not needed <= _keyed_for(account, sender, parts, keyed):
                    slight = not approved or known.approved is None
                    found.add(Finding("missing", room or account, Severity.SLIGHT if slight else Severity.GRAVE))
            elif known.elsewhere and len(parts) == 1:  # his clients speak the other version only
                found.add(Finding("missing", room or account, Severity.SLIGHT))
        if refuse and sender not in readers:
            found.add(Finding("devices-unknown", room or sender))
    return tuple(sorted(found, key=_rank)) if found else ()


def _owned(known: Known, approved: bool) -> frozenset[int] | None:
    """The devices that may be an account's; None: any may. A list that just changed does not make a device approved."""
    if approved and known.approved is not None:
        return known.approved
    announced = known.announced
    return announced | known.recent if announced is not None and known.recent else announced


def _required(known: Known, approved: bool) -> frozenset[int]:
    needed = known.announced or _NOBODY
    if approved and known.approved is not None:
        needed &= known.approved
    return needed - known.recent if known.recent else needed


def _is_unknown(known: Known, approved: bool, *, reads: bool) -> bool:
    """Whether it cannot be said who would read for an account; one that announces nothing at all counts, if it is to read."""
    if known.announced is None or (approved and known.approved is None):
        return True
    return reads and not known.announced and not known.elsewhere


def _keyed(parts: Sequence[Part]) -> dict[str, set[int]]:
    """For which devices there is a key in any part, by account; under "" those of OMEMO 0.3, which names none.

    A client that speaks both versions writes each device in one of them.
    """
    keyed: dict[str, set[int]] = {"": set()}
    for namespace, envelope, _ in parts:
        if namespace != OMEMO_2:
            keyed[""].update([key.rid for key in envelope.keys])
            continue
        for key in envelope.keys:
            if key.jid:
                keyed.setdefault(key.jid, set()).add(key.rid)
    return keyed


def _keyed_for(account: str, sender: str, parts: Sequence[Part], keyed: Mapping[str, set[int]]) -> set[int]:
    found = keyed[""] | keyed.get(account, _NOBODY)
    if account == sender:
        found.update([envelope.sid for _, envelope, _ in parts])  # it needs no key for itself
    return found


_Owned = Mapping[str, frozenset[int] | None]


def _ghosts_by_account(envelope: Envelope, readers: Mapping[str, Known], owned: _Owned, approved: bool) -> set[Finding]:
    """OMEMO 2 names the account of each key: a device has to be that one's."""
    found = set()
    for key in envelope.keys:
        theirs = owned.get(key.jid, _NOBODY)
        if theirs is not None and key.rid not in theirs:
            owners = [readers[key.jid]] if key.jid in readers else []
            found.add(Finding(_code(key.rid, owners, "ghost", approved), str(key.rid)))
    return found


def _ghosts(envelope: Envelope, readers: Mapping[str, Known], owned: _Owned, approved: bool) -> set[Finding]:
    """OMEMO 0.3 names no account: a device has to be somebody's, and may be anybody's whose devices are unknown."""
    left = {key.rid for key in envelope.keys}
    for theirs in owned.values():
        if theirs is None:
            return set()
        left -= theirs
    return {Finding(_code(device, readers.values(), "ghost", approved), str(device)) for device in left}


def _code(device: int, owners: Iterable[Known], code: str, approved: bool) -> str:
    """What a device is called that none of these has: one that is announced at least is only not approved."""
    if approved and any(known.announced is not None and device in known.announced | known.recent for known in owners):
        return "device-unapproved"
    return code


def _rank(finding: Finding) -> tuple[int, bool, int, str]:
    return _ORDER.index(finding.code), finding.severity is Severity.SLIGHT, len(finding.where), finding.where
