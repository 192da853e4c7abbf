"""A client with stream management (XEP-0198) that loses its network and comes back to the same session.

Knows acknowledgements and resumption; refuses to be told of anything but messages after it is online, for it counts no other stanzas.
"""

from __future__ import annotations

import re
from pathlib import Path

from rig.wire import WireClient

SM = "urn:xmpp:sm:3"
_ACKED = re.compile(rb"<a [^>]*h='(\d+)'")
_RESUMED = re.compile(rb"<resumed [^>]*>")


class ResumingClient(WireClient):
    """Keeps what it said until the server has counted it, and says the rest again when it resumes."""

    def __init__(self, user: str, domain: str, password: str, port: int, ca: Path | None) -> None:
        super().__init__(user, domain, password, port, ca)
        self._said: list[str] = []
        self._counted = 0
        self._token = ""

    async def online(self) -> None:
        """Log in as any client, then ask for stream management."""
        await self.log_in()
        await self._bind()
        seen = await self._ask(f"<enable xmlns='{SM}' resume='true'/>", b"<enabled")
        (self._token,) = re.findall(r"<enabled [^>]*id='([^']+)'", seen.decode())
        self._listen()

    def say(self, *stanzas: str) -> None:
        """Send stanzas, and remember them."""
        self._said += stanzas
        super().say(*stanzas)

    @property
    def acknowledged(self) -> int:
        """How many stanzas the server has acknowledged."""
        return self._counted

    def request(self) -> None:
        """Ask for an acknowledgement."""
        self._write(f"<r xmlns='{SM}'/>")

    async def resume(self) -> int:
        """Come back on a new connection; how many stanzas had to be said again."""
        await self.log_in()
        heard = len(self.arrived) + len(self.again) + len(self.refused)
        seen = await self._ask(f"<resume xmlns='{SM}' h='{heard}' previd='{self._token}'/>", b"<resumed")
        resumed = _RESUMED.search(seen)
        assert resumed is not None
        (count,) = re.findall(rb"h='(\d+)'", resumed[0])
        self._listen()
        self._take(seen[resumed.end() :])
        again = self._said[int(count) :]
        self._write("".join(again))
        return len(again)

    def _take(self, data: bytes) -> None:
        for count in _ACKED.findall(data):
            self._counted = int(count)
        super()._take(data)
        self._more.set()
