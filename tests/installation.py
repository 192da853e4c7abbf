"""An installation as `apostille init` makes one, and the command line on it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from apostille import bootstrap
from apostille.cli import cli
from apostille.gate.rules import Outcome
from apostille.record import FiledId
from apostille_xep.gate.stanza import Change, Question

SAMPLE = Path(__file__).parents[1] / "deploy" / "sample"


def run(*arguments: str | Path) -> Result:
    """Run a command; one that ends in a traceback fails the test."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@dataclass(frozen=True)
class Installation:
    """A folder with settings, policy, keys, database."""

    folder: Path

    @property
    def settings(self) -> Path:
        return self.folder / "apostille.toml"

    @property
    def database(self) -> Path:
        return self.folder / "apostille.sqlite"

    def run(self, *arguments: str | Path) -> Result:
        return run("-c", self.settings, *arguments)

    def stage(self, stage: str) -> None:
        """Set the stage of the policy's only rule."""
        policy = self.folder / "policy.toml"
        policy.write_text(policy.read_text("utf-8").replace('stage = "enforce"', f'stage = "{stage}"'), "utf-8")

    def judge(self, *messages: Question, filed: tuple[FiledId, ...] = (), changes: tuple[Change, ...] = ()) -> list[Outcome]:
        """Let the installation's own gate judge, as `serve` would."""
        settings = bootstrap.settings_at(str(self.settings))
        engine = bootstrap.database(settings)
        try:
            return bootstrap.gate(settings, engine).judge(messages, filed, changes)
        finally:
            engine.dispose()

    def sql(self, statement: str, *values: object) -> None:
        """Lay hands on the database."""
        connection = sqlite3.connect(self.database)
        with connection:
            assert connection.execute(statement, values).rowcount != 0
        connection.close()

    def vkey(self) -> str:
        return self.run("ledger", "key").stdout.strip()
