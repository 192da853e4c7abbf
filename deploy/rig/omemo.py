"""A person whose client encrypts: OMEMO 0.3 as every client speaks it, and omemo:2 by hand.

Knows slixmpp-omemo (AGPL: test code only, never shipped with Apostille) and the
two wire formats. slixmpp-omemo 2.2 neither writes nor reads omemo:2 stanzas
("SCE not supported yet"), but its session manager encrypts for both; the envelope
of XEP-0420 is made here.

What a gate should expect from it: besides the messages that a test asks for, the
library sends `<encrypted>` without `<payload>` (session healing, key exchange
completion), without body, without EME and without a type, with a store hint.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, cast
from xml.etree import ElementTree as ET

import oldmemo.etree
import twomemo.etree
from omemo.session_manager import DeviceListDownloadFailed, MessageNotForUs, SessionManager
from slixmpp import JID, Message
from slixmpp_omemo import XEP_0384

from rig.client import Client
from rig.storage import Shelf
from rig.trust import NEW, OLD, BlindTrust

NAMESPACES = {"0.3": (OLD,), "2": (NEW,), "mixed": (NEW, OLD)}
SCE = "urn:xmpp:sce:1"
# What slixmpp-omemo itself puts beside the encrypted part; the gate knows it by its hash.
FALLBACK = str(XEP_0384.default_config["fallback_message"])


class Decrypted(NamedTuple):
    """One message in the clear. In a room, `sender` is the person behind the nick."""

    sender: str
    body: str
    namespace: str


class OmemoClient(Client):
    """One device of one account. Another device: another resource, another `keys` file."""

    def __init__(
        self,
        jid: str,
        password: str,
        *,
        port: int,
        ca: Path,
        keys: Path | None = None,
        speaks: Collection[str] = ("0.3", "2"),
        fallback: str = FALLBACK,
    ) -> None:
        super().__init__(jid, password, port=port, ca=ca)
        self.decrypted: asyncio.Queue[Decrypted] = asyncio.Queue()
        self.undecryptable: list[Exception] = []
        self.fallback = fallback
        self._watched: set[str] = set()
        self._speaks = {NAMESPACES[version][0] for version in speaks}
        self._shelf = Shelf(keys)
        self._one_at_a_time = asyncio.Lock()
        self.register_plugin("xep_0380")
        omemo = {"shelf": self._shelf, "namespaces": self._speaks}
        self.register_plugin("xep_0384", omemo, module="rig.trust")

    async def online(self, timeout: float = 15.0) -> None:
        """As `Client.online`, and only back when our device and bundles are published."""
        await super().online(timeout)
        await asyncio.wait_for(self._manager(), timeout)

    async def offline(self, wait: float = 2.0) -> None:
        """Close the stream; the device stays published, as a phone that is switched off."""
        if self._omemo.made:
            await (await self._manager()).shutdown()
        await super().offline(wait)
        self._shelf.flush()

    async def retire(self) -> None:
        """Take the device off the account's lists: in-memory devices would linger as ghosts."""
        manager = await self._manager()
        self._omemo.retired = True
        for namespace in self._speaks:
            await manager.purge_backend(namespace)

    async def device_id(self) -> int:
        """Our own `sid`."""
        device, _others = await (await self._manager()).get_own_device_information()
        return int(device.device_id)

    async def encrypt_to(
        self,
        to: str,
        body: str,
        version: str = "0.3",
        *,
        mtype: str = "chat",
        recipients: Iterable[str] | None = None,
        id: str | None = None,
        children: tuple[ET.Element, ...] = (),
    ) -> str:
        """Encrypt for all devices of `recipients` (and our own others), send, return the id.

        Without `recipients`: the person `to`, or with `mtype='groupchat'` everybody
        affiliated to the room, also the absent. `version='mixed'` sends what Converse
        sends: two `<encrypted>` in one stanza when the devices differ.
        """
        if recipients is None:
            recipients = await self._members(to) if mtype == "groupchat" else [JID(to).bare]
        message = self._envelope(to, mtype, id)
        for element in await self.encrypt(body, recipients, version):
            message.append(element)
        for child in children:
            message.append(child)
        await self._advertise(message)
        message.send()
        return str(message["id"])

    async def encrypt(self, body: str, recipients: Iterable[str], version: str) -> list[ET.Element]:
        """Only the `<encrypted>` elements, for tests that build their own stanza."""
        jids = frozenset(JID(jid).bare for jid in recipients) - {self.boundjid.bare}
        manager = await self._manager()
        await self._learn_devices(manager, jids)
        plain = {OLD: body.encode(), NEW: self._envelope_sce(body)}
        messages, _errors = await manager.encrypt(
            jids, {ns: plain[ns] for ns in NAMESPACES[version]}, list(NAMESPACES[version])
        )
        write = {OLD: oldmemo.etree.serialize_message, NEW: twomemo.etree.serialize_message}
        return [write[message.namespace](message) for message in messages]

    async def next_decrypted(self, timeout: float = 5.0) -> Decrypted:
        """The oldest unread message that could be decrypted."""
        return await asyncio.wait_for(self.decrypted.get(), timeout)

    def received(self, message: Message) -> None:
        """Decrypt in the order of arrival: a ratchet does not like surprises."""
        if any(message.xml.find(f"{{{ns}}}encrypted") is not None for ns in (OLD, NEW)):
            try:
                sender = self._person(message)  # now: the occupant may leave while we wait
            except LookupError as error:
                self.undecryptable.append(error)
                return
            if sender is not None:
                self.in_background(self._decrypt(message, sender))

    async def _decrypt(self, message: Message, sender: str) -> None:
        async with self._one_at_a_time:
            try:
                found = await self._open(message, sender)
            except Exception as error:  # a test wants to see it, the stream must go on
                self.undecryptable.append(error)
                return
        if found is not None:
            self.decrypted.put_nowait(found)

    async def _open(self, message: Message, sender: str) -> Decrypted | None:
        manager = await self._manager()
        problem: Exception | None = None
        for namespace in (NEW, OLD):
            element = message.xml.find(f"{{{namespace}}}encrypted")
            if element is None or namespace not in self._speaks:
                continue
            try:
                if namespace == NEW:
                    parsed = twomemo.etree.parse_message(element, sender)
                else:
                    parsed = await oldmemo.etree.parse_message(
                        element, sender, self.boundjid.bare, manager
                    )
                plain, *_ = await manager.decrypt(parsed)
            except MessageNotForUs as error:  # the other element may be ours
                problem = error
                continue
            if plain is None:  # a key transport: nothing to read
                return None
            body = _read_sce(plain, sender) if namespace == NEW else plain.decode()
            return Decrypted(sender, body, namespace)
        if problem is not None:
            raise problem
        return None

    def _person(self, message: Message) -> str | None:
        """Whose device list to ask; None for our own reflection in a room."""
        if message["type"] != "groupchat":
            return str(message["from"].bare)
        rooms, room, nick = self.plugin["xep_0045"], message["from"].bare, message["from"].resource
        if nick == self._nicks.get(room):
            return None
        jid = rooms.get_jid_property(JID(room), nick, "jid")
        if not jid:
            raise LookupError(f"{room} hides the JID of {nick}: OMEMO needs whois=anyone")
        return str(JID(jid).bare)

    async def _members(self, room: str) -> set[str]:
        found: set[str] = set()
        for affiliation in ("owner", "admin", "member"):
            iq = await self.plugin["xep_0045"].get_affiliation_list(JID(room), affiliation)
            found.update(JID(jid).bare for jid in iq)
        return found

    async def _learn_devices(self, manager: SessionManager, jids: Iterable[str]) -> None:
        """Fetch each list once and subscribe: without mutual presence, too, we hear of changes."""
        for jid in set(jids) - self._watched:
            for namespace in self._speaks:
                await self._omemo._subscribe(namespace, JID(jid))
                with suppress(DeviceListDownloadFailed):
                    await manager.refresh_device_list(namespace, jid)
            if await manager.get_device_information(jid):
                self._watched.add(jid)

    async def _advertise(self, message: Message) -> None:
        """EME, store hint, and the fallback body that 0.3 has and omemo:2 must not have."""
        old = message.xml.find(f"{{{OLD}}}encrypted") is not None
        namespace = OLD if old else NEW
        eme = {"namespace": namespace, "name": "OMEMO"}
        message.append(ET.Element("{urn:xmpp:eme:0}encryption", eme))
        message.append(ET.Element("{urn:xmpp:hints}store"))
        if old and self.fallback:
            message["body"] = self.fallback

    def _envelope_sce(self, body: str) -> bytes:
        """XEP-0420: the content, padding of random length, and who says so."""
        envelope = ET.Element(f"{{{SCE}}}envelope")
        content = ET.SubElement(envelope, f"{{{SCE}}}content")
        ET.SubElement(content, "{jabber:client}body").text = body
        padding = base64.b64encode(secrets.token_bytes(secrets.randbelow(151)))
        ET.SubElement(envelope, f"{{{SCE}}}rpad").text = padding.decode()
        ET.SubElement(envelope, f"{{{SCE}}}from", {"jid": self.boundjid.bare})
        return ET.tostring(envelope)

    async def _manager(self) -> SessionManager:
        return await self._omemo.get_session_manager()

    @property
    def _omemo(self) -> BlindTrust:
        return cast(BlindTrust, cast(Any, self.plugin)["xep_0384"])


def _read_sce(plain: bytes, sender: str) -> str:
    envelope = ET.fromstring(plain)
    named = envelope.find(f"{{{SCE}}}from")
    if named is None or JID(named.get("jid", "")).bare != sender:
        raise ValueError("the envelope names another sender than the stanza")
    return envelope.findtext(f"{{{SCE}}}content/{{jabber:client}}body") or ""
