"""Another server that is nothing but a socket: one incoming connection to a server under test, both directions on it.

Knows STARTTLS, SASL EXTERNAL (XEP-0178) and bidirectional streams (XEP-0288), so that nobody has to connect back; refuses to have
users: all that it says and hears is one JID's.
"""

from __future__ import annotations

import base64
import ssl

from rig.certificates import Certificates
from rig.wire import StreamWire


class WireServer(StreamWire):
    """A domain with one voice; `certificates` are its own, signed by an authority that the server under test trusts."""

    namespace = "jabber:server"

    def __init__(self, user: str, domain: str, to: str, port: int, certificates: Certificates) -> None:
        super().__init__(user, domain, port)
        self._domain, self._to, self._certificates = domain, to, certificates

    async def online(self) -> None:
        """Open the stream and prove the domain."""
        context = ssl.create_default_context(cafile=str(self._certificates.ca))
        context.load_cert_chain(self._certificates.certificate, self._certificates.key)
        await self._connect()
        await self._open(self._to, f" from='{self._domain}'")
        await self._secure(context, self._to)
        features = await self._open(self._to, f" from='{self._domain}'")
        if b">EXTERNAL<" not in features or b"urn:xmpp:features:bidi" not in features:
            raise ConnectionError(f"{self._to} offers no SASL EXTERNAL, or no bidirectional stream: {features!r}")
        word = base64.b64encode(self._domain.encode()).decode()
        auth = f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>{word}</auth>"
        await self._ask(f"<bidi xmlns='urn:xmpp:bidi'/>{auth}", b"<success")
        await self._open(self._to, f" from='{self._domain}'")
        self._listen()

    def message(self, to: str, ident: str, body: str = "x", kind: str = "chat") -> str:
        """A plaintext message with its sender, for no server stamps one on."""
        return super().message(to, ident, body, kind).replace("<message ", f"<message from='{self.jid}' ", 1)
