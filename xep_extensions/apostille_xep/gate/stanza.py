"""`apostille:gate:0`: the stanzas of the gate's namespace, under one name.

Knows where each is read or written (spec.md beside this file says how they look); adds nothing to it.
"""

from apostille_xep.gate.question import (
    ASK,
    NAMESPACE,
    Archived,
    Change,
    Child,
    Envelope,
    Garbled,
    Key,
    Question,
    Unreadable,
    read_ask,
)
from apostille_xep.gate.told import Announced, Member, Told
from apostille_xep.gate.verdicts import (
    COVERED,
    Covered,
    Limits,
    OutageRow,
    Passed,
    Refused,
    Row,
    TextRow,
    read_covered,
    write_terms,
    write_verdicts,
)

__all__ = [
    "ASK",
    "COVERED",
    "NAMESPACE",
    "Announced",
    "Archived",
    "Change",
    "Child",
    "Covered",
    "Envelope",
    "Garbled",
    "Key",
    "Limits",
    "Member",
    "OutageRow",
    "Passed",
    "Question",
    "Refused",
    "Row",
    "TextRow",
    "Told",
    "Unreadable",
    "read_ask",
    "read_covered",
    "write_terms",
    "write_verdicts",
]
