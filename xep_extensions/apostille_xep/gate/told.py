"""`apostille:gate:0`: what a host has said on its stream that holds for its later questions (spec.md section 5, rule 10).

Knows who announces which devices and who is in which room; refuses to know what follows from it. The host keeps it small: it says
what may be forgotten.
"""

from __future__ import annotations

from typing import NamedTuple


class Announced(NamedTuple):
    """Which devices an account announces, in either version of OMEMO; None: in that one it announces nothing."""

    legacy: tuple[int, ...] | None
    modern: tuple[int, ...] | None


class Member(NamedTuple):
    """Somebody who can read what is said in a room; `devices` is None where the server does not know them."""

    jid: str
    devices: Announced | None


class Told:
    """What one host has said so far on one stream."""

    __slots__ = ("_members", "_rooms", "devices")

    def __init__(self) -> None:
        self.devices: dict[str, Announced] = {}
        self._rooms: dict[str, tuple[str, ...]] = {}
        self._members: dict[str, tuple[Member, ...]] = {}  # of the rooms that were asked for since anybody's devices changed

    def members(self, room: str) -> tuple[Member, ...] | None:
        """Who can read what is said in a room, None where that was not told; the same object as long as nothing changes."""
        found = self._members.get(room)
        if found is None and (jids := self._rooms.get(room)) is not None:
            found = self._members[room] = tuple([Member(jid, self.devices.get(jid)) for jid in jids])
        return found

    def announces(self, jid: str, announced: Announced) -> None:
        """What the account of a bare JID announces from here on."""
        self.devices[jid] = announced
        self._members.clear()

    def comprises(self, room: str, jids: tuple[str, ...] | None) -> None:
        """Who is in a room from here on; None: that is not known."""
        self._members.pop(room, None)
        if jids is None:
            self._rooms.pop(room, None)
        else:
            self._rooms[room] = jids

    def forget_rooms(self) -> None:
        """Of no room it is known any more."""
        self._rooms.clear()
        self._members.clear()
