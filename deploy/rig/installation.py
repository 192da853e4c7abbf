"""Apostille beside a real Prosody, as an operator would set it up: `apostille init`, its lines in the configuration, `serve`.

Knows the command line and nothing of the Python behind it; refuses to reach into the database.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rig.configuration import Network
from rig.prosody import Prosody

REPOSITORY = Path(__file__).resolve().parents[2]
MODULES = REPOSITORY / "deploy" / "prosody" / "modules"
FIREWALL = REPOSITORY / "deploy" / "prosody" / "apostille.pfw"
SAMPLE = REPOSITORY / "deploy" / "sample"
DOMAIN = "gov.example"


class CommandFailed(RuntimeError):
    """A command of Apostille ended with another status than expected; the text carries what it said."""


class Installation:
    """One Apostille and one Prosody in one folder; `serve` is a process of its own, as in production.

    Nobody logs in without the gate, unless `authentication` names another provider; `firewall` adds the optional second line.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ports: int | None = None,
        debug: bool = False,
        extra: str = "",
        host_modules: Sequence[str] = ("apostille_gate", "apostille_rosters"),
        muc_modules: Sequence[str] = ("apostille_gate",),
        components: dict[str, str] | None = None,
        component_modules: Sequence[str] = ("apostille_gate",),
        network: Network | None = None,
        gates: int = 1,
        modules: Path = MODULES,
        authentication: str = "apostille",
        host_extra: str = "",
        firewall: bool = False,
        allow_broken_modules: bool = False,
    ) -> None:
        self._gates = gates
        self.folder = folder.resolve()
        self.home = self.folder / "apostille"
        self.settings = self.home / "apostille.toml"
        self.log = self.folder / "serve.log"
        second_line = ("firewall",) if firewall else ()
        scripts = f'firewall_scripts = {{ "{FIREWALL}" }}\n' if firewall else ""
        self.prosody = Prosody(
            self.folder,
            DOMAIN,
            modules_dir=modules,
            host_modules=(*host_modules, *second_line),
            muc_modules=(*muc_modules, *second_line),
            components=components,
            component_modules=(*component_modules, *second_line),
            network=network,
            extra=f'Include "{self.home}/prosody.cfg.lua"\n{scripts}{extra}',
            host_extra=f'authentication = "{authentication}"\n{host_extra}',
            ports=ports,
            debug=debug,
            allow_broken_modules=allow_broken_modules,
        )
        self._serving: subprocess.Popen[bytes] | None = None
        port = str(self.prosody.component_port)
        told = self.run("init", str(self.home), "--domain", DOMAIN, "--port", port, "--gates", str(gates))
        self.vkey = told.strip().splitlines()[-1].strip()

    # ---- the command line -----------------------------------------------------------------------------------------

    def command(self, *arguments: str) -> list[str]:
        """The command as a list, with this installation's settings."""
        settings = ["-c", str(self.settings)] if arguments[0] != "init" else []
        return [sys.executable, "-m", "apostille", *settings, *arguments]

    def run(self, *arguments: str, status: int = 0) -> str:
        """Run one command to its end and return what it printed.

        Raises:
            CommandFailed: it ended with another status.
        """
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != status:
            said = (done.stdout + done.stderr).strip()
            raise CommandFailed(f"apostille {' '.join(arguments)}: status {done.returncode}, not {status}:\n{said}")
        return done.stdout if status == 0 else done.stdout + done.stderr

    def answer(self, *arguments: str) -> Any:
        """What a command answers with `--json`."""
        return json.loads(self.run(*arguments, "--json"))

    def import_sample(self) -> str:
        """Import the sample government."""
        units, officials = str(SAMPLE / "government.toml"), str(SAMPLE / "officials.csv")
        return self.run("officials", "import", "--units", units, officials, "--yes")

    def import_officials(self, names: Iterable[str]) -> None:
        """Import a small unit of verified officials."""
        units, table = self.folder / "units.toml", self.folder / "officials.csv"
        units.write_text('[[unit]]\npath = "test"\nname = "Test"\n[[post]]\nid = "clerk"\nunit = "test"\ntitle = "Clerk"\nrank = 1\n')
        rows = [f"{name}@{DOMAIN},{name.title()},clerk,,,verified," for name in names]
        table.write_text("\n".join(["jid,name,post,mail,phone,standing,valid_until", *rows]) + "\n")
        self.run("officials", "import", "--units", str(units), str(table), "--yes")

    # ---- serving ---------------------------------------------------------------------------------------------------

    def serve(self, *rooms: str, timeout: float = 20.0) -> None:
        """Start `apostille serve` and return once every room is connected."""
        if self._serving is not None and self._serving.poll() is None:
            raise RuntimeError("this Apostille is already serving")
        start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._serving = subprocess.Popen(
                self.command("serve", *rooms), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + timeout
        wanted = [f"{room}.{DOMAIN}: connected" for room in rooms or ("gate", "rosters")]
        wanted += [f"gate{number}.{DOMAIN}: connected" for number in range(2, self._gates + 1)]
        while not all(line in self.log.read_bytes()[start:].decode() for line in wanted):
            if self._serving.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise CommandFailed(f"apostille serve did not come up:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.02)

    @property
    def pid(self) -> int | None:
        """The serving process, or None."""
        serving = self._serving
        return serving.pid if serving is not None and serving.poll() is None else None

    def kill(self) -> None:
        """SIGKILL the serving process, as a crash would."""
        if self._serving is not None:
            self._serving.kill()
            self._serving.wait()

    def take_over(self) -> subprocess.Popen[bytes]:
        """Start a second `apostille serve` beside the one that runs; the caller ends it."""
        with self.log.open("ab") as log:
            return subprocess.Popen(self.command("serve"), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def stop(self) -> None:
        """SIGTERM both and wait."""
        if self._serving is not None and self._serving.poll() is None:
            self._serving.terminate()
            try:
                self._serving.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        self.prosody.stop()

    def serve_log(self) -> str:
        """What the serving processes wrote so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def in_folder(name: str) -> Path:
    """A fresh temporary folder, readable by its owner only."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix=f"apostille-{name}-"))
    os.chmod(folder, 0o700)  # noqa: PTH101
    return folder
