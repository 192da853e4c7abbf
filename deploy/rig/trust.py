"""The OMEMO library as slixmpp loads it: keys, trust and the versions one device speaks.

Knows slixmpp-omemo and python-omemo (AGPL: test code only, never shipped with
Apostille). Knows nothing of what is said. Trust is blind: every device that an
account announces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Any, ClassVar

import oldmemo
import twomemo
from omemo.session_manager import SessionManager, UnknownNamespace
from omemo.storage import Storage
from slixmpp import Message
from slixmpp.plugins.base import register_plugin
from slixmpp_omemo import XEP_0384, TrustLevel
from slixmpp_omemo.xep_0384 import _make_session_manager

from rig.storage import Shelf

OLD = oldmemo.oldmemo.NAMESPACE
NEW = twomemo.twomemo.NAMESPACE


class BlindTrust(XEP_0384):
    """The plugin, answering what it leaves open: which keys, whom to trust, which versions.

    The session manager is built here because slixmpp-omemo always loads both versions.
    """

    default_config: ClassVar[dict[str, Any]] = {**XEP_0384.default_config, "shelf": None, "namespaces": ()}
    shelf: Shelf
    namespaces: Collection[str]
    retired = False
    _made: asyncio.Task[SessionManager] | None = None

    @property
    def storage(self) -> Storage:
        """This device's keys."""
        return self.shelf

    @property
    def _btbv_enabled(self) -> bool:
        return True

    async def _prompt_manual_trust(self, manually_trusted: Any, identifier: str | None) -> None:
        raise RuntimeError("blind trust never asks")

    async def get_session_manager(self) -> SessionManager:
        """The one session manager of this device, made at the first call."""
        if self._made is None:
            self._made = asyncio.ensure_future(self._make())
        return await asyncio.shield(self._made)

    @property
    def made(self) -> bool:
        """Whether there is a session manager to shut down."""
        return self._made is not None and self._made.done() and not self._made.exception()

    async def _make(self) -> SessionManager:
        kinds = {NEW: twomemo.Twomemo, OLD: oldmemo.Oldmemo}
        backends = [kind(self.shelf) for ns, kind in kinds.items() if ns in self.namespaces]
        manager = await _make_session_manager(self.xmpp, self).create(
            backends, self.shelf, self.xmpp.boundjid.bare, None, TrustLevel.UNDECIDED.value
        )
        await manager.ensure_data_consistency()
        await manager.after_history_sync()
        return manager

    async def _on_device_list_update(self, msg: Message) -> None:
        if self.retired:
            return  # python-omemo would put a device that was just removed back on the list
        with suppress(UnknownNamespace):  # of a version that this device does not speak
            await super()._on_device_list_update(msg)


register_plugin(BlindTrust)
