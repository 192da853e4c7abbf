"""Rules to judge by, and what a policy of them says of a message."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from apostille.policy.classes import Side
from apostille.policy.rules import Policy, Rule
from apostille.vocabulary import Party, Verdict
from apostille_xep.gate.stanza import Question
from messages import ANNA, BORIS, CLIENT, child

ROOM = "tax@rooms.gov.example"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
"""A Sunday."""
EVERYBODY = frozenset(Party)
CHATSTATE = child("http://jabber.org/protocol/chatstates", "composing")
ERROR = child(CLIENT, "error", attributes=10, elements=2)


def rule(name: str = "officials", **fields: Any) -> Rule:
    """A rule for officials, to one another and into rooms."""
    return Rule(name, frozenset((Party.VERIFIED,)), frozenset((Party.VERIFIED, Party.ROOM)), **fields)


def judged(*rules: Rule, of: Question, sender: Party = Party.VERIFIED, recipient: Party = Party.VERIFIED) -> Verdict:
    """The verdict of a policy of these rules."""
    return Policy(rules).judge(of, Side(sender, BORIS), Side(recipient, ANNA), NOW)
