"""`apostille officials` and `apostille units`, as a person and a script meet them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from apostille import migrations
from apostille.cli.officials import officials
from apostille.cli.units import units
from apostille.database import open_database

SAMPLE = Path(__file__).parents[2] / "deploy" / "sample"
TOML, CSV = str(SAMPLE / "government.toml"), str(SAMPLE / "officials.csv")
IMPORT = ("import", "--units", TOML, CSV)


class Terminal(io.BytesIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def settings(tmp_path: Path) -> str:
    database = f"sqlite:///{tmp_path / 'apostille.db'}"
    engine = open_database(database)
    migrations.upgrade(engine)
    engine.dispose()
    path = tmp_path / "apostille.toml"
    path.write_text(f'domain = "gov.example"\n[database]\nurl = "{database}"\n', encoding="utf-8")
    return str(path)


@pytest.fixture
def filled(settings: str) -> str:
    assert run(settings, officials, *IMPORT, "--yes").exit_code == 0
    return settings


def run(settings: str, group: click.Group, *arguments: str, typed: str | None = None) -> Result:
    terminal = None if typed is None else Terminal(typed.encode())
    return CliRunner().invoke(group, list(arguments), obj=settings, input=terminal)


def test_an_import_shows_its_plan_and_needs_consent_in_a_pipe(settings: str) -> None:
    answer = run(settings, officials, *IMPORT)
    assert answer.exit_code == 2
    assert "units: 20 added; posts: 41 added; officials: 41 added" in answer.stdout
    assert "say --yes to go on" in answer.stderr
    assert run(settings, officials, "list").stdout == ""


def test_an_import_asks_on_a_terminal(settings: str) -> None:
    declined = run(settings, officials, *IMPORT, typed="n\n")
    assert (declined.exit_code, run(settings, officials, "list").stdout) == (1, "")
    assert "officials: 41 added. Go on? [y/N]" in declined.stderr
    assert declined.stderr.endswith("nothing was changed\n")
    agreed = run(settings, officials, *IMPORT, typed="y\n")
    assert agreed.exit_code == 0
    assert agreed.stdout.endswith("done; the directory is now at revision 1\n")


def test_a_second_import_has_nothing_to_do_and_asks_nothing(filled: str) -> None:
    answer = run(filled, officials, *IMPORT, "--prune")
    assert (answer.exit_code, answer.stdout, answer.stderr) == (0, "nothing to change\n", "")


def test_a_dry_run_changes_nothing(settings: str) -> None:
    answer = run(settings, officials, *IMPORT, "--dry-run", "--json")
    assert answer.exit_code == 0
    told = json.loads(answer.stdout)
    assert (told["applied"], told["counts"]["official"]["added"]) == (False, 41)
    assert run(settings, officials, "list").stdout == ""


def test_an_import_answers_in_json(settings: str) -> None:
    told = json.loads(run(settings, officials, *IMPORT, "--yes", "--json").stdout)
    assert told["applied"] is True
    assert {"change": "added", "kind": "official", "key": "anna.petrova@gov.example"} in told["changes"]


def test_flaws_are_all_told_and_nothing_is_imported(settings: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(
        "jid,name,post,standing\no'neil@gov.example,Sean,mayor,verified\na@b@c,A,mayor,no\n", encoding="utf-8"
    )
    answer = run(settings, officials, "import", str(bad), "--yes")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr.startswith(
        "5 flaws, nothing was imported:\n  bad.csv, row 2, jid: o'neil@gov.example"
    )
    told = json.loads(run(settings, officials, "import", str(bad), "--yes", "--json").stdout)
    assert told["applied"] is False
    assert told["flaws"][1] == {
        "where": "bad.csv, row 2, post",
        "text": "`mayor` is no post; declare it in a [[post]] or correct the id",
    }


def test_an_import_of_nothing_is_a_question_of_usage(settings: str) -> None:
    answer = run(settings, officials, "import")
    assert answer.exit_code == 2
    assert "name a table of officials (CSV), --units TOML, or both" in answer.stderr


def test_a_file_or_settings_that_cannot_be_read_are_the_fault_of_the_environment(
    settings: str, tmp_path: Path
) -> None:
    missing = run(settings, officials, "import", str(tmp_path / "none.csv"))
    assert (missing.exit_code, missing.stderr) == (
        3,
        f"{tmp_path / 'none.csv'}: cannot be read: No such file or directory\n",
    )
    assert run(str(tmp_path / "none.toml"), officials, "list").exit_code == 3


def test_units_alone_are_imported_and_listed_as_a_tree(settings: str) -> None:
    assert run(settings, units, "import", TOML, "--yes").exit_code == 0
    answer = run(settings, units, "list")
    assert "Finance  mof\n  - Minister of Finance  finance.minister\n" in answer.stdout
    assert "\n      Field  mof/tax/audit/field\n" in answer.stdout
    told = json.loads(run(settings, units, "list", "--json").stdout)
    audit = next(unit for unit in told if unit["path"] == "mof/tax/audit")
    assert audit["place"] == "Finance :: Tax :: Audit"
    assert audit["posts"][0] == {"id": "audit.head", "title": "Head of Audit", "rank": 1}


def test_officials_are_listed_unit_by_unit(filled: str) -> None:
    answer = run(filled, officials, "list", "--unit", "mof/tax/audit")
    assert answer.stdout.splitlines()[:2] == [
        "Finance :: Tax :: Audit",
        "  clara.lindqvist@gov.example  Clara Lindqvist, Head of Audit  verified",
    ]
    assert "  tomas.brandt@gov.example  Tomas Brandt, Trainee  expired since 2024-06-30" in answer.stdout
    assert len(json.loads(run(filled, officials, "list", "--json").stdout)) == 41
    unknown = run(filled, officials, "list", "--unit", "nope")
    assert (unknown.exit_code, unknown.stderr) == (1, "`nope` is no unit of the directory\n")


def test_one_official_is_shown_however_the_jid_is_spelt(filled: str) -> None:
    answer = run(filled, officials, "show", "Anna.Petrova@Gov.Example")
    assert answer.exit_code == 0
    assert "names ru: Анна Петрова\n" in answer.stdout
    assert "standing: verified\nvalid_until: 2035-12-31\n" in answer.stdout
    told = json.loads(run(filled, officials, "show", "anna.petrova@gov.example", "--json").stdout)
    assert (told["title"], told["place"], told["held"]) == ("Minister of Finance", "Finance", False)


def test_one_who_is_not_listed_is_a_no(filled: str) -> None:
    answer = run(filled, officials, "show", "eve@gov.example")
    assert (answer.exit_code, answer.stdout, answer.stderr) == (
        1,
        "",
        "eve@gov.example is not in the directory\n",
    )


def test_a_jid_that_is_none_is_refused_with_the_mend(filled: str) -> None:
    answer = run(filled, officials, "suspend", "sean.o'neil@gov.example")
    assert answer.exit_code == 1
    assert r"write sean.o\27neil@gov.example" in answer.stderr


def test_an_official_is_suspended_and_reinstated(filled: str) -> None:
    answer = run(filled, officials, "suspend", "boris.volkov@gov.example")
    assert (answer.exit_code, answer.stdout) == (0, "boris.volkov@gov.example (Boris Volkov): suspended\n")
    again = run(filled, officials, *IMPORT)
    assert "stays suspended by hand" in again.stdout
    assert "standing: suspended\n" in run(filled, officials, "show", "boris.volkov@gov.example").stdout
    assert run(filled, officials, "reinstate", "boris.volkov@gov.example").stdout.endswith(": verified\n")
    assert run(filled, officials, "reinstate", "eve@gov.example").exit_code == 1


def test_one_whose_first_day_is_to_come_is_said_to_be(filled: str, tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text(
        "jid,name,post,standing,valid_from\nnew@gov.example,New,city.mayor,verified,2999-01-01\n",
        encoding="utf-8",
    )
    assert run(filled, officials, "import", str(table), "--yes").exit_code == 0
    assert "standing: not before 2999-01-01\n" in run(filled, officials, "show", "new@gov.example").stdout
