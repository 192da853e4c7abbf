"""`apostille policy test`, `diff` and `report`: a policy tried on cases, on kinds of messages and on the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from apostille.cli.policy.reporting import CLIENTS
from apostille.policy import cases as case_files
from apostille.policy.shapes import SHAPES
from installation import Installation, run
from messages import BORIS, body, legacy, message
from policies import OPEN, told, write

HALL = "hall@rooms.gov.example"
PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "change-the-policy.md").read_text(encoding="utf-8")


# ---- test ---------------------------------------------------------------------------------------------------------------

CASES = """
[[case]]
name = "officials are let through encrypted"
from = "verified"
to = "room"
stanza = "omemo-2"
expect = "pass"
rule = "chiefs"
[[case]]
name = "but not in clear"
from = "unit:mof"
to = "verified"
stanza = "plaintext"
expect = "plaintext"
at = 2026-11-22T12:00:00Z
[[case]]
name = "at night nobody is"
from = "verified"
to = "verified"
file = "message.xml"
expect = "no-rule"
at = 2026-11-22T23:00:00Z
"""


@pytest.mark.usefixtures("nowhere")
def test_cases_of_classes_need_no_settings(other: Path, stanza: Path) -> None:
    write(stanza, "<message><body>hi</body></message>")
    result = run("policy", "test", write(other.parent / "cases.toml", CASES), "--policy", other)
    assert (result.exit_code, result.stdout) == (0, "3 cases, all as expected\n")
    write(other.parent / "cases.toml", CASES.replace('from = "unit:mof"', f'from = "{BORIS}"'))
    assert run("policy", "test", other.parent / "cases.toml", "--policy", other).exit_code == 1


def test_each_case_that_fails_is_told_with_what_was_said_instead(filled: Installation, stanza: Path) -> None:
    cases = CASES.replace('from = "unit:mof"', f'from = "{BORIS}"').replace('to = "room"', f'to = "{HALL}"')
    path = write(stanza.parent / "cases.toml", cases)
    result = filled.run("policy", "test", path)
    assert result.exit_code == 1
    assert result.stdout == (
        "FAIL officials are let through encrypted: should be decided by rule chiefs, and is decided by officials\n"
        "FAIL but not in clear: should be refused (plaintext), and passes, observed (plaintext)\n"
        "FAIL at night nobody is: should be refused (no-rule), and passes, observed (plaintext)\n"
    )
    assert result.stderr == "3 of 3 cases failed\n"
    answer = told(filled.run("policy", "test", path, "--json"), 1)
    assert answer["ok"] is False
    assert answer["cases"][1] == {
        "name": "but not in clear",
        "ok": False,
        "wrong": "should be refused (plaintext), and passes, observed (plaintext)",
        "expect": "plaintext",
        "said": "passes, observed (plaintext)",
        "passes": True,
        "code": "plaintext",
        "rule": "officials",
        "asked": ["officials"],
    }
    write(path, CASES.partition('[[case]]\nname = "but')[0].replace("chiefs", "officials"))
    assert told(filled.run("policy", "test", path, "--json"))["ok"] is True


@pytest.mark.parametrize("content", [b"", b"case = ", b"\xff", b"[[case]]\n"])
def test_a_file_that_holds_no_cases_is_a_no(content: bytes, filled: Installation, tmp_path: Path) -> None:
    path = tmp_path / "cases.toml"
    path.write_bytes(content)
    result = filled.run("policy", "test", path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(path) in result.stderr


# ---- diff ---------------------------------------------------------------------------------------------------------------


def test_two_policies_are_compared_by_kinds_of_messages_and_by_the_ledger(filled: Installation, tmp_path: Path) -> None:
    old, new = filled.folder / "policy.toml", write(tmp_path / "new.toml", OPEN)
    answer = told(filled.run("policy", "diff", old, new, "--json"))
    assert answer["kinds"]["tried"] > 1000
    first = answer["kinds"]["changes"][0]
    assert (first["opens"], first["before"], first["after"], first["rule_after"]) == (True, "refused (no-rule)", "passes", "open")
    (change,) = answer["ledger"]["changes"]
    assert (answer["ledger"]["tried"], answer["ledger"]["unknown"], change["count"]) == (3, {}, 1)
    assert (change["before"], change["after"], change["examples"]) == (
        "passes, observed (plaintext)",
        "passes",
        ["plaintext, verified to verified (chat)"],
    )
    shown = filled.run("policy", "diff", old, new).stdout
    assert "3 messages of the ledger: 1 would fare otherwise\n" in shown
    assert "             1  passes, observed (plaintext) -> passes  [officials -> open]\n" in shown
    assert "What this sample cannot show: refused and content-free messages are not in the ledger" in shown


def test_a_policy_compared_with_itself_changes_nothing(filled: Installation) -> None:
    policy = filled.folder / "policy.toml"
    shown = filled.run("policy", "diff", policy, policy, "--sample", "2").stdout
    assert "kinds of messages between classes: nothing changes\n" in shown
    assert "1 messages of the ledger: nothing changes\n" in shown  # the newest entry is a filing


def test_what_a_record_does_not_tell_is_counted(filled: Installation) -> None:
    policy = filled.folder / "policy.toml"
    filled.judge(message(legacy(), body("x" * 9), more=1, id="m9"), message(legacy(), more=1, id="m8"))
    shown = filled.run("policy", "diff", policy, policy).stdout
    assert "4 messages of the ledger" in shown
    assert "1 messages could not be tried, as their records do not tell enough: too-much 1\n" in shown


def test_the_ledger_is_left_alone_without_settings_or_on_demand(filled: Installation, other: Path, nowhere: Path) -> None:
    policy = filled.folder / "policy.toml"
    assert "The ledger was not asked: --sample 0\n" in filled.run("policy", "diff", policy, other, "--sample", "0").stdout
    assert "The ledger was not asked: no settings are here" in run("policy", "diff", policy, other).stdout
    assert told(run("policy", "diff", policy, other, "--json"))["ledger"] is None
    assert list(nowhere.iterdir()) == []


# ---- report -------------------------------------------------------------------------------------------------------------


def test_what_would_have_been_refused_is_reported_by_unit_and_how_much_was_encrypted(filled: Installation) -> None:
    answer = told(filled.run("policy", "report", "--json"))
    assert answer["messages"] == 3
    assert answer["would_be_refused"] == [{"unit": "mof/tax", "rule": "officials", "code": "plaintext", "messages": 1, "senders": 1}]
    assert answer["coverage"]["by"] == "day"
    (span,) = answer["coverage"]["spans"]
    assert (span["messages"], span["encrypted"], span["share"]) == (3, 2, 0.6667)
    assert answer["clients"] is None
    shown = filled.run("policy", "report").stdout.splitlines()
    assert shown[:3] == ["unit     messages  senders  code, rule", "mof/tax         1        1  plaintext, officials", CLIENTS]
    assert shown[-1].endswith("####################             67% of 3")


def test_a_report_is_of_the_time_that_is_asked_for(filled: Installation) -> None:
    assert told(filled.run("policy", "report", "--since", "1h", "--json"))["messages"] == 3
    assert told(filled.run("policy", "report", "--until", "1h", "--json"))["messages"] == 0
    shown = filled.run("policy", "report", "--since", "2999-01-01")
    assert (shown.exit_code, shown.stdout) == (0, "The ledger holds no message of that time.\n")
    assert filled.run("policy", "report", "--since", "soon").exit_code == 2


def test_a_report_begins_where_the_ledger_does_even_if_entries_cannot_be_read(filled: Installation) -> None:
    filled.sql('UPDATE ledger_entries SET data = ? WHERE "index" IN (1, 3)', b"damage")
    assert told(filled.run("policy", "report", "--since", "1h", "--json"))["messages"] == 2
    filled.sql("UPDATE ledger_entries SET data = ?", b"damage")
    assert told(filled.run("policy", "report", "--since", "1h", "--json"))["messages"] == 0


def test_a_sender_without_a_unit_is_counted_as_what_it_is(filled: Installation) -> None:
    write(filled.folder / "policy.toml", OPEN.replace('require = "nothing"', 'stage = "observe"'))
    filled.judge(message(body("hi"), sender="nobody@gov.example/x", id="m7"))
    units = [row["unit"] for row in told(filled.run("policy", "report", "--json"))["would_be_refused"]]
    assert units == ["(public)", "mof/tax"]


def test_where_nothing_was_objected_to_only_the_share_is_reported(filled: Installation) -> None:
    filled.sql("DELETE FROM ledger_entries WHERE \"index\" = 1")
    shown = filled.run("policy", "report").stdout.splitlines()
    assert shown[0] == "Nothing passed that its rule objects to."
    assert shown[-1].endswith("100% of 2")


# ---- what is documented -------------------------------------------------------------------------------------------------


def test_every_key_of_a_case_and_every_named_kind_is_documented() -> None:
    for word in (*case_files._KEYS, *SHAPES):
        assert f"`{word}`" in PAGE, word
