"""`apostille ledger`: whether it is whole, where it is not, and what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from apostille.tlog import proof
from installation import Installation, run
from messages import BORIS, change, legacy, message


def verified(installation: Installation, *more: str | Path) -> list[str]:
    """Where `ledger verify` finds something."""
    result = installation.run("ledger", "verify", "--json", *more)
    told = json.loads(result.stdout)
    assert told["ok"] is not bool(told["findings"])
    assert result.exit_code == (0 if told["ok"] else 1)
    return [finding["where"] for finding in told["findings"]]


def test_a_ledger_that_nobody_touched_is_whole(filled: Installation) -> None:
    result = filled.run("ledger", "verify")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "The ledger is whole: 4 entries, every tile and the signed checkpoint fit together.\n"
    assert verified(filled, "--key", filled.vkey()) == []
    assert json.loads(filled.run("ledger", "verify", "--json").stdout)["entries"] == 4


def test_every_flipped_bit_of_an_entry_is_found_where_it_is(filled: Installation) -> None:
    for byte in (1, 40, 200):
        filled.sql(
            'UPDATE ledger_entries SET data = CAST(substr(data, 1, ?) || x\'21\' || substr(data, ? + 2) AS BLOB) WHERE "index" = 1',
            byte,
            byte,
        )
        assert verified(filled)[0] == "entry 1"


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ('DELETE FROM ledger_entries WHERE "index" = 2', "entry 2"),
        ('UPDATE ledger_entries SET data = x\'00\' WHERE "index" = 0', "entry 0"),
        ("UPDATE ledger_tiles SET data = zeroblob(length(data))", "tile 0/0"),
        ("DELETE FROM ledger_tiles", "tile 0/0"),
        ("UPDATE ledger_checkpoints SET note = x'00'", "checkpoint"),
        ("DELETE FROM ledger_checkpoints", "checkpoint"),
        ("INSERT INTO ledger_entries VALUES (4, x'7b7d')", "entry 4"),
    ],
)
def test_whatever_is_changed_behind_the_ledgers_back_is_found(statement: str, where: str, filled: Installation) -> None:
    filled.sql(statement)
    assert any(one.startswith(where) for one in verified(filled)), verified(filled)
    result = filled.run("ledger", "verify")
    assert result.exit_code == 1
    assert "the ledger is NOT whole" in result.stderr


def test_a_ledger_cut_back_to_an_earlier_state_is_found_by_a_checkpoint_that_was_kept(filled: Installation, tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text(filled.run("ledger", "checkpoint").stdout, encoding="utf-8")
    assert verified(filled, "--known", kept) == []
    filled.judge(message(legacy(), id="m9"))
    assert verified(filled, "--known", kept) == []
    kept.write_text(filled.run("ledger", "checkpoint").stdout.replace("\n5\n", "\n4\n"), encoding="utf-8")
    assert verified(filled, "--known", kept) != []


def test_another_key_is_not_trusted(filled: Installation, empty_key: str) -> None:
    assert verified(filled, "--key", empty_key) == ["checkpoint"]


@pytest.fixture
def empty_key(tmp_path: Path) -> str:
    result = run("init", tmp_path / "other", "--domain", "gov.example")
    return result.stdout.splitlines()[-1].strip()


@pytest.mark.parametrize("key", ["nonsense", "a+b+c", "gov.example/ledger+00000000+AQ=="])
def test_a_key_that_is_none_is_refused(key: str, filled: Installation) -> None:
    result = filled.run("ledger", "verify", "--key", key)
    assert result.exit_code == 1
    assert result.stderr.startswith("--key: ")


def test_an_export_is_verified_without_settings_and_can_be_added_to(filled: Installation, tmp_path: Path) -> None:
    tiles = tmp_path / "tiles"
    assert filled.run("ledger", "export", tiles).stdout == f"{tiles}: 4 entries\n"
    filled.judge(message(legacy(), id="m9"))
    assert filled.run("ledger", "export", tiles).stdout == f"{tiles}: 5 entries\n"
    result = run("ledger", "verify", "--folder", tiles, "--key", filled.vkey())
    assert (result.exit_code, result.stderr) == (0, "")
    assert "5 entries" in result.stdout
    for path in sorted(tiles.rglob("*")):
        if path.is_file() and "entries" in str(path):
            path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert run("ledger", "verify", "--folder", tiles, "--key", filled.vkey()).exit_code == 1


def test_a_folder_says_nothing_of_whom_to_trust_and_may_hold_nothing(filled: Installation, tmp_path: Path) -> None:
    assert run("ledger", "verify", "--folder", tmp_path).exit_code == 2
    assert run("ledger", "verify", "--folder", tmp_path / "none", "--key", "x").exit_code == 2
    assert run("ledger", "verify", "--folder", tmp_path, "--key", filled.vkey()).exit_code == 1


def test_an_export_that_cannot_be_written_is_the_fault_of_the_environment(filled: Installation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = filled.run("ledger", "export", tmp_path / "file" / "tiles")
    assert result.exit_code == 3
    assert str(tmp_path / "file") in result.stderr


def test_an_entry_is_shown_with_a_proof_that_holds(filled: Installation) -> None:
    result = filled.run("ledger", "show", "0")
    assert result.exit_code == 0
    shown, _, text = result.stdout.partition("\n\n")
    record = json.loads(shown)
    assert (record["id"], record["from"]) == ("m0", "boris.volkov@gov.example")
    entry = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert proof.verify(text, entry, [filled.vkey()])[0] == 0


def test_an_entry_that_is_not_there_is_a_no(filled: Installation) -> None:
    result = filled.run("ledger", "show", "4")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "there is no entry 4\n")
    assert filled.run("ledger", "show", "--", "-1").exit_code == 2
    assert filled.run("ledger", "show", "x").exit_code == 2
    assert filled.run("ledger", "show", str(2**53)).exit_code == 1
    assert filled.run("ledger", "show", str(2**53 + 1)).exit_code == 2


def test_an_entry_that_was_changed_is_not_shown(filled: Installation) -> None:
    filled.sql("UPDATE ledger_entries SET data = x'00ff' WHERE \"index\" = 0")
    result = filled.run("ledger", "show", "0")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "entry 0 cannot be proved" in result.stderr


def test_checkpoint_and_key_are_what_auditors_keep(filled: Installation) -> None:
    checkpoint = filled.run("ledger", "checkpoint").stdout
    assert checkpoint.startswith("gov.example/ledger\n4\n")
    assert re.fullmatch(r"gov\.example/ledger\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", filled.vkey())


def test_a_ledger_that_begins_is_whole_and_empty(empty: Installation) -> None:
    assert verified(empty) == []
    assert empty.run("ledger", "show", "0").exit_code == 1


@pytest.mark.parametrize("content", [b"garbage " * 1000, b""])
@pytest.mark.parametrize("verb", [("verify",), ("checkpoint",), ("show", "0"), ("export", "tiles")])
def test_a_database_that_is_none_is_the_fault_of_the_environment(
    verb: tuple[str, ...], content: bytes, filled: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(filled.folder)
    for leftover in filled.folder.glob("apostille.sqlite-*"):
        leftover.unlink()
    filled.database.write_bytes(content)
    result = filled.run("ledger", *verb)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("database: ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["ledger.key", "apostille.toml"])
def test_a_file_that_is_missing_is_the_fault_of_the_environment(name: str, filled: Installation) -> None:
    (filled.folder / name).unlink()
    result = filled.run("ledger", "verify")
    assert result.exit_code == 3
    assert name in result.stderr


def test_a_change_of_devices_is_verified_shown_and_exported_like_any_other_entry(filled: Installation, tmp_path: Path) -> None:
    assert [one.record for one in filled.judge(changes=(change(11, 12),))] == [4]
    assert verified(filled) == []
    result = filled.run("ledger", "show", "4")
    assert result.exit_code == 0
    assert '"kind"' in result.stdout
    assert BORIS in result.stdout
    assert filled.run("ledger", "export", tmp_path / "tiles").exit_code == 0
    assert run("ledger", "verify", "--folder", tmp_path / "tiles", "--key", filled.vkey()).exit_code == 0
