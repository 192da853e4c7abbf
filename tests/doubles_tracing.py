"""A ledger of messages in memory, as the gate fills it and as the tracing room reads it."""

from __future__ import annotations

from collections.abc import Sequence

from apostille.bootstrap import _LedgerOfGate, _LedgerOfTracing, found_by
from apostille.gate.rules import judged
from apostille.ledger.service import Ledger
from apostille.record import Filed, Judged, Record
from apostille.tlog.note import Signer
from apostille.tracing.service import Tracing
from apostille.vocabulary import Message, Verdict
from doubles_gate import NOW
from doubles_ledger import MemoryLog, signer

KEY = signer()
OTHER = signer(2)
SALT = b"s" * 32
MADE = "2026-11-22T09:00:00+00:00"


class Archive:
    """The real ledger over a log in memory, with the two ports that the gate and the tracing room see of it."""

    def __init__(self, key: Signer = KEY) -> None:
        self.log = MemoryLog()
        self.ledger = Ledger(self.log, key, reads=found_by)
        self.tracing = Tracing(_LedgerOfTracing(self.ledger), key.vkey, lambda: MADE)
        self._gate = _LedgerOfGate(self.ledger)

    def keep(self, *records: tuple[Record, bytes]) -> int:
        return self._gate.keep(records)

    def say(self, message: Message, at: int = NOW) -> int:
        """Keep the record of a message as the gate would; its place."""
        salt = SALT if any(child.sha256 and child.text for child in message.children) else b""
        return self.keep((judged(message, Verdict(True, rule="officials"), at, salt), salt))

    def file(self, of: int, by: str, id_: str, at: int = NOW) -> int:
        return self.keep((Filed(at, ((of, by, id_),)), b""))


def texts(records: Sequence[Record]) -> list[str]:
    """The ids of messages among records."""
    return [record.id for record in records if isinstance(record, Judged)]
