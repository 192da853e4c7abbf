"""One government per module: a real Prosody, a real Apostille, and four officials of one unit."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from rig.client import Client
from rig.installation import DOMAIN, Installation, in_folder

T = TypeVar("T")
PASSWORD = "test"
NAMES = ("asha", "boris", "clara", "dmitri")
EVERYBODY = '["verified", "remote", "service", "room"]'
SEALED_POLICY = f'[[rule]]\nname = "sealed"\nfrom = {EVERYBODY}\nto = {EVERYBODY}\nrequire = "omemo"\nextras = ["subject"]\n'
HOST_MODULES = ("apostille_gate", "apostille_rosters", "admin_shell")
OPEN_POLICY = '[[rule]]\nname = "open"\nfrom = ["verified"]\nto = ["verified", "room"]\nrequire = "nothing"\n'


class Government:
    """What a test needs of an installation: clients, and a change of policy."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.prosody = installation.prosody

    def client(self, name: str, resource: str = "here") -> Client:
        """A plain client, not yet online."""
        return Client(f"{name}@{DOMAIN}/{resource}", PASSWORD, port=self.prosody.c2s_port, ca=self.prosody.ca)

    @asynccontextmanager
    async def online(self, *names: str) -> AsyncIterator[list[Client]]:
        """Plain clients, online; logged out at the end."""
        async with present(*(self.client(*name.split("/")) for name in names)) as clients:
            yield clients

    def jid(self, name: str) -> str:
        """A bare JID."""
        return f"{name}@{DOMAIN}"


@asynccontextmanager
async def present(*clients: Client) -> AsyncIterator[list[Client]]:
    """Clients, online; logged out at the end."""
    for client in clients:
        await client.online()
    try:
        yield list(clients)
    finally:
        for client in clients:
            await client.offline()


def play(act: Callable[[], Awaitable[T]], limit: float = 120.0) -> T:
    """Run one test's conversation; a silence is an error, not a hang."""

    async def bounded() -> T:
        return await asyncio.wait_for(act(), limit)

    return asyncio.run(bounded())


def govern(
    name: str,
    policy: str | None = None,
    people: tuple[str, ...] = NAMES,
    guarded: tuple[str, ...] = (),
    before: Callable[[Installation], None] = lambda _: None,
    **server: Any,
) -> Iterator[Government]:
    """Set up, and take down, a government.

    `policy` replaces the default one, `guarded` are components that the settings name, `before` is called before anything runs. The
    second line (mod_firewall) is there, and must not change anything.
    """
    folder = in_folder(name)
    installation = Installation(folder, **{"firewall": True, "host_modules": HOST_MODULES, **server})
    try:
        if policy is not None:
            (installation.home / "policy.toml").write_text(policy)
        if guarded:
            text = installation.settings.read_text().replace("[server]", f"[server]\ncomponents = {list(guarded)}")
            installation.settings.write_text(text)
        before(installation)
        installation.prosody.register((one, PASSWORD) for one in people)
        installation.prosody.start()
        installation.import_officials(people)
        installation.serve()
        yield Government(installation)
        log = installation.prosody.log_text()
        assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:3000]
        assert "Traceback" not in installation.serve_log(), installation.serve_log()[-3000:]
    finally:
        installation.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def strict() -> Iterator[Government]:
    """The default policy: OMEMO between officials."""
    yield from govern("strict")


@pytest.fixture(scope="module")
def lenient() -> Iterator[Government]:
    """A policy that lets plaintext pass, for tests that count messages and not what is in them."""
    yield from govern("lenient", OPEN_POLICY)
