"""Whether the gate component grows: fed as fast as it answers, by a socket that says what a server would say.

Knows the server's side of XEP-0114 and one kind of question; refuses to run a server, which would be the slower of the two.
"""

from __future__ import annotations

import re
import secrets
import shutil
import socket
import threading
import time

from benchmark.figures import Figure
from benchmark.generator import PEOPLE, NotDelivered
from benchmark.sides import cpu, resident
from rig.installation import DOMAIN, Installation, in_folder

BATCH = 64
WARM = 10_000
_FIRST_RECORD = re.compile(rb'<pass [^>]*record="(\d+)"')
_PASSED = re.compile(rb'<pass ref="[^"]*"(?: count="(\d+)")?')
_TERMS = re.compile(rb'<iq type="set" id="([^"]+)" from="[^"]+" to="([^"]+)"><terms')
_MARKS = " store urn:xmpp:hints 0 0 0\n encryption urn:xmpp:eme:0 0 48 0\n"


def _message(number: int) -> str:
    """The facts of one OMEMO message with four keys."""
    sender, recipient = PEOPLE[number % len(PEOPLE)], PEOPLE[(number * 7 + 1) % len(PEOPLE)]
    places = f"{sender}@{DOMAIN}/desk {recipient}@{DOMAIN} chat {secrets.token_hex(8)} % % 0 0 en https://dino.im"
    omemo = f"77 12 240 0 {secrets.token_hex(32)} 101:180:0 102:180:0 103:180:0 104:180:0"
    return f"message {number} local {places}\n encrypted eu.siacs.conversations.axolotl {omemo}\n{_MARKS}"


def _archived(record: int) -> str:
    return "".join(f"archived {record} {name}@{DOMAIN} {secrets.token_urlsafe(18)}\n" for name in PEOPLE[:2])


class Server:
    """The server's end of the component's connection."""

    def __init__(self, port: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", port))
        self._unread = b""
        self._asked = 0
        self._archived = ""
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def ask(self) -> None:
        """One question of `BATCH` messages with the archives' report of the last; its answer must let all of them pass."""
        self._accepting.join(10)
        facts = "".join(_message(self._asked + number) for number in range(BATCH))
        ident = f"apostille-{self._asked}"
        head = f"<iq type='set' id='{ident}' from='{DOMAIN}' to='gate.{DOMAIN}'><ask xmlns='apostille:gate:0'>"
        self._socket.sendall(f"{head}{self._archived}{facts}</ask></iq>".encode())
        answer = self._read_answer()
        passed = sum(int(count or 1) for count in _PASSED.findall(answer))
        first = _FIRST_RECORD.search(answer)
        if ident.encode() not in answer or passed != BATCH or first is None:
            raise NotDelivered(f"{passed} of {BATCH} messages passed: {answer[:1000]!r}")
        self._archived = "".join(_archived(int(first[1]) + number) for number in range(BATCH))
        self._asked += BATCH

    def ask_for(self, messages: int) -> float:
        """As many questions as hold so many messages; messages a second."""
        before, began = self._asked, time.monotonic()
        while self._asked < before + messages:
            self.ask()
        return (self._asked - before) / (time.monotonic() - began)

    def close(self) -> None:
        """End it without ceremony."""
        self._listening.close()

    def _accept(self) -> None:
        self._socket, _ = self._listening.accept()
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(30)
        self._read_until(b"<stream:stream", b">")
        streams = "http://etherx.jabber.org/streams"
        head = f"<stream:stream xmlns='jabber:component:accept' xmlns:stream='{streams}' from='gate.{DOMAIN}' id='bench'>"
        self._socket.sendall(head.encode())
        self._read_until(b"</handshake>")  # whatever it says: this is no server
        self._socket.sendall(b"<handshake/>")

    def _read_answer(self) -> bytes:
        """The next stanza that answers a question; terms are answered on the way, as every covered host would."""
        while True:
            while b"</iq>" not in self._unread:
                self._unread += self._receive()
            stanza, _, self._unread = self._unread.partition(b"</iq>")
            terms = _TERMS.search(stanza)
            if terms is None:
                return stanza
            host = terms[2].decode()
            covered = f"<covered xmlns='apostille:gate:0' modules=''><host jid='{host}' covered='true'/></covered>"
            self._socket.sendall(f"<iq type='result' id='{terms[1].decode()}' from='{host}' to='gate.{DOMAIN}'>{covered}</iq>".encode())

    def _receive(self) -> bytes:
        data = self._socket.recv(262144)
        if not data:
            raise ConnectionError("the component went away")
        return data

    def _read_until(self, *ends: bytes) -> bytes:
        seen = b""
        while not all(end in seen for end in ends):
            seen += self._receive()
        return seen


def measure(full: bool) -> dict[str, Figure]:
    """The component's memory after 30,000 messages, or a million with `full`, relative to what it was after 10,000."""
    messages = 1_000_000 if full else 30_000
    folder = in_folder("bench-memory")
    installation = Installation(folder)
    installation.import_officials(PEOPLE)
    server = Server(installation.prosody.component_port)
    try:
        installation.serve("gate")
        assert installation.pid is not None
        server.ask_for(WARM)
        warm, used = resident(installation.pid), cpu(installation.pid)
        first = server.ask_for(messages // 10)
        rest = server.ask_for(messages - 2 * (messages // 10))
        last = server.ask_for(messages // 10)
        grown = resident(installation.pid)
        spent = (cpu(installation.pid) - used) / messages * 1e6
    finally:
        server.close()
        installation.stop()
        shutil.rmtree(folder, ignore_errors=True)
    itself = f"itself {messages} messages before"
    return {
        "gate.component_memory_growth_ratio": Figure(grown / warm, "1", itself, 1),
        "gate.component_memory_mb": Figure(grown / 1024, "MB", "nothing: for reading", 1),
        "gate.component_alone_per_s": Figure(rest, "1/s", "nothing: for reading; the component alone, without a server", 1),
        "gate.component_alone_cpu_us": Figure(spent, "us", "per message, itself; with the archives' reports", 1),
        "gate.component_decay_ratio": Figure(last / first, "1", "the rate of its last tenth with that of its first", 1),
    }
