"""Knows how to sit a person in front of Debian's Profanity: keyboard, screen, and the log they never read.

The client is the unmodified program in a tmux of its own; every file it writes stays in one folder. This
module knows what Profanity needs before it works at all (see `announce_omemo`) and refuses to know what the
words on its screen should be.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

COLUMNS, ROWS = 200, 50  # wide: a longer line is wrapped, and beside the roster a quarter less fits
POLL = 0.05

# Everything that would make a screen depend on the hour, on the network or on somebody's desktop is off.
PREFERENCES = """
[connection]
[ui]
splash=false
vercheck=false
enc.warn=false
time.console=off
time.chat=off
time.muc=off
time.private=off
time.xmlconsole=off
wrap=true
[logging]
rotate=false
chlog=true
[notifications]
message=false
room=false
invite=false
sub=false
typing=false
[omemo]
trustmode=blind
log=on
"""

ACCOUNT = """
[{jid}]
enabled=true
jid={jid}
resource={resource}
password={password}
server=127.0.0.1
port={port}
tls.policy={tls}
presence.last=online
presence.login=online
muc.service={rooms}
omemo.policy={omemo}
"""


class ProfanityError(Exception):
    """What was waited for did not come; the text carries the screen at that moment."""


class Profanity:
    """One person at one Profanity. `tls` is "trust" for a throw-away authority that the system does not know.

    Keys and history live in the folder and survive `stop`; the account file is written anew by each instance.
    """

    def __init__(
        self,
        folder: Path,
        jid: str,
        password: str,
        port: int,
        *,
        resource: str = "profanity",
        rooms: str = "",
        tls: str = "trust",
        omemo: str = "manual",
    ) -> None:
        self.jid = jid
        self._folder = folder
        self._log = folder / "profanity.log"
        # Not in the folder: the name of a socket holds 107 bytes, and pytest's folders are longer.
        self._socket = Path(tempfile.mkdtemp(prefix="profanity-")) / "tmux"
        account = ACCOUNT.format(
            jid=jid, resource=resource, password=password, port=port, tls=tls, omemo=omemo, rooms=rooms
        )
        self._write("config/profanity/profrc", PREFERENCES)
        self._write("data/profanity/accounts", account)

    def start(self, timeout: float = 15) -> None:
        """Run it and wait until the server has let it in."""
        inside = {
            "HOME": str(self._folder),
            "XDG_CONFIG_HOME": str(self._folder / "config"),
            "XDG_DATA_HOME": str(self._folder / "data"),
            "LC_ALL": "C.UTF-8",  # anything less and ncurses draws no ☃
            "TERM": "screen",
            "PATH": os.environ.get("PATH", "/usr/bin"),
        }
        program = ["env", "-i", *(f"{name}={value}" for name, value in inside.items())]
        program += ["profanity", "-l", "DEBUG", "-f", str(self._log), "-a", self.jid]
        self._socket.parent.mkdir(mode=0o700, exist_ok=True)  # gone after a stop
        size = ("-x", str(COLUMNS), "-y", str(ROWS))
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, shlex.join(program))
        try:
            if "Login failed" in self.wait_for(r"logged in successfully|Login failed", timeout):
                raise ProfanityError(f"{self.jid} was not let in; the screen:\n{self.screen()}")
        except BaseException:
            self.stop()
            raise

    def type(self, text: str) -> None:
        """Type a line and press Enter; the line lands in whichever window is open."""
        if "\n" in text:
            raise ValueError("one line at a time: Enter sends it")
        if text.endswith(";"):
            text = text[:-1] + "\\;"  # tmux takes a bare one at the end for the end of its own command
        self._tmux("send-keys", "-l", "--", text)
        self._tmux("send-keys", "Enter")

    def screen(self) -> str:
        """What the person sees now, right-trimmed; empty once the program has gone."""
        shown = self._ask_tmux("capture-pane", "-p").stdout
        return "\n".join(line.rstrip() for line in shown.splitlines()).rstrip()

    def wait_for(self, text: str, timeout: float = 10) -> str:
        """The screen as soon as the regular expression `text` is on it.

        One's own lines are on it as well: what came from Bob is "Bob.*: hello".
        """
        return self._poll(self.screen, text, timeout)

    def wait_for_log(self, text: str, timeout: float = 10, since: int = 0) -> str:
        """The debug log from character `since` as soon as `text` is in it: for what no screen shows."""
        return self._poll(lambda: self.log_text()[since:], text, timeout)

    def log_text(self) -> str:
        """The debug log: every stanza in and out, and what Profanity thought of it."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def announce_omemo(self, timeout: float = 30) -> int:
        """Make keys and see them published, once per account; the device id that contacts will find.

        Left alone a fresh Profanity never announces its device: it takes "you have no list yet" only from
        an error with the legacy code='404', which Prosody does not send. Its own command to clear the list
        publishes an empty one, hears of that, misses itself in it and adds itself; so does any other device.
        """
        deadline = time.monotonic() + timeout
        self.type("/win 1")
        self.type("/omemo gen")
        shown = self.wait_for(r"Your Device ID is \d+", timeout)
        device = re.findall(r"Your Device ID is (\d+)", shown)[-1]
        self.type("/omemo clear_device_list")
        # It fetches its own bundle once it finds itself on the list: this line means that both are on the
        # server.
        self.wait_for(rf"rust for {re.escape(self.jid)} device {device}", deadline - time.monotonic())
        return int(device)

    def start_omemo(self, contact: str, timeout: float = 10) -> None:
        """Open the chat with a contact and wait until there is a session with one of its devices.

        A line typed before that is lost: Profanity says so in the window, and sends nothing.
        """
        so_far = len(self.log_text())
        self.type(f"/omemo start {contact}")
        session = rf"session with {re.escape(contact)} device \d+"
        self.wait_for_log(rf"create {session}|{session} exists", timeout, so_far)

    def stop(self) -> None:
        """Leave as a person would, so that keys are saved; then end the tmux. Safe to call twice."""
        self._ask_tmux("send-keys", "-l", "/quit")
        self._ask_tmux("send-keys", "Enter")
        deadline = time.monotonic() + 5
        while self.is_running() and time.monotonic() < deadline:
            time.sleep(POLL)
        self._ask_tmux("kill-server")
        shutil.rmtree(self._socket.parent, ignore_errors=True)

    def is_running(self) -> bool:
        """Whether the program has not ended by itself; its tmux ends with it."""
        return self._ask_tmux("has-session").returncode == 0

    def _poll(self, look: Callable[[], str], wanted: str, timeout: float) -> str:
        pattern, deadline = re.compile(wanted), time.monotonic() + timeout
        while not pattern.search(seen := look()):
            if time.monotonic() > deadline or not self.is_running():
                state = "waited for" if self.is_running() else "has ended before"
                raise ProfanityError(
                    f"{self.jid} {state} {wanted!r}; the screen:\n{self.screen() or seen[-3000:]}"
                )
            time.sleep(POLL)
        return seen

    def _write(self, name: str, content: str) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.lstrip())

    def _ask_tmux(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["tmux", "-S", str(self._socket), *words], capture_output=True, text=True, check=False
        )

    def _tmux(self, *words: str) -> None:
        answer = self._ask_tmux(*words)
        if answer.returncode:
            raise ProfanityError(
                f"{self.jid}: tmux {words[0]}: {answer.stderr.strip()}\n{self.log_text()[-2000:]}"
            )
