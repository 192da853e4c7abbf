"""The one place that smooths slixmpp: addresses, a component that stays connected, and refusals as stanza errors.

Knows the XMPP library's habits; refuses to know what any room says over it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

from slixmpp import JID, ComponentXMPP, InvalidJID

from apostille.vocabulary import Address, Fault, Reason, Refusal

log = logging.getLogger(__name__)

# Reason of a Refusal -> type and condition of the stanza error (RFC 6120 section 8.3).
STANZA_ERRORS = {
    Reason.MALFORMED: ("modify", "bad-request"),
    Reason.FORBIDDEN: ("auth", "forbidden"),
    Reason.UNKNOWN: ("cancel", "item-not-found"),
    Reason.CONFLICT: ("cancel", "conflict"),
    Reason.UNAVAILABLE: ("wait", "internal-server-error"),
}

_UNSPEAKABLE = (
    " \"&'/:<>@"  # RFC 7622 section 3.3.1, without the controls; XEP-0106 section 2 escapes exactly these
)
_ESCAPES = {character: f"\\{ord(character):02x}" for character in _UNSPEAKABLE}
_ORIGINALS = {escape: character for character, escape in _ESCAPES.items()} | {"\\5c": "\\"}
_SEQUENCE = re.compile(r"\\(?:20|22|26|27|2f|3a|3c|3e|40|5c)")
# preparation lowers the case: `\2F` would become an escape on its way, so its backslash is escaped as well
_AMBIGUOUS = re.compile(r"\\(?=20|22|26|27|2[fF]|3[aA]|3[cC]|3[eE]|40|5[cC])")


_SHORT_PAUSE = 0.2  # seconds before connecting again
_LONG_PAUSE = 5.0


class Component(ComponentXMPP):
    """An external component (XEP-0114) that connects, and connects again whenever the server went away.

    `fix_error_ns` mends the namespace of stanza errors, for the whole process: never run a client beside a component.
    """

    def __init__(self, jid: str, secret: str, host: str, port: int) -> None:
        super().__init__(jid, secret, host, port, fix_error_ns=True)  # type: ignore[no-untyped-call]
        self.enable_direct_tls = False  # the component port speaks plain XML, on loopback or a private network
        self._stopping = asyncio.Event()
        self._served = self._replaced = False
        self._longest_pause = 2  # slixmpp doubles and adds one: never more than 5 seconds
        self._pause = _SHORT_PAUSE
        self.add_event_handler("session_start", self._on_start)
        self.add_event_handler("disconnected", self._on_disconnected)
        self.add_event_handler("stream_error", self._on_stream_error)

    async def serve(self) -> None:
        """Stay connected until `stop`."""
        self.connect()
        await self._stopping.wait()
        await self.disconnect(wait=1.0)
        if self._replaced:
            raise Fault(f"{self.boundjid}: another process has logged in as this component; this one ends, so that the two do not fight")

    def stop(self) -> None:
        """Let `serve` end."""
        self._stopping.set()

    def reschedule_connection_attempt(self) -> Any:
        """Try again soon: while the gate is away, nobody's message is delivered."""
        self._connect_loop_wait = min(self._connect_loop_wait, self._longest_pause)
        return super().reschedule_connection_attempt()

    def _on_start(self, _event: Any) -> None:
        log.info("%s: connected", self.boundjid)
        self._served = True
        self._pause = _SHORT_PAUSE

    def _on_stream_error(self, error: Any) -> None:
        log.error("%s: the server closed the stream: %s %s", self.boundjid, error["condition"], error["text"])
        self._pause = _LONG_PAUSE  # a wrong secret, for example: nothing that a moment mends
        if error["condition"] == "conflict" and self._served:
            self._replaced = True
            self.stop()

    def _on_disconnected(self, reason: Any) -> None:
        if not self._stopping.is_set():
            log.warning("%s: connection lost (%s); connecting again", self.boundjid, reason or "closed by the server")
            self.loop.call_later(self._pause, self._again)

    def _again(self) -> None:
        if not self._stopping.is_set() and not self.transport:
            self.connect()


def address(text: str) -> Address:
    """The address that this text names, prepared (RFC 7622): two spellings of one JID are one address.

    Raises:
        Refusal: the text is no bare JID, or prepares to something that prepares to something else; the
            sentence says what would be right.
    """
    head, slash, _ = text.partition("/")
    local, at, _host = text.rpartition("@")
    if slash and ("@" in head or not at):
        raise _malformed(text, f"names one session of {head!r}; leave out the slash and what follows it")
    if at and not local:
        raise _malformed(text, "has nothing before the @; write whose address it is")
    if "@" in local:
        raise _malformed(text, f"has two @; {_advice(text, 'if one belongs to the name')}")
    if any(character in local for character in _UNSPEAKABLE):
        raise _malformed(text, f"contains a character that no localpart may (XEP-0106); {_advice(text)}")
    prepared = _prepared(text)
    if prepared is None or not prepared.domain or prepared.resource or bool(at) != bool(prepared.local):
        raise _malformed(text, "is no JID (RFC 7622)")
    again = _prepared(prepared.bare)
    if again is None or again.bare != prepared.bare:
        # a server may prepare once more than we do, and must not arrive at another person
        raise _malformed(
            text, "changes each time it is prepared (RFC 7622 section 3); write it in plain letters"
        )
    return Address(prepared.domain, prepared.local)


def escape(local: str) -> str:
    r"""A localpart in which what no JID may contain is written as XEP-0106 wants: `o'neil` is `o\27neil`.

    Raises:
        Refusal: the text begins or ends with a space, which has no escape (XEP-0106 section 4.2).
    """
    if local != local.strip(" "):
        raise Refusal(Reason.MALFORMED, f"{local!r} begins or ends with a space; remove it")
    unambiguous = _AMBIGUOUS.sub(lambda _: "\\5c", local)
    return "".join(_ESCAPES.get(character, character) for character in unambiguous)


def unescape(local: str) -> str:
    r"""The localpart as people write it, for display only: `o\27neil` is `o'neil`."""
    return _SEQUENCE.sub(lambda found: _ORIGINALS[found[0]], local)


def _prepared(text: str) -> JID | None:
    try:
        return JID(text)
    except (InvalidJID, UnicodeError):  # UnicodeError: a lone surrogate cannot even be handed over
        return None


def _advice(text: str, condition: str = "") -> str:
    local, _, host = text.rpartition("@")
    escaped = f"{escape(local.strip(' '))}@{host.strip(' ')}"
    if _prepared(escaped) is None:
        return "remove it"
    return f"{condition}, write {escaped}" if condition else f"write {escaped}"


def _malformed(text: str, complaint: str) -> Refusal:
    shown = text if text.isprintable() and text.strip() == text != "" else repr(text)
    return Refusal(Reason.MALFORMED, f"{shown} {complaint}")
