"""A real Prosody on loopback and real clients for it: what the end-to-end tests stand on.

`rig.prosody` knows how to run a server, `rig.client` how to be a person without
encryption, `rig.omemo` how to be one with it, `rig.transports` how to be one over any transport. None of them knows Apostille.
`rig.omemo` imports AGPL code (slixmpp-omemo, oldmemo) and is therefore not imported here.
"""

from rig.client import Client, Entry, NotOnline, Refused
from rig.prosody import Prosody, ProsodyDied

__all__ = ["Client", "Entry", "NotOnline", "Prosody", "ProsodyDied", "Refused"]
