"""`apostille:gate:0`: a server asks whether messages may go on, a gate says so."""

from slixmpp.plugins.base import register_plugin

from apostille_xep.gate.plugin import Gate

register_plugin(Gate)

__all__ = ["Gate"]
