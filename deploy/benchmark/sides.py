"""Servers to compare, each with the clients of its own: one configuration, with Apostille, without, and with a rival.

Knows how to start them and what they have used; refuses to know what is measured.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmark.generator import PASSWORD, PEOPLE, Generator
from rig.installation import DOMAIN, Installation, in_folder
from rig.prosody import Prosody

_POLICY = '[[rule]]\nname = "bench"\nfrom = ["verified"]\nto = ["verified"]\nrequire = "{}"\n'
# The same decision as far as a static rule can make it, without knowing who is verified and without writing anything down.
_FIREWALL = """\
::preroute
KIND: message
TYPE: chat
INSPECT: body#
NOT INSPECT: {eu.siacs.conversations.axolotl}encrypted
BOUNCE=policy-violation (Please encrypt your message.)
"""
_TICK = os.sysconf("SC_CLK_TCK")


class Side:
    """One server under load; `component` is Apostille's process beside it."""

    def __init__(self, prosody: Prosody, component: int | None = None) -> None:
        assert prosody.pid is not None
        self.server, self.component = prosody.pid, component
        self.load = Generator(DOMAIN, prosody.c2s_port, prosody.ca)


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def resident(pid: int) -> int:
    """Kilobytes of memory that a process holds."""
    return next(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))


def _folder(stack: ExitStack, name: str) -> Path:
    folder = in_folder(name)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _start(stack: ExitStack, prosody: Prosody) -> None:
    prosody.register((name, PASSWORD) for name in PEOPLE)
    stack.callback(prosody.stop)
    prosody.start()


def _side(stack: ExitStack, prosody: Prosody, component: int | None = None) -> Side:
    side = Side(prosody, component)
    stack.callback(side.load.stop)
    return side


def _gated(stack: ExitStack, kind: str) -> Side:
    installation = Installation(_folder(stack, "bench"))
    (installation.home / "policy.toml").write_text(_POLICY.format("omemo" if kind == "omemo" else "nothing"))
    _start(stack, installation.prosody)
    installation.import_officials(PEOPLE)
    stack.callback(installation.stop)
    installation.serve()
    return _side(stack, installation.prosody, installation.pid)


def _bare(stack: ExitStack) -> Side:
    prosody = Prosody(_folder(stack, "bench-bare"), DOMAIN)
    _start(stack, prosody)
    return _side(stack, prosody)


def _firewall(stack: ExitStack) -> Side:
    folder = _folder(stack, "bench-firewall")
    rules = folder / "rules.pfw"
    rules.write_text(_FIREWALL)
    prosody = Prosody(folder, DOMAIN, host_modules=["firewall"], host_extra=f'firewall_scripts = {{ "{rules}" }}')
    _start(stack, prosody)
    return _side(stack, prosody)


@contextmanager
def servers(kind: str) -> Iterator[tuple[Side, Side, Side]]:
    """One server with Apostille, one without, one with mod_firewall, all with the same configuration and the same clients."""
    with ExitStack() as stack:
        yield _gated(stack, kind), _bare(stack), _firewall(stack)
