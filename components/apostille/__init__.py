"""Apostille: a standard XMPP server as a messenger for governments."""
