"""A small rig for the rosters: one Prosody on loopback, one ordinary client, and rosters as XML."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from slixmpp import ClientXMPP
from slixmpp.exceptions import IqError

SCRIPT = Path(__file__).with_name("rosters_process.py")
MODULES = Path(__file__).parents[2] / "deploy/prosody/modules"
DOMAIN = "gov.example"
NS = "apostille:roster:0"
STORAGES = {"internal": 'storage = "internal"', "sqlite": 'storage = "sql"\nsql = { driver = "SQLite3", database = "prosody.sqlite" }'}
CONFIGURATION = """
run_as_root = true
daemonize = false
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
plugin_paths = {{ "{modules}" }}
log = {{ debug = "{folder}/prosody.log" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {c2s} }}
component_ports = {{ {component} }}
s2s_ports = {{}}
c2s_require_encryption = false
authentication = "internal_plain"
modules_enabled = {{ "roster", "saslauth", "disco", "pep", "ping", "blocklist", "register" }}
modules_disabled = {{ "s2s", "tls" }}
{storage}
VirtualHost "{domain}"
  modules_enabled = {{ "apostille_rosters" }}
Component "rosters.{domain}"
  component_secret = "secret"
Component "other.{domain}"
  component_secret = "secret"
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One Prosody in a folder, and the component's process when it is wanted."""

    def __init__(self, folder: Path, storage: str) -> None:
        self.folder, self.c2s, self.component = folder, free_port(), free_port()
        (folder / "data").mkdir()
        self.config = folder / "prosody.cfg.lua"
        ports = {"c2s": self.c2s, "component": self.component}
        text = CONFIGURATION.format(folder=folder, modules=MODULES, domain=DOMAIN, storage=STORAGES[storage], **ports)
        self.config.write_text(text, "utf-8")
        self.process = subprocess.Popen(["prosody", "--config", str(self.config), "-F"], stdout=subprocess.DEVNULL)
        until(lambda: all(map(listening, ports.values())), 20)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def account(self, *names: str) -> None:
        for name in names:
            subprocess.run(["prosodyctl", "--config", str(self.config), "register", name, DOMAIN, "pass"], check=True, capture_output=True)

    def tree(self, **units: str) -> None:
        """Everybody's unit; the tree's revision is the file's content."""
        (self.folder / "tree.new").write_text(json.dumps(units), "utf-8")
        (self.folder / "tree.new").replace(self.folder / "tree.json")

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        with self._script("serve", str(self.folder)) as script:
            try:
                yield
            finally:
                script.send_signal(signal.SIGTERM)
                script.wait(10)

    def raw(self, component: str, payload: str) -> str:
        """The answer to an IQ set of `component` to the domain."""
        with self._script("raw", f"{component}.{DOMAIN}", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as script:
            return script.communicate(payload.encode(), 60)[0].decode().strip()

    def _script(self, *arguments: str, **pipes: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, SCRIPT, arguments[0], str(self.component), *arguments[1:]], **pipes)  # type: ignore[call-overload,no-any-return]


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.02)


class Client(ClientXMPP):
    """An ordinary client on loopback, that notes what it hears."""

    def __init__(self, server: Server, name: str) -> None:
        plain = {"feature_mechanisms": {"unencrypted_scram": True, "unencrypted_plain": True}}
        super().__init__(f"{name}@{DOMAIN}/phone", "pass", plugin_config=plain)
        self.enable_starttls = self.enable_direct_tls = False
        self.enable_plaintext = True
        self.auto_authorize = self.auto_subscribe = None  # type: ignore[assignment]
        self.port, self.version = server.c2s, 0
        self.pushes: list[str] = []
        self.heard: list[tuple[str, str]] = []
        self.add_event_handler("roster_update", self._on_roster)
        for kind in ("available", "unavailable", "unsubscribe", "unsubscribed", "error"):
            self.add_event_handler(f"presence_{kind}", self._on_presence)

    def _on_roster(self, iq: Any) -> None:
        if iq["type"] == "set":
            self.pushes += [str(jid) for jid in iq["roster"]["items"]]

    def _on_presence(self, presence: Any) -> None:
        self.heard.append((str(presence["from"].node), str(presence["type"])))

    async def __aenter__(self) -> Client:
        self.connect("127.0.0.1", self.port)
        await self.wait_until("session_start", timeout=5)
        await self.items()
        self.send_presence()
        await self.until(lambda: (self.boundjid.node, "available") in self.heard)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.disconnect()

    async def until(self, true: Callable[[], bool], seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, (self.boundjid.node, self.heard, self.pushes)
            await asyncio.sleep(0.01)

    async def items(self) -> dict[str, tuple[str, str, list[str]]]:
        """The roster as the server tells it: local part to subscription, name and groups."""
        answer = await self.make_iq_get(queryxmlns="jabber:iq:roster").send(timeout=10)  # type: ignore[no-untyped-call]  # always all of it: no version
        query = answer.xml.find("{jabber:iq:roster}query")
        self.version = int(query.get("ver"))
        return {
            item.get("jid").partition("@")[0]: (
                item.get("subscription"),
                item.get("name", ""),
                sorted(group.text for group in item),
            )
            for item in query
        }

    async def eventually(self, *names: str) -> None:
        """Wait until the roster holds these managed contacts and no others."""
        end = time.monotonic() + 10
        while sorted(name for name, (_, _, groups) in (await self.items()).items() if groups != ["Friends"]) != sorted(names):
            assert time.monotonic() < end, await self.items()
            await asyncio.sleep(0.05)

    async def edit(self, name: str, /, **attributes: str) -> str:
        """The error condition of a roster set, or nothing."""
        iq = self.make_iq_set()
        iq["roster"]["items"] = {f"{name}@{DOMAIN}": {"groups": ["Friends"], **attributes}}
        return await self.condition(iq)

    async def condition(self, iq: Any) -> str:
        try:
            await iq.send(timeout=10)
        except IqError as error:
            return str(error.condition)
        return ""


def fill(owner: str, items: Mapping[str, str]) -> str:
    each = "".join(f"<item jid='{name}@{DOMAIN}' name='{name}' subscription='{how}'><group>G</group></item>" for name, how in items.items())
    return f"<roster jid='{owner}@{DOMAIN}'>{each}</roster>"


def fills(*rosters: str) -> str:
    return f"<fill xmlns='{NS}'>{''.join(rosters)}</fill>"
