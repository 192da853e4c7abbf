"""The register's desk: commands of officials, by chat and by form, and the messages that tell people of changes.

Knows stanzas; refuses to know what a command means. It sits at the gate component's JID, and has no connection of its own.

Forms are without state, and not by slixmpp's plugin for XEP-0050: that one keeps each session for ever, and hands it to whoever names it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from slixmpp import JID
from slixmpp.exceptions import XMPPError
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from apostille.devices.commands import COMMANDS, Asker, Command, answer, choices
from apostille.devices.service import Devices
from apostille.record import resource_mark
from apostille.vocabulary import Fault
from apostille.xmpp import Component

log = logging.getLogger(__name__)

ADHOC = "http://jabber.org/protocol/commands"
FORMS = "jabber:x:data"
_TELL = 0.5  # seconds between two looks for messages that are to be said
_WRITE = 60.0  # and between two times at which uses are written
_CATCH_UP = 3600.0
_MOST_ASKED = 30  # questions of one account in a minute: each costs the gate a look into the database
_REMEMBERED = 10_000
_NOTHING = "You have no device to choose from."
_LATER = "The register of devices does not answer now. Try again later."


class Desk:
    """Answers officials of one domain, and tells people; `speaks`: of several desks only one tells."""

    def __init__(
        self, component: Component, devices: Devices, domain: str, *, speaks: bool = True, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._component = component
        self._devices = devices
        self._domain = domain
        self._speaks = speaks
        self._ticks = ticks
        self._task: asyncio.Task[None] | None = None
        self._asked: dict[str, tuple[int, int]] = {}
        component.register_plugin("xep_0030")
        component.register_handler(Callback("devices", MatchXPath(f"{{{component.default_ns}}}iq/{{{ADHOC}}}command"), self._on_command))
        component.add_event_handler("message", self._on_message)
        component.add_event_handler("session_start", self._on_session)
        component.add_event_handler("disconnected", self._on_end)

    # ---- telling -----------------------------------------------------------------------------------------------------------

    def _on_session(self, _event: Any) -> None:
        self._on_end(_event)
        self._task = asyncio.get_running_loop().create_task(self._keep())

    def _on_end(self, _event: Any) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _keep(self) -> None:
        await self._offer()
        written = caught_up = self._ticks()
        while True:
            try:
                if self._speaks:
                    self.tell()
                now = self._ticks()
                if now - written >= _WRITE:
                    written = now
                    self._devices.write_uses()
                if self._speaks and now - caught_up >= _CATCH_UP:
                    caught_up = now
                    await asyncio.to_thread(self._devices.catch_up)
            except Exception:
                log.exception("the register of devices will be tried again")
                await asyncio.sleep(_TELL * 10)
            await asyncio.sleep(_TELL)

    def tell(self) -> None:
        """Say what is to be said; what was said just before a crash is said again."""
        said = []
        for number, to, text in self._devices.notices():
            self._say(to, text)
            said.append(number)
        self._devices.said(said)

    def _say(self, to: str, text: str) -> None:
        sender = quoteattr(str(self._component.boundjid))
        self._component.send_raw(f'<message type="chat" from={sender} to={quoteattr(to)}><body>{escape(text)}</body></message>')

    # ---- being asked -------------------------------------------------------------------------------------------------------

    def _as_sent(self, stanza: Any) -> bool:
        """Whether slixmpp left the sender's address as it was. It prepares more than Prosody does, and could take one for another."""
        return bool(stanza.xml.get("from") == stanza["from"].full)

    def _asker(self, jid: JID) -> Asker | None:
        """Who asks; None for anybody but a session of an account of the domain. The server vouches for the sender's address."""
        if jid.domain != self._domain or not jid.local or not jid.resource:
            return None
        return Asker(jid.bare, resource_mark(jid.full))

    def _may_ask(self, account: str) -> bool:
        minute = int(self._ticks() // 60)
        since, count = self._asked.get(account, (minute, 0))
        if len(self._asked) >= _REMEMBERED:
            self._asked.clear()
        self._asked[account] = (minute, count + 1 if since == minute else 1)
        return self._asked[account][1] <= _MOST_ASKED

    def _on_message(self, message: Any) -> None:
        if not self._as_sent(message):
            return
        asker = self._asker(message["from"])
        if asker is not None and message["type"] in ("chat", "normal") and self._may_ask(asker.account):
            with suppress(Fault):
                if text := answer(self._devices, asker, message["body"]):
                    self._say(message["from"].full, text)
                return
            self._say(message["from"].full, _LATER)

    async def _offer(self) -> None:
        disco = cast("dict[str, Any]", self._component.plugin)["xep_0030"]
        jid = self._component.boundjid
        await disco.add_feature(ADHOC, jid=jid)
        await disco.add_identity("automation", "command-list", "Commands", node=ADHOC, jid=jid)
        for command in COMMANDS:
            await disco.add_item(jid=jid.full, name=command.title, node=ADHOC, subnode=command.node, ijid=jid)

    def _on_command(self, iq: Any) -> None:
        asker = self._asker(iq["from"])
        asked = iq.xml.find(f"{{{ADHOC}}}command")
        if iq["type"] != "set" or asked is None or not self._as_sent(iq):
            return
        command = next((one for one in COMMANDS if one.node == asked.get("node")), None)
        if asker is None or command is None:
            raise XMPPError("forbidden" if asker is None else "item-not-found", etype="auth" if asker is None else "cancel")
        if not self._may_ask(asker.account):
            raise XMPPError("resource-constraint", etype="wait")
        reply = iq.reply()
        reply.append(self._answered(command, asker, asked))
        reply.send()

    def _answered(self, command: Command, asker: Asker, asked: ET.Element) -> ET.Element:
        told = ET.Element(f"{{{ADHOC}}}command", {"node": command.node, "sessionid": (asked.get("sessionid") or command.node)[:64]})
        chosen = asked.findtext(f"{{{FORMS}}}x/{{{FORMS}}}field[@var='device']/{{{FORMS}}}value", "")
        if asked.get("action") == "cancel":
            told.set("status", "canceled")
            return told
        try:
            offered = choices(command, self._devices, asker)
            if offered and chosen not in offered:
                told.set("status", "executing")
                ET.SubElement(ET.SubElement(told, f"{{{ADHOC}}}actions", {"execute": "complete"}), f"{{{ADHOC}}}complete")
                told.append(_form(command, offered))
                return told
            nothing = command.offers is not None and not offered
            text = _NOTHING if nothing else command.answer(self._devices, asker, int(chosen) if offered else 0)
        except Fault:
            text = _LATER
        told.set("status", "completed")
        ET.SubElement(told, f"{{{ADHOC}}}note", {"type": "info"}).text = text
        return told


def _form(command: Command, offered: dict[str, str]) -> ET.Element:
    form = ET.Element(f"{{{FORMS}}}x", {"type": "form"})
    ET.SubElement(form, f"{{{FORMS}}}title").text = command.title
    field = ET.SubElement(form, f"{{{FORMS}}}field", {"type": "list-single", "var": "device", "label": "Device"})
    ET.SubElement(field, f"{{{FORMS}}}required")
    for number, text in offered.items():
        option = ET.SubElement(field, f"{{{FORMS}}}option", {"label": text})
        ET.SubElement(option, f"{{{FORMS}}}value").text = number
    return form
