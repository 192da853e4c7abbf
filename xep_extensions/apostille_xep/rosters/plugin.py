"""The slixmpp plugin of managed rosters, for the component that computes them.

Knows how a `<fill/>` is sent and its answer awaited; refuses to know who belongs in a roster.
"""

from __future__ import annotations

from typing import Any, ClassVar
from xml.etree import ElementTree as ET

from slixmpp import JID, Iq
from slixmpp.plugins import BasePlugin
from slixmpp.xmlstream import register_stanza_plugin
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import StanzaPath

from apostille_xep.rosters import stanza
from apostille_xep.rosters.stanza import NAMESPACE, Fill, Filled, Malformed, Outcome, Unfilled


class ManagedRosters(BasePlugin):
    """Managed rosters (`apostille:roster:0`).

    Event `apostille_unfilled` carries the IQ of each `<unfilled/>` notice, which the plugin has answered.
    """

    name = "apostille_rosters"
    description = "Apostille: managed rosters"
    dependencies: ClassVar[set[str]] = set()
    stanza = stanza
    default_config: ClassVar[dict[str, Any]] = {"timeout": 120}
    timeout: int

    def plugin_init(self) -> None:
        """Register the stanzas and listen to notices."""
        for element in (Fill, Filled, Unfilled):
            register_stanza_plugin(Iq, element)
        matcher = StanzaPath("iq@type=set/apostille_unfilled")
        self.xmpp.register_handler(Callback(self.name, matcher, self._unfilled))

    def plugin_end(self) -> None:
        """Stop listening."""
        self.xmpp.remove_handler(self.name)

    async def fill(self, server: JID | str, fill: ET.Element) -> Outcome:
        """Send one `<fill/>` (from `pack`) to `server` and wait for what became of it.

        Raises:
            IqError: the server refused all of it, and wrote nothing.
            IqTimeout: no answer; sending it again is harmless.
            Malformed: the answer does not follow the specification.
        """
        iq = self.xmpp.make_iq_set(ito=server)
        iq.append(Fill(xml=fill))
        answer = await iq.send(timeout=self.timeout)  # type: ignore[no-untyped-call]
        filled = answer.xml.find(f"{{{NAMESPACE}}}filled")
        if filled is None:
            raise Malformed("an answer without <filled/>")
        return stanza.outcome(filled)

    def _unfilled(self, iq: Any) -> None:
        iq.reply().send()
        self.xmpp.event("apostille_unfilled", iq)
