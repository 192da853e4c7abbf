"""Every way in which messages come to one server, for tests and benches that are the same over all of them.

Knows which client speaks which transport; the server must have been made with `EVERYTHING`.
"""

from __future__ import annotations

from collections.abc import Mapping

from rig.certificates import issue
from rig.configuration import Network
from rig.prosody import Prosody
from rig.wire import Wire, WireClient
from rig.wire_http import BoshClient, WebsocketClient
from rig.wire_server import WireServer

EVERYTHING = Network(plaintext=True, http=True, federation=True, bidi=True)
TOWN = "town.example"
"""The domain that the other server speaks for, where the transport is `s2s`."""

FLOWS: Mapping[str, str] = {"plaintext": "local", "tls": "local", "bosh": "local", "websocket": "local", "s2s": "remote"}
"""Transport -> the flow that the ledger names for what comes over it."""


def wire(transport: str, prosody: Prosody, user: str, password: str) -> Wire:
    """A client, not yet online; over `s2s` it is somebody of that name at another server."""
    match transport:
        case "plaintext" | "tls":
            ca = prosody.ca if transport == "tls" else None
            return WireClient(user, prosody.domain, password, prosody.c2s_port, ca)
        case "bosh":
            return BoshClient(user, prosody.domain, password, prosody.http_port)
        case "websocket":
            return WebsocketClient(user, prosody.domain, password, prosody.http_port)
        case "s2s":
            certificates = issue(prosody.folder / TOWN, [TOWN], prosody.authority)
            return WireServer(user, TOWN, prosody.domain, prosody.s2s_port, certificates)
    raise ValueError(f"no such transport: {transport!r}; known are {', '.join(FLOWS)}")
