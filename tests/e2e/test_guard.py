"""No gate, no login: whatever took the gate module away, nobody begins a session, and nobody keeps one."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import HOST_MODULES, NAMES, PASSWORD, Government, play
from rig.client import NotOnline
from rig.installation import DOMAIN, MODULES, Installation, in_folder
from rig.wire import WireClient

WHY = "the service that checks messages is not running on this server"
GATE = "mod_apostille_gate.lua"
UNHOOK = (
    f"> local e, gate = prosody.hosts['{DOMAIN}'].events, prosody.hosts['{DOMAIN}'].modules.apostille_gate.module; "
    "local found = {}; for _, h in ipairs(e.get_handlers('message/host')) do "
    "if gate.event_handlers:get(e, 'message/host', h) then table.insert(found, h) end end; "
    "for _, h in ipairs(found) do e.remove_handler('message/host', h) end; return #found"
)


@contextmanager
def a_server(change: Callable[[str], str] | None = None, **more: Any) -> Iterator[Government]:
    """A Prosody with the wrapper and without `apostille serve`; `change` rewrites the gate's file before the start."""
    folder = in_folder("guard")
    try:
        modules = Path(shutil.copytree(MODULES, folder / "modules"))
        if change is not None:
            (modules / GATE).write_text(change((modules / GATE).read_text()))
        installation = Installation(folder, modules=modules, allow_broken_modules=True, **{"host_modules": HOST_MODULES} | more)
        installation.prosody.register((one, PASSWORD) for one in NAMES)
        installation.prosody.start()
        try:
            yield Government(installation)
        finally:
            installation.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wire(government: Government, password: str = PASSWORD, name: str = "asha") -> WireClient:
    return WireClient(name, DOMAIN, password, government.prosody.c2s_port, government.prosody.ca)


def rewrite(government: Government, change: Callable[[str], str]) -> None:
    path = government.installation.folder / "modules" / GATE
    path.write_text(change(path.read_text()))


def unparsable(source: str) -> str:
    return source + "\nlocal function ("


def failing(source: str) -> str:
    return source + '\nerror("a failure while it loads")'


async def nobody_logs_in(government: Government) -> None:
    with pytest.raises(NotOnline, match="not authorised: temporary-auth-failure"):
        await government.client("asha").online()  # SCRAM
    with pytest.raises(ConnectionError, match=f"<temporary-auth-failure/><text>Nobody can log in at the moment: {WHY}"):
        await wire(government).log_in("PLAIN")
    log = government.prosody.log_text()
    assert "A login was refused: mod_apostille_gate is not in place on gov.example. See whether it stands in modules_enabled" in log


async def everybody_logs_in(government: Government) -> None:
    async with government.online("asha"):
        pass
    client = wire(government)
    await client.online()
    await client.offline()


@pytest.fixture(scope="module")
def guarded() -> Iterator[Government]:
    with a_server() as government:
        yield government


def test_with_the_gate_in_place_one_logs_in_and_not_with_a_wrong_password(guarded: Government) -> None:
    async def act() -> None:
        await everybody_logs_in(guarded)
        with pytest.raises(ConnectionError, match="<not-authorized/>"):
            await wire(guarded, "wrong").log_in()

    play(act)


MISSING: dict[str, dict[str, Any]] = {
    "not in modules_enabled": {"host_modules": HOST_MODULES[1:]},
    "in modules_disabled": {"host_extra": 'modules_disabled = { "s2s"; "apostille_gate" }'},
    "syntax error": {"change": unparsable},
    "error at load": {"change": failing},
}


@pytest.mark.parametrize("more", MISSING.values(), ids=MISSING)
def test_where_the_gate_did_not_load_nobody_logs_in(more: dict[str, Any]) -> None:
    with a_server(**more) as government:
        play(lambda: nobody_logs_in(government))


def test_accounts_are_managed_through_the_wrapper_with_the_gate_and_without(guarded: Government) -> None:
    shell = guarded.prosody.shell

    async def logs_in(password: str) -> None:
        client = wire(guarded, password, "elena")
        await client.online()
        await client.offline()

    shell("user", "create", f"elena@{DOMAIN}", "first")
    play(lambda: logs_in("first"))
    shell("module", "unload", "apostille_gate", DOMAIN)
    try:
        shell("user", "password", f"elena@{DOMAIN}", "second")
        shell("user", "create", f"felix@{DOMAIN}", "third")
        assert f"felix@{DOMAIN}" in shell("user", "list", DOMAIN)
    finally:
        shell("module", "load", "apostille_gate", DOMAIN)
    play(lambda: logs_in("second"))
    shell("user", "delete", f"elena@{DOMAIN}")
    with pytest.raises(ConnectionError, match="<not-authorized/>"):
        play(lambda: logs_in("second"))


def test_prosodyctl_makes_accounts_while_the_server_is_down(guarded: Government) -> None:
    guarded.prosody.stop()
    guarded.prosody.control("register", "gita", DOMAIN, PASSWORD)
    guarded.prosody.start()

    async def act() -> None:
        client = wire(guarded, name="gita")
        await client.online()
        await client.offline()

    play(act)


def test_a_gate_that_is_unloaded_closes_every_session_and_nobody_logs_in_until_it_is_back(guarded: Government) -> None:
    async def act() -> None:
        asha, boris = guarded.client("asha"), wire(guarded, name="boris")
        await asha.online()
        await boris.online()
        said: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()
        asha.add_event_handler("stream_error", lambda error: said.set_result((error["condition"], error["text"])))
        await asyncio.to_thread(guarded.prosody.shell, "module", "unload", "apostille_gate", DOMAIN)
        condition, text = await asyncio.wait_for(said, 5)
        assert condition == "internal-server-error"
        assert WHY in text
        await boris.closed()
        assert "2 session(s) are closed: mod_apostille_gate is not in place" in guarded.prosody.log_text()
        await nobody_logs_in(guarded)
        await asyncio.to_thread(guarded.prosody.shell, "module", "load", "apostille_gate", DOMAIN)
        await everybody_logs_in(guarded)

    play(act)


def test_a_reload_closes_nobody_even_one_that_finds_a_syntax_error(guarded: Government) -> None:
    async def act() -> None:
        async with guarded.online("asha") as (asha,):
            await asyncio.to_thread(guarded.prosody.shell, "module", "reload", "apostille_gate", DOMAIN)
            before = (guarded.installation.folder / "modules" / GATE).read_text()
            rewrite(guarded, unparsable)
            try:
                with pytest.raises(RuntimeError, match="near"):
                    await asyncio.to_thread(guarded.prosody.shell, "module", "reload", "apostille_gate", DOMAIN)
            finally:
                rewrite(guarded, lambda _: before)
            refusal = await asha.refusal(await asha.say(guarded.jid("boris"), "the gate component is away"))
            assert refusal.type == "wait", "still asked"
            await everybody_logs_in(guarded)

    play(act)


@pytest.mark.parametrize("name", ["auth_internal_hashed", "auth_apostille"])
def test_a_reload_of_the_wrapper_or_of_what_it_wraps_changes_nothing(guarded: Government, name: str) -> None:
    guarded.prosody.shell("module", "reload", name, DOMAIN)
    play(lambda: everybody_logs_in(guarded))
    guarded.prosody.shell("module", "unload", "apostille_gate", DOMAIN)
    try:
        play(lambda: nobody_logs_in(guarded))
    finally:
        guarded.prosody.shell("module", "load", "apostille_gate", DOMAIN)


def test_a_reload_that_fails_closes_every_session(guarded: Government) -> None:
    async def act() -> None:
        asha = wire(guarded)
        await asha.online()
        before = (guarded.installation.folder / "modules" / GATE).read_text()
        rewrite(guarded, failing)
        try:
            with pytest.raises(RuntimeError, match="a failure while it loads"):
                await asyncio.to_thread(guarded.prosody.shell, "module", "reload", "apostille_gate", DOMAIN)
        finally:
            rewrite(guarded, lambda _: before)
        await asha.closed()
        await nobody_logs_in(guarded)
        guarded.prosody.restart()
        await everybody_logs_in(guarded)

    play(act)


def test_who_has_proven_who_he_is_begins_no_session_once_the_gate_has_gone(guarded: Government) -> None:
    async def act() -> None:
        asha = wire(guarded)
        await asha.log_in()
        await asyncio.to_thread(guarded.prosody.shell, "module", "unload", "apostille_gate", DOMAIN)
        try:
            with pytest.raises(ConnectionError, match=WHY):
                await asha.begin()
        finally:
            await asyncio.to_thread(guarded.prosody.shell, "module", "load", "apostille_gate", DOMAIN)

    play(act)


def test_a_gate_that_is_loaded_and_has_lost_a_hook_does_not_count(guarded: Government) -> None:
    assert "Result: 1" in guarded.prosody.shell(UNHOOK)
    try:
        play(lambda: nobody_logs_in(guarded))
    finally:
        guarded.prosody.restart()


def test_a_provider_without_passwords_is_guarded_as_well() -> None:
    with a_server(host_extra='apostille_authentication = "anonymous"') as government:

        async def act() -> None:
            nobody = wire(government)
            await nobody.log_in("ANONYMOUS")
            await asyncio.to_thread(government.prosody.shell, "module", "unload", "apostille_gate", DOMAIN)
            with pytest.raises(ConnectionError, match="<temporary-auth-failure/>"):
                await wire(government).log_in("ANONYMOUS")

        play(act)
