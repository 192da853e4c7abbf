"""Managed rosters: `apostille:roster:0`, as spec.md beside this file describes it.

Load it with `xmpp.register_plugin("apostille_rosters", module="apostille_xep.rosters")`.
"""

from slixmpp.plugins.base import register_plugin

from apostille_xep.rosters.plugin import ManagedRosters
from apostille_xep.rosters.stanza import (
    LARGEST,
    NAMESPACE,
    USUAL,
    Change,
    Item,
    Malformed,
    Outcome,
    Roster,
    TooLarge,
    outcome,
    pack,
)

register_plugin(ManagedRosters)

__all__ = [
    "LARGEST",
    "NAMESPACE",
    "USUAL",
    "Change",
    "Item",
    "Malformed",
    "ManagedRosters",
    "Outcome",
    "Roster",
    "TooLarge",
    "outcome",
    "pack",
]
