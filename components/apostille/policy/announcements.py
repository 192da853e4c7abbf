"""Who should be able to read a message, and what is known of their devices at a moment.

Knows the lists that were announced lately, so that one which has just changed is not held against anybody: the news has to
reach other people's clients first. Refuses to know the time, and to judge.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from apostille.policy.envelopes import OMEMO_2
from apostille.policy.recipients import Known
from apostille.vocabulary import Announced, Change, Message, bare

GRACE = 300.0
"""Seconds after a change of a list, in which the devices that came and those that went are both all right."""
_MOST_LISTS = 100_000
_MOST_CHANGES = 400  # devices that came or went lately, of one list; somebody who changes his without end loses the grace
_NOBODY: frozenset[int] = frozenset()
_STRANGER = Known(None)


class Register(Protocol):
    """Which devices are approved."""

    def approved(self, account: str, namespace: str) -> frozenset[int] | None:
        """Those of an account, by bare JID, in the OMEMO version of this namespace; None if it knows nothing of the account."""
        ...


class _List:
    """One list: as it was told last, as a set, and until when which devices are in grace."""

    __slots__ = ("changed", "devices", "known", "told")

    def __init__(self, told: Collection[int]) -> None:
        self.told = told
        self.devices = frozenset(told)
        self.changed: dict[int, float] = {}
        self.known = _STRANGER  # the last answer without grace


class Announcements:
    """The lists of accounts, and what changed in them lately. The first sight of a list is no change."""

    def __init__(self, grace: float = GRACE, most: int = _MOST_LISTS) -> None:
        self._grace = grace
        self._most = most
        self._lists: dict[tuple[str, str], _List] = {}

    def heard(self, account: str, namespace: str, devices: Collection[int], now: float) -> None:
        """Somebody announces these devices at Unix time `now`."""
        self._seen(account, namespace, devices, now)

    def changed(self, change: Change, now: float) -> None:
        """Somebody is allowed to change something at Unix time `now`; only lists matter."""
        if change.subject == "list" and change.action != "configure":
            self.heard(change.owner, change.namespace, change.devices if change.action == "publish" else (), now)

    def known(self, account: str, announced: Announced | None, namespace: str, now: float, register: Register | None) -> Known:
        """What is known of an account's devices; `announced` is what the server says with the message."""
        approved = None if register is None else register.approved(account, namespace)
        if announced is None:
            return _STRANGER if approved is None else Known(None, approved)
        here, other = announced.modern or (), announced.legacy or ()
        if namespace != OMEMO_2:
            here, other = other, here
        found = self._seen(account, namespace, here, now)
        if found.changed:
            return Known(found.devices, approved, _in_grace(found, now), bool(other))
        last = found.known
        if last.announced is not found.devices or last.approved != approved or last.elsewhere is not bool(other):
            last = found.known = Known(found.devices, approved, _NOBODY, bool(other))
        return last

    def _seen(self, account: str, namespace: str, devices: Collection[int], now: float) -> _List:
        found = self._lists.get((account, namespace))
        if found is None:
            if len(self._lists) >= self._most:
                self._lists.clear()  # what is in grace just now loses it, and no more
            found = self._lists[account, namespace] = _List(devices)
        elif found.told is not devices and found.told != devices:
            before, found.told, found.devices = found.devices, devices, frozenset(devices)
            for device in before ^ found.devices:
                found.changed.pop(device, None)
                found.changed[device] = now + self._grace
            while len(found.changed) > _MOST_CHANGES:
                del found.changed[next(iter(found.changed))]
        return found


def _in_grace(found: _List, now: float) -> frozenset[int]:
    for device in [device for device, until in found.changed.items() if until <= now]:
        del found.changed[device]
    return frozenset(found.changed)


def readers(
    message: Message, namespace: str, announcements: Announcements, now: float, register: Register | None = None
) -> dict[str, Known]:
    """The sender and everybody who should be able to read a message, by bare JID, with what is known of their devices.

    Outside rooms that is the recipient, in a private message the person behind the nickname, and else all members of the room. A
    room of which nothing is known stands for itself, as an account whose devices nobody knows.
    """
    sender, recipient, room = bare(message.sender), bare(message.recipient), message.room
    who: list[tuple[str, Announced | None]] = []
    if not room or (message.type != "groupchat" and recipient != room):
        who.append((recipient, message.recipient_devices))
    elif message.members is None or message.type != "groupchat":
        who.append((room, None))
    else:
        who += [(member.jid, member.devices) for member in message.members]
    who.append((sender, message.sender_devices))
    return {jid: announcements.known(jid, devices, namespace, now, register) for jid, devices in who}


