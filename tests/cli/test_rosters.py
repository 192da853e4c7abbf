"""`apostille rosters`, as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from apostille import bootstrap
from apostille.cli.rosters import rosters
from apostille.rosters.rules import Member
from apostille.rosters.service import Rosters
from apostille.vocabulary import Address
from doubles_rosters import MemoryApplied, MemoryTree


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> Rosters:
    people = [Member(Address("gov.example", name), name.title(), "gov/tax", "Clerk", 1) for name in ("aigul", "bolot")]
    built = Rosters(MemoryTree(people, {"gov": "Government", "gov/tax": "Tax"}), MemoryApplied())
    monkeypatch.setattr(bootstrap, "rosters", lambda _settings: built)
    return built


def run(*arguments: str) -> Result:
    return CliRunner().invoke(rosters, list(arguments), obj=Path("apostille.toml"))


def test_show_prints_a_roster() -> None:
    result = run("show", "Aigul@gov.example")
    assert result.exit_code == 0
    assert result.stdout == "both bolot@gov.example  Bolot, Clerk  [Government :: Tax]\n1 contact\n"


def test_show_prints_json() -> None:
    (item,) = json.loads(run("show", "aigul@gov.example", "--json").stdout)
    assert item == {"jid": "bolot@gov.example", "name": "Bolot, Clerk", "subscription": "both", "groups": ["Government :: Tax"]}


@pytest.mark.parametrize("jid", ["stranger@gov.example", "@"])
def test_show_says_no_to_a_stranger_and_to_nonsense(jid: str) -> None:
    result = run("show", jid)
    assert result.exit_code == 1
    assert jid in result.stderr


def test_plan_prints_what_would_be_written() -> None:
    result = run("plan")
    assert result.exit_code == 0
    assert result.stdout == "aigul@gov.example  +1 ~0 -0\nbolot@gov.example  +1 ~0 -0\n2 rosters would be written\n"


def test_plan_prints_json() -> None:
    rows = json.loads(run("plan", "--json").stdout)
    assert rows[0] == {"jid": "aigul@gov.example", "added": 1, "changed": 0, "removed": 0}
