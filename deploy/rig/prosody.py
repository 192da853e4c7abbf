"""A real Prosody as a child process: how to start it, know it is ready, and end it.

Knows processes, ports and files. Refuses to know what is said to the server, and
touches no process but the one that it started. Never runs `prosody --version`
(that starts a server with the system's configuration).
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rig.certificates import issue
from rig.configuration import Network, Plan, render

LOOPBACK = "127.0.0.1"
# What core/modulemanager.lua and core/portmanager.lua log, and then carry on without.
SILENT_FAILURES = (
    "Unable to load module",
    "Error initializing module",
    "Failed to open server port",
)


class ProsodyDied(RuntimeError):
    """The server did not come up, or came up incomplete; the message quotes its log."""


class Prosody:
    """One server in one folder. The folder keeps its data between `stop` and `start`."""

    def __init__(
        self,
        folder: Path,
        domain: str = "gov.example",
        modules_dir: Path | None = None,
        host_modules: Sequence[str] = (),
        muc_modules: Sequence[str] = (),
        components: Mapping[str, str] | None = None,
        component_modules: Sequence[str] = (),
        extra: str = "",
        host_extra: str = "",
        ports: int | None = None,
        debug: bool = False,
        allow_broken_modules: bool = False,
        network: Network | None = None,
        authority: Path | None = None,
    ) -> None:
        """`network` switches on what is off by default; `authority` is another server's, so that the two believe each other."""
        self.folder = folder.resolve()
        self.domain = domain
        self.rooms = f"rooms.{domain}"
        self.network = network or Network()
        self.peers: dict[str, int] = {}
        found = range(ports, ports + 4) if ports else _free_ports(4)
        self.c2s_port, self.component_port, self.s2s_port, self.http_port = found
        self.components = dict(components or {})
        self.modules_dir = modules_dir.resolve() if modules_dir else None
        self.host_modules = tuple(host_modules)
        self.muc_modules = tuple(muc_modules)
        self.component_modules = tuple(component_modules)
        self.extra = extra
        self.host_extra = host_extra
        self.debug = debug
        self.allow_broken_modules = allow_broken_modules
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        self._certificates = issue(self.folder / "certificates", [domain, self.rooms, *self.components], authority)
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def ca(self) -> Path:
        """The authority that a client must trust."""
        return self._certificates.ca

    @property
    def authority(self) -> Path:
        """The folder of that authority, for other servers that shall be believed."""
        return self._certificates.ca.parent

    def meet(self, domain: str, port: int) -> None:
        """Where on loopback another domain is served; known from the next start on. All others do not exist."""
        self.peers[domain] = port

    @property
    def pid(self) -> int | None:
        """The running child, or None."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def start(self, timeout: float = 20.0) -> None:
        """Return once the server answers on its port; else raise `ProsodyDied` with its log."""
        if self.pid is not None:
            raise RuntimeError("this Prosody is already running")
        self._write_configuration()
        (self.folder / "prosody.pid").unlink(missing_ok=True)  # kill() leaves one behind
        self._log_start = len(self.log_text())
        with (self.folder / "console.log").open("ab") as console:
            self._child = subprocess.Popen(
                [_program("prosody"), "-F", "--config", str(self._configuration)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C at the test runner is not for the server
            )
        atexit.register(self.kill)
        deadline = time.monotonic() + timeout
        while not self._ready():
            if self.pid is None:
                raise ProsodyDied(f"Prosody ended at once{self._tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise ProsodyDied(f"Prosody was not ready after {timeout:g} s{self._tail()}")
            time.sleep(0.02)
        self._refuse_half_a_server()

    def stop(self, timeout: float = 10.0) -> None:
        """Ask it to shut down cleanly and wait; kill it only when it does not obey."""
        if self._child is not None and self.pid is not None:
            self._child.terminate()
            try:
                self._child.wait(timeout)
            except subprocess.TimeoutExpired:
                self._child.kill()
        self._reap()

    def kill(self) -> None:
        """SIGKILL, as a power cut would: nothing is flushed, the pid file stays."""
        if self._child is not None and self.pid is not None:
            self._child.kill()
        self._reap()

    def restart(self) -> None:
        """Stop, write the configuration anew, start on the same ports."""
        self.stop()
        self.start()

    def register(self, accounts: Iterable[tuple[str, str]]) -> None:
        """Create (user, password) accounts in one run of Lua; works before and after `start`."""
        pairs = list(accounts)
        if any("\n" in part for pair in pairs for part in pair):
            raise ValueError("an account may not contain a line break")
        self._write_configuration()
        done = subprocess.run(
            [*_lua(), str(Path(__file__).with_name("register.lua")), self.domain, "--config", str(self._configuration)],
            input="".join(f"{user}\n{password}\n" for user, password in pairs),
            env={**os.environ, "PROSODYCTL_LOG_LEVEL": "error"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"accounts were not created: {done.stderr or done.stdout}")

    def shell(self, *words: str) -> str:
        """Say something in the administrator's shell, `module unload NAME HOST` or `> Lua`; needs `admin_shell` among the modules."""
        return self.control("shell", *words)

    def control(self, *words: str) -> str:
        """Run `prosodyctl` on this server's configuration and return what it printed.

        Raises:
            RuntimeError: it ended with an error.
        """
        self._write_configuration()
        done = subprocess.run(
            [_program("prosodyctl"), "--config", str(self._configuration), *words],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr or done.stdout}")
        return done.stdout

    def log_text(self) -> str:
        """The whole log at level info, over all starts."""
        log = self.folder / "prosody.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def __enter__(self) -> Prosody:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _configuration(self) -> Path:
        return self.folder / "prosody.cfg.lua"

    def _write_configuration(self) -> None:
        plan = Plan(
            folder=self.folder,
            domain=self.domain,
            rooms=self.rooms,
            c2s_port=self.c2s_port,
            component_port=self.component_port,
            certificates=self._certificates,
            as_root=os.geteuid() == 0,
            debug=self.debug,
            modules_dir=self.modules_dir,
            host_modules=self.host_modules,
            muc_modules=self.muc_modules,
            components=self.components,
            component_modules=self.component_modules,
            extra=self.extra,
            host_extra=self.host_extra,
            network=self.network,
            s2s_port=self.s2s_port,
            http_port=self.http_port,
            peers=self.peers,
        )
        self._configuration.write_text(render(plan))
        self._configuration.chmod(0o600)

    def _ready(self) -> bool:
        """Pid file written by our child, and an answer to a stream header.

        The port alone is not enough: it opens with the first module, and the
        event loop that answers starts after the last one.
        """
        try:
            if int((self.folder / "prosody.pid").read_text()) != self.pid:
                return False
        except (FileNotFoundError, ValueError):
            return False
        return (not self.components or _connects(self.component_port)) and self._answers()

    def _answers(self) -> bool:
        header = (
            f"<stream:stream xmlns='jabber:client' to='{self.domain}' version='1.0' "
            "xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        try:
            with socket.create_connection((LOOPBACK, self.c2s_port), timeout=5) as sock:
                sock.sendall(header.encode())
                return bool(sock.recv(1))
        except OSError:
            return False

    def _refuse_half_a_server(self) -> None:
        log = self.log_text()[self._log_start :]
        lines = log.splitlines()
        broken = [line for line in lines if any(sign in line for sign in SILENT_FAILURES)]
        if broken and not self.allow_broken_modules:
            self.stop()
            raise ProsodyDied("Prosody runs without a part of itself:\n" + "\n".join(broken))

    def _reap(self) -> None:
        if self._child is not None:
            self._child.wait()
        self._child = None
        atexit.unregister(self.kill)

    def _tail(self) -> str:
        console = self.folder / "console.log"
        texts = (self.log_text()[self._log_start :], console.read_text(errors="replace"))
        return "".join("\n--\n" + "\n".join(text.splitlines()[-25:]) for text in texts)


def introduce(*servers: Prosody) -> None:
    """Tell servers of one another: domain, rooms and components, known from the next start on."""
    for one in servers:
        for other in servers:
            for domain in (other.domain, other.rooms, *other.components):
                if one is not other:
                    one.meet(domain, other.s2s_port)


def _free_ports(count: int) -> tuple[int, ...]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind((LOOPBACK, 0))
        return tuple(int(sock.getsockname()[1]) for sock in sockets)
    finally:
        for sock in sockets:
            sock.close()


def _connects(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def _program(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/bin:/usr/sbin")
    if found is None:
        raise ProsodyDied(f"{name} is not installed: apt-get install prosody prosody-modules")
    return found


def _lua() -> list[str]:
    """The interpreter that the packager chose for Prosody, from its first line."""
    first = Path(_program("prosody")).read_text().splitlines()[0]
    return first.removeprefix("#!").split()
