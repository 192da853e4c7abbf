"""`apostille policy`: what the rules say, and whether a file can be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from installation import Installation

RULES = """
[[rule]]
name = "chiefs"
from = ["verified"]
to = ["room", "verified"]
kinds = ["groupchat"]
versions = ["2"]
extras = ["subject"]
stage = "warn"
[[rule]]
name = "all"
from = ["verified"]
to = ["verified"]
"""


def test_the_rules_are_shown_in_order_and_what_follows_them(empty: Installation) -> None:
    (empty.folder / "policy.toml").write_text(RULES, encoding="utf-8")
    result = empty.run("policy", "show")
    assert result.exit_code == 0
    assert result.stdout == (
        "1. chiefs\n"
        "   from verified to room, verified (groupchat)\n"
        "   requires omemo (2), with subject; stage: warn\n"
        "2. all\n"
        "   from verified to verified (chat, component, groupchat, private)\n"
        "   requires omemo (0.3, 2); stage: enforce\n"
        "Everything else is refused.\n"
    )


def test_software_is_told_the_same(empty: Installation) -> None:
    (empty.folder / "policy.toml").write_text(RULES, encoding="utf-8")
    chiefs, everybody = json.loads(empty.run("policy", "show", "--json").stdout)
    assert chiefs == {
        "name": "chiefs",
        "from": ["verified"],
        "to": ["room", "verified"],
        "kinds": ["groupchat"],
        "require": "omemo",
        "versions": ["2"],
        "extras": ["subject"],
        "stage": "warn",
    }
    assert everybody["name"] == "all"


def test_an_empty_policy_says_what_it_does(empty: Installation) -> None:
    (empty.folder / "policy.toml").write_text("", encoding="utf-8")
    assert empty.run("policy", "show").stdout == "Everything else is refused.\n"
    assert json.loads(empty.run("policy", "show", "--json").stdout) == []
    assert "every message would be refused" in empty.run("policy", "check").stdout


def test_a_policy_is_checked_before_it_is_used(empty: Installation, tmp_path: Path) -> None:
    assert "policy.toml: 1 rule" in empty.run("policy", "check").stdout
    other = tmp_path / "other.toml"
    other.write_text(RULES, encoding="utf-8")
    assert empty.run("policy", "check", other).stdout == f"{other}: 2 rules\n"


@pytest.mark.parametrize("content", [b"[rule]\n", b"\xff", b"rule = ", b"[[rule]]\nname = 'a'\nfrom = ['king']\nto = []"])
def test_a_policy_that_cannot_be_read_is_a_no_with_its_reason(content: bytes, empty: Installation) -> None:
    (empty.folder / "policy.toml").write_bytes(content)
    for verb in ("show", "check"):
        result = empty.run("policy", verb)
        assert (result.exit_code, result.stdout) == (1, "")
        assert str(empty.folder / "policy.toml") in result.stderr


def test_a_file_that_is_missing_or_a_folder_is_the_fault_of_the_environment(empty: Installation, tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        result = empty.run("policy", "check", path)
        assert (result.exit_code, result.stdout) == (3, "")
        assert str(path) in result.stderr
