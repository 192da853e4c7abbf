"""Doubles of the ports of the rosters room."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from apostille.rosters.rules import Member, digest
from apostille.vocabulary import Address, Fault


class MemoryTree:
    """The port `Tree`: members and units in memory; every `put` is a new revision."""

    def __init__(self, members: Iterable[Member] = (), units: Mapping[str, str] | None = None) -> None:
        self._members = {member.address: member for member in members}
        self._units = dict(units or {})
        self._revision = 1

    def put(self, *members: Member) -> None:
        self._members.update((member.address, member) for member in members)
        self._revision += 1

    def remove(self, address: Address) -> None:
        del self._members[address]
        self._revision += 1

    def revision(self) -> int:
        return self._revision

    def members(self) -> Iterable[Member]:
        return list(self._members.values())

    def units(self) -> Mapping[str, str]:
        return self._units


class MemoryApplied:
    """The port `Applied` in memory; `broken` makes it fail, having kept what it was given or not."""

    def __init__(self) -> None:
        self._forms: dict[Address, bytes] = {}
        self.broken: str = ""

    def digests(self) -> Mapping[Address, str]:
        return {owner: digest(form) for owner, form in self._forms.items()}

    def marks(self, owners: Collection[Address]) -> Mapping[Address, bytes]:
        return {owner: self._forms[owner] for owner in owners if owner in self._forms}

    def record(self, written: Mapping[Address, bytes | None]) -> None:
        if self.broken != "lost":
            for owner, form in written.items():
                self._forms.pop(owner, None)
                if form is not None:
                    self._forms[owner] = form
        if self.broken:
            raise Fault("the database is away")
