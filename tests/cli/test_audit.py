"""`apostille audit`: from an id to evidence, and the check that needs nothing but a file and a key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from installation import Installation, run
from messages import ANNA, BORIS, change


def told(result: Any) -> list[dict[str, Any]]:
    answer = json.loads(result.stdout)
    assert result.exit_code == (0 if answer["ok"] else 1)
    items: list[dict[str, Any]] = answer["items"]
    return items


def traced(installation: Installation, *arguments: str | Path) -> list[dict[str, Any]]:
    return told(installation.run("audit", "trace", *arguments, "--json"))


@pytest.fixture
def evidence(filled: Installation, tmp_path: Path) -> Path:
    file = tmp_path / "evidence.json"
    assert filled.run("audit", "trace", "--between", ANNA, BORIS, "--export", file).exit_code == 0
    return file


@pytest.mark.parametrize("stanza_id", ["m0", "o0", "archive-0"])
def test_a_message_is_traced_by_any_of_its_ids(stanza_id: str, filled: Installation) -> None:
    (item,) = traced(filled, "--stanza-id", stanza_id)
    assert (item["from"], item["to"], item["level"], item["entry"]) == (BORIS, ANNA, "E0", 0)
    assert item["stanza_ids"] == [{"by": ANNA, "id": "archive-0"}]
    assert item["encrypted"] == [{"namespace": "eu.siacs.conversations.axolotl", "payload": 25, "sid": 7}]
    assert item["checkpoint"] == {"origin": "gov.example/ledger", "size": 4}
    assert "what the message said" in item["not_proven"]


def test_a_person_reads_who_wrote_what_to_whom_and_what_is_not_proven(filled: Installation) -> None:
    result = filled.run("audit", "trace", "--stanza-id", "archive-0")
    assert result.exit_code == 0
    for line in (
        "E0 (metadata)",
        f"  first account known to this ledger   {BORIS}",
        f"  to          {ANNA}",
        "  origin-id   o0",
        f"  stanza-id   archive-0 (archive of {ANNA})",
        "  omemo       25 bytes, device 7 to 2 devices",
        "  not proven  what the message said",
        "  ledger      gov.example/ledger, entry 0 of 4; inclusion proof checked",
        "1 message, every proof holds.",
    ):
        assert line in result.stdout.splitlines()


def test_a_plaintext_that_was_observed_is_opened_by_the_exact_text_only(filled: Installation, tmp_path: Path) -> None:
    (item,) = traced(filled, "--stanza-id", "m1", "--text", "hello")
    assert (item["level"], item["plaintext_bytes"]) == ("E2p", [5])
    (item,) = traced(filled, "--stanza-id", "m1", "--text", "Hello")
    assert item["level"] == "E0"
    assert "the claimed text: it is NOT a text that the record commits to" in item["not_proven"]
    (tmp_path / "said.txt").write_text("hello", encoding="utf-8")
    assert traced(filled, "--stanza-id", "m1", "--text-file", tmp_path / "said.txt")[0]["level"] == "E2p"
    (tmp_path / "said.txt").write_text("hello\n", encoding="utf-8")
    assert traced(filled, "--stanza-id", "m1", "--text-file", tmp_path / "said.txt")[0]["level"] == "E0"
    shown = filled.run("audit", "trace", "--stanza-id", "m1", "--text", "hello").stdout
    assert shown.startswith("E2p (plaintext opened)")
    assert "rule officials; passed in spite of plaintext" in shown


def test_a_claim_about_an_encrypted_message_is_said_to_be_one(filled: Installation) -> None:
    (item,) = traced(filled, "--stanza-id", "m0", "--text", "hello")
    assert item["level"] == "E0"
    assert any("UNVERIFIED CLAIM" in line for line in item["not_proven"])


def test_all_between_two_are_found_both_ways_however_the_addresses_are_written(filled: Installation) -> None:
    for one, other in ((ANNA, BORIS), (BORIS.upper(), ANNA.title())):
        assert [item["id"] for item in traced(filled, "--between", one, other)] == ["m0", "m1", "m2"]
    assert [item["id"] for item in traced(filled, "--between", ANNA, BORIS, "--since", "1h")] == ["m0", "m1", "m2"]
    assert [item["id"] for item in traced(filled, "--between", ANNA, BORIS, "--since", "2020-01-01", "--until", "9998-01-01")] != []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--stanza-id", "nobody-has-this"),
        ("--between", ANNA, "nobody@gov.example"),
        ("--between", ANNA, BORIS, "--until", "2020-01-01"),
        ("--between", ANNA, BORIS, "--since", "9998-01-01T00:00+02:00"),
        ("--between", ANNA, BORIS, "--until", "1w"),
    ],
)
def test_a_message_that_is_not_there_is_a_no(arguments: tuple[str, ...], filled: Installation, tmp_path: Path) -> None:
    result = filled.run("audit", "trace", *arguments, "--export", tmp_path / "e.json")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "the ledger holds no such message\n")
    assert not (tmp_path / "e.json").exists()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 2),
        (("--stanza-id", "a", "--between", ANNA, BORIS), 2),
        (("--stanza-id", "a", "--since", "1h"), 2),
        (("--between", ANNA, BORIS, "--since", "yesterday"), 2),
        (("--between", ANNA, BORIS, "--since", ""), 2),
        (("--between", ANNA, BORIS, "--since", "99999999999999w"), 2),
        (("--between", ANNA, BORIS, "--since", "²d"), 2),
        (("--stanza-id", "m1", "--text", "a", "--text-file", "b"), 2),
        (("--stanza-id", ""), 1),
        (("--stanza-id", "a\0b"), 1),
        (("--stanza-id", "\udcff"), 1),
        (("--between", "not a jid", BORIS), 1),
        (("--between", f"{ANNA}/phone", BORIS), 1),
        (("--stanza-id", "m1", "--text-file", "/nowhere/said.txt"), 3),
        (("--stanza-id", "m1", "--export", "/nowhere/evidence.json"), 3),
        (("--stanza-id", "m1", "--export", "/"), 3),
    ],
)
def test_what_may_not_be_asked_so_is_told_in_a_sentence(arguments: tuple[str, ...], status: int, filled: Installation) -> None:
    result = filled.run("audit", "trace", *arguments)
    assert result.exit_code == status
    assert result.stderr


def test_a_text_that_is_no_text_is_no_message(filled: Installation, tmp_path: Path) -> None:
    (tmp_path / "said").write_bytes(b"\xff")
    result = filled.run("audit", "trace", "--stanza-id", "m1", "--text-file", tmp_path / "said")
    assert result.exit_code == 1
    assert "is not UTF-8 text, so it is no message" in result.stderr


def test_a_damaged_ledger_gives_no_evidence(filled: Installation, tmp_path: Path) -> None:
    filled.sql('UPDATE ledger_entries SET data = CAST(replace(data, \'boris\', \'clara\') AS BLOB) WHERE "index" = 0')
    result = filled.run("audit", "trace", "--stanza-id", "m0", "--export", tmp_path / "e.json")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "entry 0" in result.stderr
    assert not (tmp_path / "e.json").exists()


# ---- verify -------------------------------------------------------------------------------------------------------------


def test_an_export_says_how_it_is_checked_and_is(filled: Installation, tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    shown = filled.run("audit", "trace", "--between", ANNA, BORIS, "--export", file).stdout
    assert f"apostille audit verify {file} --key '{filled.vkey()}'" in shown
    vkey = filled.vkey()
    filled.settings.unlink()
    result = run("audit", "verify", file, "--key", vkey)
    assert result.exit_code == 0
    assert result.stdout.endswith("3 messages, every proof holds.\n")


def test_an_outsider_opens_a_plaintext_with_the_bundle_alone(filled: Installation, evidence: Path) -> None:
    items = told(run("audit", "verify", evidence, "--key", filled.vkey(), "--text", "hello", "--json"))
    assert [item["level"] for item in items] == ["E0", "E2p", "E0"]
    items = told(run("audit", "verify", evidence, "--key", filled.vkey(), "--json"))
    assert [item["level"] for item in items] == ["E0", "E0", "E0"]


def test_a_bundle_under_another_key_proves_nothing(filled: Installation, evidence: Path, tmp_path: Path) -> None:
    other = run("init", tmp_path / "other", "--domain", "gov.example").stdout.splitlines()[-1].strip()
    result = run("audit", "verify", evidence, "--key", other)
    assert result.exit_code == 1
    assert result.stdout.count("NOT PROVEN") == 3
    assert "3 of 3 messages are NOT proven: do not rely on this bundle" in result.stderr
    items = told(run("audit", "verify", evidence, "--key", other, "--json"))
    assert all(item == {"sound": False, "faults": item["faults"]} for item in items)


def test_one_forged_item_spoils_the_bundle(filled: Installation, evidence: Path) -> None:
    document = json.loads(evidence.read_text("utf-8"))
    document["items"][0]["entry"] = document["items"][1]["entry"]
    evidence.write_text(json.dumps(document), encoding="utf-8")
    result = run("audit", "verify", evidence, "--key", filled.vkey())
    assert result.exit_code == 1
    assert "1 of 3 messages are NOT proven" in result.stderr


def test_an_empty_bundle_proves_nothing(filled: Installation, evidence: Path) -> None:
    document = json.loads(evidence.read_text("utf-8")) | {"items": []}
    evidence.write_text(json.dumps(document), encoding="utf-8")
    for more in ((), ("--json",)):
        assert run("audit", "verify", evidence, "--key", filled.vkey(), *more).exit_code == 1


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\xff\xfe", b"{}", b"[" * 100_000, b'{"format": "apostille-evidence/9"}'])
def test_a_file_that_is_no_bundle_is_a_no_with_its_reason(content: bytes, filled: Installation, evidence: Path) -> None:
    evidence.write_bytes(content)
    result = run("audit", "verify", evidence, "--key", filled.vkey())
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"{evidence}: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_bundle_with_letters_that_no_terminal_shows_is_none(filled: Installation, evidence: Path) -> None:
    document = json.loads(evidence.read_text("utf-8"))
    document["question"]["between"] = "\ud800"
    evidence.write_text(json.dumps(document), encoding="utf-8")
    assert run("audit", "verify", evidence, "--key", filled.vkey(), "--json").exit_code == 1


def test_a_file_that_is_missing_or_a_folder_is_the_fault_of_the_environment(filled: Installation, tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        result = run("audit", "verify", path, "--key", filled.vkey())
        assert (result.exit_code, result.stdout) == (3, "")
        assert str(path) in result.stderr


def test_a_key_must_be_brought_along(evidence: Path) -> None:
    assert run("audit", "verify", evidence).exit_code == 2
    result = run("audit", "verify", evidence, "--key", "nonsense")
    assert result.exit_code == 1
    assert result.stderr.startswith("--key: ")


def test_a_change_of_devices_is_no_message_to_any_question(filled: Installation, tmp_path: Path) -> None:
    before = traced(filled, "--between", ANNA, BORIS)
    filled.judge(changes=(change(11), change(12, owner=ANNA, sender=f"{ANNA}/desk")))
    filled.judge(filed=((4, ANNA, "archive-0"),))
    assert [one["entry"] for one in traced(filled, "--between", ANNA, BORIS)] == [one["entry"] for one in before] == [0, 1, 2]
    assert [one["entry"] for one in traced(filled, "--stanza-id", "archive-0")] == [0]
    file = tmp_path / "evidence.json"
    assert filled.run("audit", "trace", "--stanza-id", "archive-0", "--export", file).exit_code == 0
    assert run("audit", "verify", file, "--key", filled.vkey()).exit_code == 0
