"""The command line as a whole: how it ends, whatever happens."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import click
import pytest

from apostille import cli as package
from apostille.cli import _COMMANDS, answers, cli, main
from apostille.vocabulary import Fault, Reason, Refusal
from installation import Installation, run


def ended(*arguments: str) -> object:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return end.value.code


@click.command()
def broken() -> None:
    """A command with a bug."""
    raise ValueError("the bug")


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command line with one more command, `policy`, that is broken."""
    monkeypatch.setitem(_COMMANDS, "policy", __name__)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    monkeypatch.setattr(sys.modules[__name__], "policy", broken, raising=False)


@pytest.mark.usefixtures("bug")
def test_what_nobody_foresaw_is_one_line_and_status_three(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APOSTILLE_DEBUG", raising=False)
    assert ended("policy") == 3
    heard = capsys.readouterr()
    assert heard.out == ""
    assert heard.err.startswith("apostille: internal error: ValueError: the bug (APOSTILLE_DEBUG=1 shows where")
    assert len(heard.err.splitlines()) == 1


@pytest.mark.usefixtures("bug")
def test_who_asks_for_it_sees_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APOSTILLE_DEBUG", "1")
    with pytest.raises(ValueError, match="the bug"):
        main(["policy"])


@pytest.mark.parametrize(
    ("trouble", "status"), [(Refusal(Reason.UNKNOWN, "There is none."), 1), (Fault("The disk is full."), 3)], ids=["refusal", "fault"]
)
def test_a_refusal_is_status_one_and_a_fault_three_each_with_its_sentence(
    trouble: Exception, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    @answers.answers
    def command() -> None:
        raise trouble

    with pytest.raises(SystemExit) as end:
        command.main([], prog_name="x")
    assert (end.value.code, capsys.readouterr().err) == (status, f"{trouble}\n")


def test_wrong_usage_is_status_two(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("nosuch",), ("ledger", "nosuch"), ("--nosuch",), ("ledger", "show")):
        assert ended(*arguments) == 2
        assert "Usage: apostille" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(_COMMANDS))
def test_every_command_and_verb_explains_itself_without_settings(name: str) -> None:
    command = getattr(importlib.import_module(_COMMANDS[name]), name)
    verbs = sorted(command.commands) if isinstance(command, click.Group) else []
    for words in [[name], *([name, verb] for verb in verbs)]:
        result = run(*words, "--help")
        assert result.exit_code == 0
        assert result.stdout.startswith(f"Usage: cli {' '.join(words)}")
        assert len(result.stdout.splitlines()) > 3


def test_every_command_is_listed() -> None:
    listed = run("--help").stdout
    assert all(f"\n  {name} " in listed for name in _COMMANDS)
    assert "Exit status" in listed


@pytest.mark.parametrize(
    "words", [("doctor",), ("upgrade",), ("serve",), ("policy", "show"), ("ledger", "verify"), ("officials", "list"), ("rosters", "plan")]
)
def test_settings_that_are_missing_or_a_folder_are_the_fault_of_the_environment(words: tuple[str, ...], tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        result = run("-c", path, *words)
        assert (result.exit_code, result.stdout) == (3, "")
        assert str(path) in result.stderr


def test_settings_are_named_by_option_environment_or_folder(empty: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("policy", "check").exit_code == 3
    monkeypatch.setenv("APOSTILLE_CONFIG", str(empty.settings))
    assert run("policy", "check").exit_code == 0
    assert run("-c", tmp_path / "none.toml", "policy", "check").exit_code == 3
    monkeypatch.delenv("APOSTILLE_CONFIG")
    monkeypatch.chdir(empty.folder)
    assert run("policy", "check").exit_code == 0


def test_a_room_that_is_none_is_not_served(empty: Installation) -> None:
    assert empty.run("serve", "kitchen").exit_code == 2


@pytest.mark.parametrize("gates", ["0", "17", "two"])
def test_a_number_of_gates_that_nobody_runs_is_wrong_usage(gates: str, empty: Installation) -> None:
    assert empty.run("serve", "--gates", gates).exit_code == 2


def test_what_the_program_says_to_its_own_processes_is_not_offered_to_people(empty: Installation) -> None:
    shown = empty.run("serve", "--help").stdout
    assert "--gates" in shown
    assert "--number" not in shown
    assert "--ledger" not in shown


@pytest.mark.parametrize("alone", [("--number", "2"), ("--ledger", "9"), ("--gates", "2", "--number", "3", "--ledger", "9")])
def test_one_gate_of_several_is_not_served_without_its_connection_to_the_writer(alone: tuple[str, ...], empty: Installation) -> None:
    (empty.folder / "policy.toml").write_text("[rule]", encoding="utf-8")  # whoever starts to serve ends here
    assert empty.run("serve", *alone).exit_code == 2


@pytest.mark.parametrize("name", ["policy.toml", "ledger.key", "component.secret"])
def test_serving_without_one_of_its_files_ends_with_a_sentence(name: str, empty: Installation) -> None:
    (empty.folder / name).unlink()
    result = empty.run("serve", "gate")
    assert result.exit_code == 3
    assert name in result.stderr


def test_an_unreadable_policy_stops_the_start(empty: Installation) -> None:
    (empty.folder / "policy.toml").write_text("[rule]", encoding="utf-8")
    result = empty.run("serve", "gate")
    assert result.exit_code == 1
    assert "write each rule as [[rule]]" in result.stderr


def test_the_module_runs_as_the_command() -> None:
    root = Path(package.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "apostille", "--help"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: apostille")
    assert cli.name == "cli"
