"""One writer for several gates: what waits at the same moment is appended together.

Knows who waits and how to answer each; refuses to know what entries mean. Gates of other processes are at the far end of a
connection that only this machine's parent and child share. Writers that compete for one database would each wait for the others'
syncs (docs/explanation/decisions/0013).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from threading import Lock
from typing import Protocol

from apostille.ledger.rules import Entry
from apostille.vocabulary import Fault, Refusal


class Writer(Protocol):
    """Appends entries durably; `apostille.ledger.service.Ledger` is one."""

    def append(self, entries: Sequence[Entry]) -> int:
        """The index of the first; the others follow without gaps."""
        ...


class _Waiting:
    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.first: int | None = None
        self.error: Exception | None = None

    @property
    def done(self) -> bool:
        return self.first is not None or self.error is not None


class Shared:
    """A writer for many threads: whoever's turn it is appends what all of them have brought."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._waiting: list[_Waiting] = []
        self._door = Lock()
        self._turn = Lock()

    def append(self, entries: Sequence[Entry]) -> int:
        """The index of the first entry, once all of them are durable; raises what the writer raises."""
        mine = _Waiting(entries)
        with self._door:
            self._waiting.append(mine)
        with self._turn:
            if not mine.done:  # else somebody else's turn was long enough to take it along
                with self._door:
                    together, self._waiting = self._waiting, []
                self._append(together)
        if mine.error is not None:
            raise mine.error
        assert mine.first is not None  # noqa: S101 - done, and no error
        return mine.first

    def _append(self, together: Sequence[_Waiting]) -> None:
        try:
            first = self._writer.append([entry for one in together for entry in one.entries])
        except Refusal as refusal:
            if len(together) > 1:  # nothing was recorded, and only one of them may be at fault
                for one in together:
                    self._append([one])
                return
            together[0].error = refusal
        except Exception as error:
            for one in together:
                one.error = error
        else:
            for one in together:
                one.first, first = first, first + len(one.entries)


class Remote:
    """The writer at the far end of a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, entries: Sequence[Entry]) -> int:
        """The index of the first entry, once all of them are durable.

        Raises:
            Fault: the writer could not, or is gone; whether the entries were kept is unknown then.
        """
        try:
            self._connection.send([tuple(entry) for entry in entries])
            answer = self._connection.recv()
        except (OSError, EOFError):
            raise Fault("ledger: the process that writes it is gone") from None
        if not isinstance(answer, int):
            raise Fault(str(answer))
        return answer


def answer(connection: Connection, writer: Writer) -> None:
    """Append for the gate at the other end, until it is gone."""
    with suppress(OSError, EOFError), connection:
        while True:
            entries = [Entry(*parts) for parts in connection.recv()]
            try:
                reply: int | str = writer.append(entries)
            except (Fault, Refusal) as error:
                reply = str(error)
            connection.send(reply)
