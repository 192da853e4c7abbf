"""The command line: one module per noun, each a group of verbs; this one puts them together.

Knows where the settings are named and that no traceback reaches a person; refuses to know what any command does.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

# Loaded when asked for: a command pays for its own room and no other.
_COMMANDS = {
    "audit": "apostille.cli.audit",
    "doctor": "apostille.cli.server",
    "init": "apostille.cli.init",
    "ledger": "apostille.cli.ledger",
    "officials": "apostille.cli.officials",
    "policy": "apostille.cli.policy",
    "rosters": "apostille.cli.rosters",
    "serve": "apostille.cli.server",
    "units": "apostille.cli.units",
    "upgrade": "apostille.cli.server",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(importlib.import_module(_COMMANDS[cmd_name]), cmd_name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} is no command")
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config",
    metavar="FILE",
    envvar="APOSTILLE_CONFIG",
    help="The settings (default: ./apostille.toml; or APOSTILLE_CONFIG in the environment).",
)
@click.version_option(package_name="apostille", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, config: str | None) -> None:
    """A standard XMPP server as a messenger for governments: gate, directory, rosters, ledger, tracing.

    Exit status: 0 done or "yes"; 1 a refusal or a "no"; 2 usage; 3 the environment is at fault.
    """
    context.obj = config


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what nobody foresaw is one line on stderr and status 3 (APOSTILLE_DEBUG=1 shows the traceback)."""
    try:
        cli.main(args=None if arguments is None else list(arguments), prog_name="apostille")
    except Exception as error:
        if os.environ.get("APOSTILLE_DEBUG"):
            raise
        text = f"apostille: internal error: {type(error).__name__}: {error} (APOSTILLE_DEBUG=1 shows where; please report it)"
        click.secho(text, err=True, fg="red")
        sys.exit(3)
