"""A person with an ordinary client and no encryption: logs in, says, hears, is refused.

Knows slixmpp and STARTTLS to a port on loopback. Refuses to know what the server
decides; it only reports it, so that a test can read it.

Traps, so that nobody falls in twice:
- `send`, `command` and `roster` are slixmpp's own names; overriding one breaks the
  stream in silence. Hence `say` and `contacts`.
- slixmpp fires its `message` event only for stanzas with a `<body/>`: omemo:2 and
  key transport messages have none. This class listens to every message instead.
- `ComponentXMPP(fix_error_ns=True)` changes the namespace of `Error` for the whole
  process; a ClientXMPP beside it then sees no errors. Component and client must live
  in two processes.
- xep_0198 is left out: it does not count what is sent as text, and a session that
  ends with its connection is what most tests mean by "offline".
- `send_raw` overtakes what `say` has queued; `say_raw` here goes through the queue.
"""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast
from xml.etree import ElementTree as ET

from slixmpp import JID, ClientXMPP, Iq, Message
from slixmpp.exceptions import IqError, IqTimeout, PresenceError
from slixmpp.plugins.xep_0004 import Form
from slixmpp.types import MucAffiliation
from slixmpp.xmlstream import StanzaBase
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

CLIENT = "{jabber:client}"
STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
CARBONS = "{urn:xmpp:carbons:2}"
FORWARD = "{urn:xmpp:forward:0}"
PUBSUB_EVENT = "{http://jabber.org/protocol/pubsub#event}event"
MUC_USER = "{http://jabber.org/protocol/muc#user}"
PLUGINS = (
    "xep_0004 xep_0030 xep_0045 xep_0050 xep_0055 xep_0060 xep_0115 xep_0163 "
    "xep_0199 xep_0280 xep_0334"
).split()


class NotOnline(RuntimeError):
    """Logging in failed; the message says why."""


class Refused(NamedTuple):
    """What a `type='error'` stanza says (RFC 6120 section 8.3)."""

    type: str
    condition: str
    text: str


class Entry(NamedTuple):
    """One contact as the roster names it."""

    name: str
    groups: frozenset[str]
    subscription: str


class Client(ClientXMPP):
    """One resource of one account."""

    def __init__(
        self, jid: str, password: str, *, port: int, ca: Path, address: str = "127.0.0.1"
    ) -> None:
        trust = ssl.create_default_context(cafile=str(ca))  # this authority and no other
        super().__init__(jid, password, ssl_context=trust)
        self._address = (address, port)
        self.enable_direct_tls = False
        self.enable_plaintext = False
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.carbons: asyncio.Queue[Message] = asyncio.Queue()
        self.subjects: asyncio.Queue[Message] = asyncio.Queue()
        self.errors: dict[str, Message] = {}
        self._contacts: dict[str, Entry] = {}
        self._news = asyncio.Condition()
        self._nicks: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        for plugin in PLUGINS:
            self.register_plugin(plugin)
        self.register_handler(Callback("rig", MatchXPath(f"{CLIENT}message"), self._sort))
        self.add_event_handler("roster_update", self._note_contacts)

    # Coming and going

    async def online(self, timeout: float = 15.0) -> None:
        """Log in, fetch the roster, become available, switch carbons on.

        The carbons reply comes after the server has seen our presence (one stream,
        one order): whatever is said to us from now on reaches this resource.
        """
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def settle(reason: str) -> None:
            if not outcome.done():
                outcome.set_result(reason)

        watch: dict[str, Any] = {
            "session_start": lambda _: settle(""),
            "failed_auth": lambda failure: settle(f"not authorised: {failure['condition']}"),
            "ssl_invalid_chain": lambda error: settle(f"certificate refused: {error}"),
            "connection_failed": lambda error: settle(f"no connection: {error}"),
            "stream_error": lambda error: settle(f"stream error: {error['condition']}"),
            "disconnected": lambda reason: settle(f"disconnected: {reason or 'no reason given'}"),
        }
        for event, handler in watch.items():
            self.add_event_handler(event, handler)
        self.connect(*self._address)
        try:
            reason = await asyncio.wait_for(outcome, timeout)
            if not reason:
                await self.get_roster(timeout=timeout)
                self.send_presence()
                await self.plugin["xep_0280"].enable(timeout=timeout)
        except (TimeoutError, IqError, IqTimeout) as error:
            reason = f"{type(error).__name__}: {error}"
        finally:
            for event, handler in watch.items():
                self.del_event_handler(event, handler)
        if reason:
            self.cancel_connection_attempt()
            await self.offline(wait=0.5)
            raise NotOnline(f"{self.requested_jid}: {reason}")

    async def offline(self, wait: float = 2.0) -> None:
        """Close the stream properly and wait for it."""
        await self.disconnect(wait=wait)
        if self._run_out_filters is not None:  # slixmpp cancels its sender, but never awaits it
            self._run_out_filters.cancel()
            await asyncio.gather(self._run_out_filters, return_exceptions=True)

    # Saying

    async def say(
        self,
        to: str,
        body: str | None,
        mtype: str = "chat",
        *,
        id: str | None = None,
        children: tuple[str | ET.Element, ...] = (),
        **extra: Any,
    ) -> str:
        """Send one message and return its id. `extra` sets slixmpp interfaces (subject, thread)."""
        message = self._envelope(to, mtype, id)
        if body is not None:
            message["body"] = body
        for interface, value in extra.items():
            message[interface] = value
        for child in children:
            message.append(ET.fromstring(child) if isinstance(child, str) else child)
        message.send()
        return str(message["id"])

    def say_raw(self, xml: str) -> None:
        """Put text on the stream as it is, after everything said before it."""
        self.send(xml)

    def _envelope(self, to: str, mtype: str, id: str | None = None) -> Message:
        message = self.make_message(JID(to), mtype=cast(Any, mtype))
        message["id"] = id or str(uuid.uuid4())
        return message

    # Hearing

    async def next_message(self, timeout: float = 5.0) -> Message:
        """The oldest unread message of any kind but carbons, subjects and PEP events."""
        return await asyncio.wait_for(self.inbox.get(), timeout)

    async def refusal(self, id: str, timeout: float = 5.0) -> Refused:
        """Wait for the error stanza of message `id`; the stanza itself stays in `errors[id]`."""
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: id in self.errors), timeout)
        return refused(self.errors[id].xml)

    @property
    def contacts(self) -> Mapping[str, Entry]:
        """The roster as the server last told it: bare JID -> entry. (`roster` is slixmpp's.)"""
        return dict(self._contacts)

    async def contacts_until(
        self, enough: Callable[[Mapping[str, Entry]], bool], timeout: float = 5.0
    ) -> Mapping[str, Entry]:
        """Wait for roster pushes until `enough(contacts)` is true."""
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: enough(self._contacts)), timeout)
        return self.contacts

    # Rooms

    async def join(self, room: str, nick: str, timeout: float = 10.0) -> None:
        """Enter without history; a room that did not exist is unlocked with its defaults."""
        try:
            presence, *_ = await self.plugin["xep_0045"].join_muc_wait(
                JID(room), nick, maxstanzas=0, timeout=timeout
            )
        except PresenceError as error:
            said = refused(error.presence.xml)
            raise NotOnline(f"{room}: {said.type} {said.condition} {said.text}") from error
        self._nicks[room] = nick
        if presence.xml.find(f"{MUC_USER}x/{MUC_USER}status[@code='201']") is not None:
            await self.configure(room)

    async def configure(self, room: str, **fields: str) -> None:
        """Submit the owner's form: `membersonly='1', whois='anyone'` (names after roomconfig_)."""
        form = cast(Any, Form)()  # slixmpp leaves xep_0004 untyped
        form["type"] = "submit"
        names = {f"muc#roomconfig_{name}": value for name, value in fields.items()}
        names = {"FORM_TYPE": "http://jabber.org/protocol/muc#roomconfig", **names}
        for name, value in names.items():
            form.add_field(var=name, value=value)
        await self.plugin["xep_0045"].set_room_config(JID(room), form)

    async def admit(self, room: str, jid: str, affiliation: MucAffiliation = "member") -> None:
        """Give somebody an affiliation in the room."""
        await self.plugin["xep_0045"].set_affiliation(JID(room), affiliation, jid=JID(jid))

    # Sorting what arrives

    def received(self, message: Message) -> None:
        """Called for every message and for every unwrapped carbon, in order. For subclasses."""

    def _sort(self, stanza: StanzaBase) -> None:
        message = cast(Message, stanza)
        xml = message.xml
        if xml.get("type") == "error":
            self.errors[str(message["id"])] = message
            self.inbox.put_nowait(message)
            self._tell()
        elif xml.find(PUBSUB_EVENT) is not None:
            return
        elif (copy := self._carbon(message)) is not None:
            self.carbons.put_nowait(copy)
            self.received(copy)
        elif xml.find(f"{CLIENT}subject") is not None and xml.find(f"{CLIENT}body") is None:
            self.subjects.put_nowait(message)
        else:
            self.inbox.put_nowait(message)
            self.received(message)

    def _carbon(self, message: Message) -> Message | None:
        """The copy inside, if our own account sent it (XEP-0280 section 11)."""
        for kind in ("received", "sent"):
            inner = message.xml.find(f"{CARBONS}{kind}/{FORWARD}forwarded/{CLIENT}message")
            if inner is not None and message["from"].bare == self.boundjid.bare:
                return cast(Message, self._build_stanza(inner))
        return None

    def _note_contacts(self, iq: Iq) -> None:
        for jid, item in iq["roster"]["items"].items():
            bare, subscription = JID(jid).bare, str(item["subscription"])
            self._contacts.pop(bare, None)
            if subscription != "remove":
                self._contacts[bare] = Entry(
                    str(item["name"]), frozenset(item["groups"]), subscription
                )
        self._tell()

    def _tell(self) -> None:
        async def announce() -> None:
            async with self._news:
                self._news.notify_all()

        self.in_background(announce())

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something later and keep hold of it meanwhile: the loop itself holds tasks only weakly."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def refused(stanza: ET.Element) -> Refused:
    """Read an error stanza by hand: slixmpp picks texts by language and loses some."""
    error = stanza.find(f"{CLIENT}error")
    if error is None:
        raise ValueError("not an error stanza")
    names = [child.tag.removeprefix(STANZAS) for child in error if child.tag.startswith(STANZAS)]
    condition = next((name for name in names if name != "text"), "undefined-condition")
    return Refused(error.get("type", ""), condition, error.findtext(f"{STANZAS}text") or "")
