"""A gate component without a wire: an `<iq/>` is pushed in, what would be sent is read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

from apostille.gate.component import GateComponent
from apostille.gate.service import Gate
from apostille.vocabulary import Verdict
from apostille_xep.gate.stanza import NAMESPACE

ACCEPT = "jabber:component:accept"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
TOLD = {
    "no": Verdict(False, "plaintext", "Encrypt <it> & send it again.", "officials"),
    "gone": Verdict(False, "sender-suspended", "Ask your registrar.", ""),
    "empty": Verdict(True, rule="officials", recorded=False),
    "warned": Verdict(True, "plaintext", "Encrypt <it> & co.", "officials", notice=True),
}


class Heard(GateComponent):
    """A gate component that keeps what it would send, as if it were connected."""

    def __init__(self, gate: Gate, guarded: Sequence[str] = (), exempt: Sequence[str] = ()) -> None:
        super().__init__("gate.gov.example", "secret", ("127.0.0.1", 1), gate, ["gov.example", "rooms.gov.example"], guarded, exempt)
        self.sent: list[str] = []
        self.terms: list[str] = []
        self.told = asyncio.Event()
        self.transport: Any = object()

    def send_raw(self, data: Any) -> None:
        if "<terms " in data:
            self.terms.append(data)
            return
        self.sent.append(data)
        self.told.set()

    async def hear(self, inner: str, asker: str = "gov.example", id_: str = "q1") -> list[str]:
        """What is sent when `asker` asks this."""
        ask = f"<ask xmlns='{NAMESPACE}'>{inner}</ask>"
        stanza = f"<iq xmlns='{ACCEPT}' type='set' id='{id_}' from='{asker}' to='gate.gov.example'>{ask}</iq>"
        self.sent.clear()
        self.told.clear()
        self._spawn_event(ET.fromstring(stanza))
        await asyncio.wait_for(self.told.wait(), 5)
        return list(self.sent)


def said(ref: str, id_: str, text: str = "0") -> str:
    return f"message {ref} local boris@gov.example/phone anna@gov.example chat {id_} % % {text} 0 % %\n"


def error(kind: str, condition: str, asker: str = "gov.example") -> str:
    return (
        f'<iq type="error" id="q1" from="gate.gov.example" to="{asker}">'
        f'<error type="{kind}"><{condition} xmlns="{STANZAS}"/></error></iq>'
    )


def result(inner: str) -> str:
    head = '<iq type="result" id="q1" from="gate.gov.example" to="gov.example">'
    return f'{head}<verdicts xmlns="{NAMESPACE}">{inner}</verdicts></iq>'
