"""The stage: officials with devices on one installation, and a book of what was expected and what was seen.

Knows how a step is told; refuses to know what is played.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from rig.client import Client
from rig.installation import DOMAIN, REPOSITORY, Installation
from rig.omemo import OmemoClient

PASSWORD = "apostille-demo"
_STEP_LIMIT = 60.0  # seconds; a step that hangs is a step that failed


@dataclass(frozen=True, slots=True)
class Step:
    """One step as `--json` tells it."""

    step: str
    expected: str
    seen: str
    ok: bool


class Book:
    """Plays steps one by one and writes down what was seen."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    async def play(self, name: str, expected: str, act: Callable[[], Awaitable[tuple[bool, str]]]) -> bool:
        """Play one step; an exception in it is a failed step, not a failed demonstration."""
        began = time.monotonic()
        try:
            ok, seen = await asyncio.wait_for(act(), _STEP_LIMIT)
        except Exception as error:
            ok, seen = False, f"{type(error).__name__}: {error}"
            if not isinstance(error, AssertionError | TimeoutError):
                traceback.print_exc()
        self.steps.append(Step(name, expected, seen, ok))
        mark = click.style("ok  ", fg="green") if ok else click.style("FAIL", fg="red", bold=True)
        click.echo(f"{mark} {len(self.steps):2}. {click.style(name, bold=True)}  ({time.monotonic() - began:.1f} s)")
        click.echo(f"         expected: {expected}")
        click.echo(f"         seen:     {seen}")
        sys.stdout.flush()
        return ok

    @property
    def ok(self) -> bool:
        """Whether everything was as expected."""
        return bool(self.steps) and all(step.ok for step in self.steps)

    def write(self, path: Path) -> None:
        """Write `[{"step","expected","seen","ok"}]`."""
        path.write_text(json.dumps([asdict(step) for step in self.steps], ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


class Stage:
    """The installation, and clients for its officials."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.aioxmpp_python = REPOSITORY / ".venv-aioxmpp" / "bin" / "python"
        self._clients: list[Client] = []

    def jid(self, name: str, resource: str = "") -> str:
        """The JID of an official."""
        return f"{name}@{DOMAIN}/{resource}" if resource else f"{name}@{DOMAIN}"

    async def omemo(self, name: str, resource: str) -> OmemoClient:
        """One device of an official, online, with OMEMO of both versions."""
        prosody = self.installation.prosody
        keys = self.installation.folder / f"keys-{name}-{resource}.json"
        client = OmemoClient(self.jid(name, resource), PASSWORD, port=prosody.c2s_port, ca=prosody.ca, keys=keys)
        await client.online()
        self._clients.append(client)
        return client

    async def close(self) -> None:
        """Log everybody out."""
        for client in self._clients:
            await client.offline()
        self._clients.clear()
