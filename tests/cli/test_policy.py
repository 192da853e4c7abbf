"""`apostille policy`: what the rules say, what is wrong with them, and what they say of two people and a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from apostille.policy.shapes import SHAPES
from installation import Installation, run
from messages import ANNA, BORIS
from policies import OPEN, RULES, told, write

HALL = "hall@rooms.gov.example"


# ---- show ---------------------------------------------------------------------------------------------------------------


def test_the_rules_are_shown_in_order_and_what_follows_them(empty: Installation) -> None:
    write(empty.folder / "policy.toml", RULES)
    result = empty.run("policy", "show")
    assert result.exit_code == 0
    assert result.stdout == (
        "1. chiefs\n"
        "   from verified to room, verified (groupchat)\n"
        "   requires omemo (2), with subject; stage: warn; in an outage: hold for up to 20 seconds\n"
        "2. all\n"
        "   from verified to verified (chat, component, groupchat, private; local only; 08:00-18:00 (UTC))\n"
        "   requires omemo (0.3, 2); stage: enforce; in an outage: bounce\n"
        "Everything else is refused.\n"
    )


def test_devices_are_shown_where_they_are_asked_for(empty: Installation) -> None:
    write(empty.folder / "policy.toml", RULES.replace("hours", 'devices = "announced"\nhours'))
    assert "   requires omemo (0.3, 2), announced devices (unknown ones: refuse); stage: enforce" in empty.run("policy", "show").stdout


def test_software_is_told_the_same(empty: Installation) -> None:
    write(empty.folder / "policy.toml", RULES)
    chiefs, everybody = told(empty.run("policy", "show", "--json"))
    assert chiefs == {
        "name": "chiefs",
        "from": ["verified"],
        "to": ["room", "verified"],
        "kinds": ["groupchat"],
        "direction": ["incoming", "local", "outgoing"],
        "window": "always",
        "require": "omemo",
        "versions": ["2"],
        "devices": "any",
        "unknown_devices": "refuse",
        "extras": ["subject"],
        "stage": "warn",
        "outage": "hold",
        "hold_seconds": 20,
    }
    assert (everybody["name"], everybody["window"]) == ("all", "08:00-18:00 (UTC)")


def test_an_empty_policy_says_what_it_does_and_is_a_mistake(empty: Installation) -> None:
    write(empty.folder / "policy.toml", "")
    assert empty.run("policy", "show").stdout == "Everything else is refused.\n"
    assert told(empty.run("policy", "show", "--json")) == []
    result = empty.run("policy", "check")
    assert (result.exit_code, "every message would be refused" in result.stdout) == (1, True)


# ---- check --------------------------------------------------------------------------------------------------------------


def test_a_policy_is_checked_before_it_is_used(filled: Installation, other: Path) -> None:
    assert "policy.toml: 1 rule\n" in filled.run("policy", "check").stdout
    result = filled.run("policy", "check", other)
    assert result.exit_code == 0
    assert result.stdout == (
        f"{other}: 2 rules\n"
        "remark: rule 1 (chiefs) refuses nothing: its stage is warn\n"
        '  mend: write stage = "enforce" when `apostille policy report` finds nobody left\n'
        "remark: rule 1 (chiefs) lets subject pass where the server can read them: verified to room\n"
        "  mend: remove subject from extras, unless people must have it\n"
    )


def test_a_mistake_is_named_with_its_rule_and_a_mend_and_is_a_no(filled: Installation, other: Path) -> None:
    write(other, OPEN + RULES.replace('["room", "verified"]', '["unit:mof/tex"]').replace("groupchat", "chat"))
    result = filled.run("policy", "check", other)
    assert result.exit_code == 1
    for line in (
        "error: rule 1 (open) lets officials write in plain text: verified to verified",
        "error: rule 2 (chiefs) is never asked: open before it fits everything that it fits",
        "error: rule 2 (chiefs) to names unit:mof/tex, and the directory has no such unit",
        "  mend: did you mean 'mof/tax'?",
        "error: rule 3 (all) is never asked: open before it fits everything that it fits",
    ):
        assert line in result.stdout.splitlines()
    assert result.stderr == f"4 mistakes in {other}\n"
    answer = told(filled.run("policy", "check", other, "--json"), 1)
    assert (answer["ok"], answer["file"], answer["rules"], answer["directory"]) == (False, str(other), 3, True)
    assert answer["findings"][0] == {
        "weight": "error",
        "lint": "plaintext",
        "number": 1,
        "rule": "open",
        "text": "lets officials write in plain text: verified to verified",
        "mend": 'write require = "omemo", or put a rule that does before it',
    }


@pytest.mark.usefixtures("nowhere")
def test_a_file_is_checked_without_settings_but_for_its_classes(other: Path) -> None:
    write(other, RULES.replace('["room", "verified"]', '["unit:nosuch", "room"]'))
    answer = told(run("policy", "check", other, "--json"))
    assert (answer["ok"], answer["directory"]) == (True, False)
    assert {one["lint"] for one in answer["findings"]} == {"stage", "extras"}
    assert run("policy", "check").exit_code == 3


def test_a_file_is_checked_although_the_directory_cannot_be_asked(empty: Installation, other: Path) -> None:
    empty.database.unlink()
    result = empty.run("policy", "check", other)
    assert result.exit_code == 0
    assert "no class was looked up" in result.stderr


@pytest.mark.parametrize("content", [b"[rule]\n", b"\xff", b"rule = ", b"[[rule]]\nname = 'a'\nfrom = ['king']\nto = []"])
def test_a_policy_that_cannot_be_read_is_a_no_with_its_reason(content: bytes, empty: Installation) -> None:
    (empty.folder / "policy.toml").write_bytes(content)
    for verb in (["show"], ["check"], ["explain", BORIS, ANNA]):
        result = empty.run("policy", *verb)
        assert (result.exit_code, result.stdout) == (1, "")
        assert str(empty.folder / "policy.toml") in result.stderr


def test_a_file_that_is_missing_or_a_folder_is_the_fault_of_the_environment(empty: Installation, tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        policy = empty.folder / "policy.toml"
        commands: tuple[tuple[str | Path, ...], ...] = (
            ("check", path),
            ("test", path),
            ("diff", path, policy),
            ("diff", policy, path),
            ("explain", BORIS, ANNA, "--stanza", path),
        )
        for words in commands:
            result = empty.run("policy", *words)
            assert (result.exit_code, result.stdout) == (3, ""), words
            assert str(path) in result.stderr


# ---- explain ------------------------------------------------------------------------------------------------------------


def test_two_people_are_told_what_they_are_and_which_rule_decides(filled: Installation) -> None:
    result = filled.run("policy", "explain", BORIS.upper(), f"{ANNA}/phone", "--at", "2026-11-22T12:00")
    assert result.exit_code == 0
    assert result.stdout == (
        f"from {BORIS}: verified, post:tax.director, unit:mof/tax, unit:mof/tax/**, unit:mof/**\n"
        f"to   {ANNA}: verified, post:finance.minister, unit:mof, unit:mof/**\n"
        "     chat, local, 2026-11-22T12:00:00+00:00\n"
        "1. officials: decides\n"
        "   asks of a message: nothing that the server could read; OMEMO, if anything is said\n"
        "   lets pass all the same: invitations\n"
        "   stage: observe; in an outage: bounce\n"
    )


def test_where_no_rule_fits_it_is_told_why_each_does_not(filled: Installation) -> None:
    result = filled.run("policy", "explain", "nobody@gov.example", "x@y.example")
    assert result.exit_code == 0
    for line in (
        "from nobody@gov.example: public",
        "to   x@y.example: remote",
        "1. officials",
        "   from: verified; but the sender is public",
        "   to: room, verified; but the recipient is remote",
        "No rule fits: refused, unless it says nothing.",
    ):
        assert line in result.stdout.splitlines()


def test_a_stanza_is_told_its_verdict_its_faults_and_what_would_mend_them(filled: Installation, stanza: Path) -> None:
    filled.stage("observe")
    shown = filled.run("policy", "explain", BORIS, HALL, "--stanza", stanza).stdout.splitlines()
    for line in (
        "     groupchat, local, ",
        "The message: passes, observed (plaintext)",
        "   objection: plaintext",
        "   it would pass without objection if: the sender turns on end-to-end encryption for this chat",
    ):
        assert [one for one in shown if one.startswith(line)], line
    write(filled.folder / "policy.toml", RULES)
    answer = told(filled.run("policy", "explain", BORIS, HALL, "--stanza", stanza, "--json"))
    assert (answer["kind"], answer["direction"], answer["rule"]["name"]) == ("groupchat", "local", "chiefs")
    assert (answer["verdict"]["passes"], answer["verdict"]["code"]) == (True, "plaintext")
    assert answer["objections"][0] == {"code": "plaintext", "where": ""}
    assert answer["mends"][0] == "the sender turns on end-to-end encryption for this chat"
    assert answer["from"]["classes"][:2] == ["verified", "post:tax.director"]
    assert answer["asked"] == [{"number": 1, "name": "chiefs", "fits": True, "unfit": []}]
    assert answer["checks"] == ["nothing that the server could read", "OMEMO 2, if anything is said"]
    answer = told(filled.run("policy", "explain", BORIS, ANNA, "--stanza", stanza, "--at", "2026-11-22T19:00", "--json"))
    assert answer["rule"] is None
    assert answer["asked"][1]["unfit"] == [{"key": "window", "wanted": "08:00-18:00 (UTC)", "found": "it is 2026-11-22T19:00+00:00"}]
    assert (answer["verdict"]["passes"], answer["verdict"]["code"]) == (False, "no-rule")


def test_a_refused_stanza_is_told_what_its_sender_reads(filled: Installation, other: Path, stanza: Path) -> None:
    shown = filled.run("policy", "explain", BORIS, ANNA, "--stanza", stanza, "--policy", other, "--at", "2026-11-22T12:00").stdout
    assert "The message: refused (plaintext)\n" in shown
    assert '   its sender reads: "Not delivered: ' in shown
    assert '   it would pass if: the rule has stage = "warn"' in shown


@pytest.mark.usefixtures("nowhere")
def test_classes_are_explained_without_settings(other: Path, stanza: Path) -> None:
    answer = told(run("policy", "explain", "unit:mof", f"room:{HALL}", "--policy", other, "--stanza", stanza, "--json"))
    assert (answer["kind"], answer["rule"]["name"]) == ("groupchat", "chiefs")
    answer = told(run("policy", "explain", "service", "verified", "--policy", other, "--json"))
    assert (answer["kind"], answer["verdict"], answer["checks"]) == ("component", None, [])
    result = run("policy", "explain", BORIS, "verified", "--policy", other)
    assert (result.exit_code, "only the directory knows" in result.stderr) == (1, True)


@pytest.mark.usefixtures("nowhere")
def test_what_only_the_server_knows_is_said_to_be_unchecked(other: Path, stanza: Path) -> None:
    write(other, '[[rule]]\nname = "sealed"\nfrom = ["verified"]\nto = ["verified"]\ndevices = "announced"\n')
    write(stanza, f"<message>{SHAPES['omemo']}</message>")
    words = ("policy", "explain", "verified", "verified", "--policy", other, "--stanza", stanza)
    answer = told(run(*words, "--json"))
    assert (answer["unchecked"], answer["verdict"]["passes"]) == (["devices"], True)
    shown = run(*words).stdout
    assert "   not checked here, as only the server knows them: the devices that people announce\n" in shown


def test_a_person_in_a_room_is_written_to_in_private(filled: Installation) -> None:
    assert told(filled.run("policy", "explain", BORIS, f"{HALL}/Anna", "--json"))["kind"] == "private"


def test_what_a_stanza_holds_is_shown_without_what_a_terminal_obeys(filled: Installation, stanza: Path) -> None:
    write(stanza, "<message><x xmlns='urn:\x9b31m\u202emoon'/></message>")
    result = filled.run("policy", "explain", BORIS, ANNA, "--stanza", stanza)
    assert "   objection: unknown-element {urn:\\x9b31m\\u202emoon}x\n" in result.stdout
    assert result.stdout.replace("\n", "").isprintable()


@pytest.mark.parametrize("content", ["<iq/>", "<message>", "<!DOCTYPE x><message/>", "<message><!-- --></message>"])
def test_a_file_that_is_no_stanza_is_a_no(content: str, filled: Installation, stanza: Path) -> None:
    result = filled.run("policy", "explain", BORIS, ANNA, "--stanza", write(stanza, content))
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(stanza) in result.stderr


def test_who_is_nobody_and_when_is_no_time_is_said(filled: Installation) -> None:
    result = filled.run("policy", "explain", "king", ANNA)
    assert (result.exit_code, "'king' is neither a JID nor one of verified" in result.stderr) == (1, True)
    assert filled.run("policy", "explain", BORIS, ANNA, "--at", "noon").exit_code == 2
    assert filled.run("policy", "explain", BORIS, ANNA, "--at", "99999999999999w").exit_code == 2
    assert filled.run("policy", "explain", BORIS, ANNA, "--at", "2h").exit_code == 0
