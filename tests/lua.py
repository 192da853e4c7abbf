"""The gate module's own Lua files, run by the interpreter that Prosody uses: one process answers any number of questions."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

from apostille_xep.gate.stanza import NAMESPACE, Archived, Change, Garbled, Question, read_ask
from rig.configuration import SOURCE
from rig.installation import MODULES
from rig.prosody import _lua

SCRIPT = Path(__file__).parent / "stanzas" / "facts.lua"


class Lua:
    """Facts of stanzas, and what terms make of them, as the server sees it; its clock stands until it is moved."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [*_lua(), str(SCRIPT), str(SOURCE), str(MODULES)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    def facts(self, xml: str, client: str = "", room: str = "") -> str:
        """The lines of one message; `client` is what its sender's client calls itself, `room` where it is said, if in a room."""
        return self._ask(f"facts {client.encode().hex() or '-'} {room}".rstrip(), xml)

    def change(self, xml: str) -> str:
        """What an IQ wants to change about somebody's devices, as the end of a line; nothing if it is none of that."""
        return self._ask("change", xml)

    def word(self, text: str) -> str:
        """A text as one word of a line."""
        return self._ask("word", text)

    def terms(self, xml: str) -> str:
        """Take new terms: "ok", or what is wrong with them."""
        return self._ask("terms", xml)

    def is_free(self, xml: str, host: str) -> bool:
        """Whether a message to `host` passes without a question."""
        answer = self._ask(f"free {host}", xml)
        assert answer in ("free", "asked"), answer
        return answer == "free"

    def in_outage(self, sender: str, recipient: str) -> tuple[float, bool]:
        """Seconds that a message between two hosts may be held, and whether it may pass without a verdict."""
        hold, word = self._ask(f"outage {sender} {recipient}", "").split(" ")
        return float(hold), word == "pass"

    def room(self, room: str, people: Mapping[str, str]) -> None:
        """Put accounts into a room of `rooms.gov.example`, each with an affiliation; "here" is somebody there without one."""
        self._ask(f"room {room}", "".join(f"{jid} {affiliation}\n" for jid, affiliation in people.items()))

    def close_room(self, room: str) -> None:
        """Let a room be no more."""
        self._ask(f"gone {room}", "")

    def announce(self, jid: str, legacy: str, modern: str) -> None:
        """Let an account announce devices."""
        self._ask(f"announce {jid}", f"devices {jid} {legacy} {modern}")

    def tell(self, room: str, space: int = 10**6) -> tuple[list[str], bool]:
        """The lines that go before an encrypted message into a room, and whether they are all."""
        *lines, end = self._ask(f"tell {room} {space}", "").split("\n")
        assert end in ("done", "more"), end
        return lines, end == "done"

    def forget(self) -> None:
        """What was told may not have been heard."""
        self._ask("forget", "")
    def text(self, code: str, language: str = "") -> tuple[str, str]:
        """What a sender hears under a code of the server's own: the language and the words; two empty texts, if no terms said."""
        found, _, text = self._ask(f"text {code} {language}", "").partition(" ")
        return found, text

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self._ask(f"later {seconds}", "")

    def _ask(self, head: str, text: str) -> str:
        process, body = self._process, text.encode()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{head} {len(body)}\n".encode() + body)
        process.stdin.flush()
        size = process.stdout.readline()
        assert size, "the Lua process ended"
        answer = process.stdout.read(int(size)).decode()
        assert not answer.startswith("failed: "), answer
        return answer


def in_ask(lines: str) -> list[Question | Change | Garbled | Archived]:
    """Lines as they arrive at the component, inside the XML that they travel in."""
    return list(read_ask(ET.fromstring(f"<ask xmlns='{NAMESPACE}'>{lines}</ask>")))
