"""The one place that smooths slixmpp: addresses, a component that stays connected, and refusals as stanza errors.

Knows the XMPP library's habits; refuses to know what any room says over it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from slixmpp import ComponentXMPP

from apostille.vocabulary import Reason

log = logging.getLogger(__name__)

# Reason of a Refusal -> type and condition of the stanza error (RFC 6120 section 8.3).
STANZA_ERRORS = {
    Reason.MALFORMED: ("modify", "bad-request"),
    Reason.FORBIDDEN: ("auth", "forbidden"),
    Reason.UNKNOWN: ("cancel", "item-not-found"),
    Reason.CONFLICT: ("cancel", "conflict"),
    Reason.UNAVAILABLE: ("wait", "resource-constraint"),
}


class Component(ComponentXMPP):
    """An external component (XEP-0114) that connects, and connects again whenever the server went away.

    `fix_error_ns` mends the namespace of stanza errors, for the whole process: never run a client beside a component.
    """

    def __init__(self, jid: str, secret: str, host: str, port: int) -> None:
        super().__init__(jid, secret, host, port, fix_error_ns=True)  # type: ignore[no-untyped-call]
        self.enable_direct_tls = False  # the component port speaks plain XML, on loopback or a private network
        self._stopping = asyncio.Event()
        self._longest_pause = 2  # slixmpp doubles and adds one: never more than 5 seconds
        self.add_event_handler("session_start", self._on_start)
        self.add_event_handler("disconnected", self._on_disconnected)
        self.add_event_handler("stream_error", self._on_stream_error)

    async def serve(self) -> None:
        """Stay connected until `stop`."""
        self.connect()
        await self._stopping.wait()
        await self.disconnect(wait=1.0)

    def stop(self) -> None:
        """Let `serve` end."""
        self._stopping.set()

    def reschedule_connection_attempt(self) -> Any:
        """Try again soon: while the gate is away, nobody's message is delivered."""
        self._connect_loop_wait = min(self._connect_loop_wait, self._longest_pause)
        return super().reschedule_connection_attempt()

    def _on_start(self, _event: Any) -> None:
        log.info("%s: connected", self.boundjid)

    def _on_stream_error(self, error: Any) -> None:
        log.error("%s: the server closed the stream: %s %s", self.boundjid, error["condition"], error["text"])

    def _on_disconnected(self, reason: Any) -> None:
        if not self._stopping.is_set():
            log.warning("%s: connection lost (%s); connecting again", self.boundjid, reason or "closed by the server")
            self.loop.call_later(0.2, self._again)

    def _again(self) -> None:
        if not self._stopping.is_set() and not self.transport:
            self.connect()
