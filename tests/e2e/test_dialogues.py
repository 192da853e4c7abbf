"""Prosody with the gate says to everybody what Prosody without it says: each dialogue is played against both, and compared.

The policy lets everything pass, so what differs is what the gate does to a server beside refusing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import pytest

from e2e.conftest import PASSWORD, Government, play
from e2e.dialogue import Stage, accounts, read
from e2e.test_flows import judged
from rig.installation import DOMAIN, Installation, in_folder
from rig.prosody import Prosody

DIALOGUES = sorted((Path(__file__).parent / "dialogues").glob("*.txt"))
EVERYBODY = '["verified", "suspended", "expired", "public", "room", "service", "remote"]'
POLICY = f'[[rule]]\nname = "open"\nfrom = {EVERYBODY}\nto = {EVERYBODY}\nrequire = "nothing"\n'


def every_account() -> list[tuple[str, str]]:
    return [(name, PASSWORD) for path in DIALOGUES for name in sorted(accounts(path))]


@pytest.fixture(scope="module")
def plain() -> Iterator[Prosody]:
    """Prosody as Debian has it."""
    folder = in_folder("plain")
    prosody = Prosody(folder, DOMAIN)
    try:
        prosody.register(every_account())
        prosody.start()
        yield prosody
        assert "Traceback" not in prosody.log_text()
    finally:
        prosody.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def gated() -> Iterator[Installation]:
    """The same with Apostille's gate beside it, set up as `apostille init` says; without rosters, which add to what is said on purpose."""
    folder = in_folder("gated")
    installation = Installation(folder, host_modules=("apostille_gate",))
    try:
        (installation.home / "policy.toml").write_text(POLICY)
        installation.prosody.register(every_account())
        installation.prosody.start()
        installation.serve("gate")
        yield installation
        assert "Traceback" not in installation.prosody.log_text()
    finally:
        installation.stop()
        shutil.rmtree(folder, ignore_errors=True)


def heard(path: Path, prosody: Prosody) -> dict[str, list[str]]:
    stage = Stage(path, DOMAIN, prosody.rooms, PASSWORD, prosody.c2s_port, prosody.ca)
    return play(stage.play, limit=60)


@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
def test_everybody_hears_the_same_with_and_without_the_gate(path: Path, plain: Prosody, gated: Installation) -> None:
    without, by_gate = heard(path, plain), heard(path, gated.prosody)
    assert without.keys() == by_gate.keys()
    for who, lines in without.items():
        differences = "\n".join(unified_diff(lines, by_gate[who], f"{who}, without", f"{who}, with the gate", lineterm="", n=1))
        assert not differences, differences


def test_the_gate_was_asked_about_what_was_said(gated: Installation) -> None:
    path = DIALOGUES[0].with_name("order.txt")
    before = len(judged(Government(gated)))
    heard(path, gated.prosody)
    said = sum(step.xml.count("<body>") for step in read(path) if step.verb == "says")
    assert len(judged(Government(gated))) - before == said > 0
