"""The other gates of a server: one process each, started again when it ends.

Knows how to start `apostille serve` for one gate; refuses to know what a gate does. A child lives as long as the pipe to it, so
that none stays behind however its parent ends, and has a connection to its parent for what only one process may do.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType

log = logging.getLogger(__name__)

_PAUSE = 1.0  # seconds before a gate that ended is started again
_FAREWELL = 5.0  # seconds that a gate has to end by itself


class GateProcesses:
    """Gates `numbers` of `gates` in all, from entering the context to leaving it."""

    def __init__(
        self, settings: str | None, gates: int, numbers: Iterable[int], answer: Callable[[Connection], None], options: Sequence[str] = ()
    ) -> None:
        """`options` are further arguments of `serve`.

        `answer` runs in a thread for each child, with this end of its connection, until the child is gone.
        """
        self._answer = answer
        chosen = ["-c", settings] if settings else []
        command = [sys.executable, "-m", "apostille", *chosen, "serve", "gate", *options, "--gates", str(gates), "--number"]
        self._commands = [[*command, str(number)] for number in numbers]
        self._leaving = threading.Event()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._keepers = [threading.Thread(target=self._keep, args=(one,), daemon=True) for one in self._commands]

    def __enter__(self) -> GateProcesses:
        for keeper in self._keepers:
            keeper.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._leaving.set()
        for keeper in self._keepers:
            keeper.join(2 * _FAREWELL)

    def hang_up(self) -> None:
        """Pass SIGHUP on to every gate."""
        for child in list(self._children.values()):
            child.send_signal(signal.SIGHUP)

    def _keep(self, command: list[str]) -> None:
        # A child inherits this, and lets SIGHUP through once it knows what to do with it: until then the signal would end it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        while not self._leaving.is_set():
            here, there = Pipe()
            with there:
                handle = there.fileno()
                child = subprocess.Popen([*command, "--ledger", str(handle)], stdin=subprocess.PIPE, pass_fds=[handle])
            self._children[command[-1]] = child
            threading.Thread(target=self._answer, args=(here,), daemon=True).start()
            while child.poll() is None and not self._leaving.wait(0.2):
                pass
            if self._leaving.is_set():
                _end(child)
                return
            log.error("gate %s ended with status %s; it is started again", command[-1], child.returncode)
            self._leaving.wait(_PAUSE)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        child.stdin.close()
    try:
        child.wait(_FAREWELL)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
