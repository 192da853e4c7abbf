"""The register of the directory in memory, one that falls, and one that others always change first."""

from __future__ import annotations

from collections.abc import Sequence

from apostille.directory.plan import Change, Removed
from apostille.directory.rules import Government, Official, Post, Unit
from apostille.vocabulary import Address, Fault, Reason, Refusal


class MemoryRegister:
    """Keeps the government in dictionaries; counts what it is asked."""

    def __init__(self, government: Government | None = None) -> None:
        given = government or Government()
        self._units: dict[str, Unit] = dict(given.units)
        self._posts: dict[str, Post] = dict(given.posts)
        self._officials: dict[Address, Official] = dict(given.officials)
        self._revision = 1 if government else 0
        self.polls = 0
        self.look_ups = 0
        self.rivals: list[Change] = []
        """Changes that somebody else makes just before the next `apply`."""

    def revision(self) -> int:
        self.polls += 1
        return self._revision

    def government(self) -> tuple[int, Government]:
        return self._revision, Government(dict(self._units), dict(self._posts), dict(self._officials))

    def official(self, address: Address) -> Official | None:
        self.look_ups += 1
        return self._officials.get(address)

    def line(self, post: str) -> tuple[str, ...]:
        found: list[str] = []
        path = self._posts[post].unit if post in self._posts else ""
        while path and path not in found:
            found.append(path)
            path = self._units[path].parent
        return tuple(found)

    def apply(self, changes: Sequence[Change], revision: int) -> int:
        while self.rivals:
            self._make(self.rivals.pop())
            self._revision += 1
        if revision != self._revision:
            raise Refusal(Reason.CONFLICT, "the directory has changed in the meantime")
        for change in changes:
            self._make(change)
        self._revision += 1
        return self._revision

    def _make(self, change: Change) -> None:
        entry = change.entry
        if isinstance(change, Removed):
            (self._units if isinstance(change.entry, Unit) else self._posts).pop(change.entry.key)
        elif isinstance(entry, Unit):
            self._units[entry.path] = entry
        elif isinstance(entry, Post):
            self._posts[entry.id] = entry
        else:
            self._officials[entry.address] = entry


class FallenRegister(MemoryRegister):
    """A register whose database is away while `fallen` is true."""

    fallen = False

    def revision(self) -> int:
        if self.fallen:
            raise Fault("directory: the database does not answer")
        return super().revision()

    def official(self, address: Address) -> Official | None:
        if self.fallen:
            raise Fault("directory: the database does not answer")
        return super().official(address)


class BusyRegister(MemoryRegister):
    """A register to which somebody else is always faster."""

    def apply(self, changes: Sequence[Change], revision: int) -> int:
        return super().apply(changes, revision - 1)
