"""The gate's side of `apostille:gate:0` as a slixmpp plugin: hands over each question and sends back raw verdicts.

Knows the one stanza path; refuses to register stanza objects, so that matching stays cheap.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar
from xml.sax.saxutils import quoteattr

from slixmpp.plugins.base import BasePlugin
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from apostille_xep.gate.stanza import ASK, COVERED, NAMESPACE, Covered, Passed, Refused, Unreadable, read_covered, write_verdicts

_OWN_IDS = "terms-"


class Gate(BasePlugin):
    """The gate's events and stanzas.

    Event `apostille_gate_ask` brings the `Iq` that holds an `<ask/>`; answer it with `answer` or `cannot_answer`. Event
    `apostille_gate_covered` brings (host, `Covered`) for each host that answers `tell`, and (host, None) for one that cannot.
    """

    name = "apostille_gate"
    description = "Apostille gate: questions and verdicts"
    dependencies: ClassVar[set[str]] = set()

    def plugin_init(self) -> None:
        """Register the one handler."""
        matcher = MatchXPath(f"{{{self.xmpp.default_ns}}}iq/{ASK}")
        self.xmpp.register_handler(Callback("apostille gate ask", matcher, self._asked))
        answers = MatchXPath(f"{{{self.xmpp.default_ns}}}iq")
        self.xmpp.register_handler(Callback("apostille gate covered", answers, self._answered))

    def plugin_end(self) -> None:
        """Remove them again."""
        self.xmpp.remove_handler("apostille gate ask")
        self.xmpp.remove_handler("apostille gate covered")

    def _asked(self, iq: Any) -> None:
        self.xmpp.event("apostille_gate_ask", iq)

    def _answered(self, iq: Any) -> None:
        get = iq.xml.get
        if get("type") not in ("result", "error") or not get("id", "").startswith(_OWN_IDS):
            return
        covered: Covered | None = None
        element = iq.xml.find(COVERED)
        if get("type") == "result" and element is not None:
            try:
                covered = read_covered(element)
            except Unreadable:
                covered = None
        self.xmpp.event("apostille_gate_covered", (get("from", ""), covered))

    def tell(self, host: str, terms: str) -> None:
        """Send a host its terms (`write_terms`)."""
        sender, to = quoteattr(str(self.xmpp.boundjid)), quoteattr(host)
        self.xmpp.send_raw(f'<iq type="set" id={quoteattr(_OWN_IDS + host)} from={sender} to={to}>{terms}</iq>')

    def answer(self, iq: Any, verdicts: Iterable[Passed | Refused]) -> None:
        """Send the verdicts for the question in `iq`."""
        self._reply(iq, "result", write_verdicts(verdicts))

    def cannot_answer(self, iq: Any, kind: str, condition: str) -> None:
        """Send a stanza error (RFC 6120 section 8.3): the server then tells every sender concerned to try again."""
        self._reply(
            iq,
            "error",
            f'<error type="{kind}"><{condition} xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error>',
        )

    def _reply(self, iq: Any, kind: str, payload: str) -> None:
        get = iq.xml.get
        self.xmpp.send_raw(
            f"<iq type=\"{kind}\" id={quoteattr(get('id', ''))} from={quoteattr(get('to', ''))} to={quoteattr(get('from', ''))}>"
            f"{payload}</iq>"
        )


__all__ = ["NAMESPACE", "Gate"]
