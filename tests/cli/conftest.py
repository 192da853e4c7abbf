"""Installations to run commands on: each test gets copies of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from installation import SAMPLE, Installation, run
from messages import ANNA, BORIS, body, legacy, message
from policies import RULES, write


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "gov"
    assert run("init", folder, "--domain", "gov.example", "--port", "1").exit_code == 0
    return folder


@pytest.fixture(scope="session")
def _filled(_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    installation = Installation(Path(shutil.copytree(_made, tmp_path_factory.mktemp("filled") / "gov")))
    imported = installation.run("officials", "import", "--units", SAMPLE / "government.toml", SAMPLE / "officials.csv", "--yes")
    assert imported.exit_code == 0, imported.stderr
    installation.stage("observe")
    outcomes = installation.judge(
        message(legacy(), id="m0", origin_id="o0"),
        message(body("hello"), id="m1"),
        message(legacy(), id="m2", sender=f"{ANNA}/desk", recipient=BORIS),
    )
    assert [outcome.record for outcome in outcomes] == [0, 1, 2]
    installation.judge(filed=((0, ANNA, "archive-0"), (1, ANNA, "archive-1")))
    return installation.folder


@pytest.fixture
def empty(_made: Path, tmp_path: Path) -> Installation:
    """As it is after `init`."""
    return Installation(Path(shutil.copytree(_made, tmp_path / "gov")))


@pytest.fixture
def filled(_filled: Path, tmp_path: Path) -> Installation:
    """With the sample government, under an observing policy, and four entries: m0 (OMEMO), m1 ("hello"), m2 (back), a filing of two ids."""
    return Installation(Path(shutil.copytree(_filled, tmp_path / "gov")))


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another policy, in a file of its own."""
    return write(tmp_path / "other.toml", RULES)


@pytest.fixture
def stanza(tmp_path: Path) -> Path:
    """A message to a room in a file: plain text, and a link."""
    text = "<message type='groupchat'><body>hi</body><x xmlns='jabber:x:oob'><url>https://files.example/a</url></x></message>"
    return write(tmp_path / "message.xml", text)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder without settings, to work in."""
    folder = tmp_path / "nowhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("APOSTILLE_CONFIG", raising=False)
    return folder
