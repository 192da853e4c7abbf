"""Two people at poezio with its OMEMO plugin, each in a tmux. `record.py serve FOLDER poezio poezio2` runs beside it.

    drive_poezio.py FOLDER PROGRAM VERSION

PROGRAM is poezio in a virtual environment with poezio-omemo. It does not run as root: started by root, it runs as nobody.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in ("deploy", "tests")]

from corpus.record import DOMAIN, PASSWORD, write  # noqa: E402

ROOM = f"attic@rooms.{DOMAIN}"
CONFIG = """[Poezio]
jid = {jid}
password = {password}
server = {domain}
custom_host = 127.0.0.1
custom_port = 5222
tls_verify_cert = false
force_encryption = false
plugins_autoload = omemo:react:retract:upload:moderate
default_nick = {name}
send_chat_states = true
use_log = false
request_message_receipts = {receipts}
"""


class Poezio:
    """One person; lines are typed into whichever tab is open."""

    def __init__(self, folder: Path, program: str, name: str, receipts: bool = True) -> None:
        self.jid = f"{name}@{DOMAIN}"
        home = Path("/tmp") / f"corpus-{name}"  # noqa: S108 - nobody must reach it
        shutil.rmtree(home, ignore_errors=True)
        (home / "poezio").mkdir(parents=True)
        text = CONFIG.format(jid=self.jid, password=PASSWORD, domain=DOMAIN, name=name, receipts=str(receipts).lower())
        (home / "poezio" / "poezio.cfg").write_text(text)
        command = f"env -i HOME={home} XDG_DATA_HOME={home}/data XDG_CACHE_HOME={home}/cache "
        command += f"LC_ALL=C.UTF-8 TERM=screen-256color PATH=/usr/bin:/bin {program} -f {home}/poezio/poezio.cfg -d {home}/debug.log"
        if os.geteuid() == 0:
            shutil.chown(home, "nobody")
            for path in home.rglob("*"):
                shutil.chown(path, "nobody")
            command = f"setpriv --reuid=nobody --regid=nogroup --clear-groups {command}"
        self._socket = str(folder / f"{name}.tmux")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "200", "-y", "50", command)

    def tmux(self, *words: str) -> str:
        return subprocess.run(["tmux", "-S", self._socket, *words], capture_output=True, text=True, check=False).stdout

    def type(self, text: str, pause: float = 1.5) -> None:
        if text.startswith("/"):  # what comes in one go is taken for something pasted, and no command
            self.tmux("send-keys", "-l", "--", "/")
            time.sleep(0.3)
            text = text[1:]
        self.tmux("send-keys", "-l", "--", text)
        time.sleep(0.3)
        self.tmux("send-keys", "Enter")
        time.sleep(pause)

    def screen(self) -> str:
        return "\n".join(line for line in self.tmux("capture-pane", "-p").splitlines() if line.strip())


def main(folder: Path, program: str, version: str) -> None:
    """The whole play, in its order."""
    names = ("poezio", "poezio2")
    people = [Poezio(folder, program, name) for name in names]
    one, two = people

    def does(situation: str, *lines: str, who: int = 0, pause: float = 1.5) -> None:
        write(folder, name=names[who], situation=situation)
        for line in lines:
            people[who].type(line, pause)

    for name in names:
        write(folder, name=name, program="poezio with poezio-omemo", version=version)
        write(folder, name=name, situation="after login")
    time.sleep(10)
    try:
        print(one.screen())
        does("first message", f"/message {two.jid} good morning")
        does("first message answered", f"/message {one.jid} good morning to you", who=1)
        does("message that follows", "and another", "and one more")
        does("correction", "/correct and a third")
        does("reaction", f"/react {time.strftime('%H:%M:%S')} 👍", "/react 👍")
        does("retraction", "/retract")
        does("formatted text", "/xhtml <strong>bold</strong>")
        does("attention", "/attention")
        note = Path("/tmp/corpus-note.txt")  # noqa: S108 - nobody must reach it
        note.write_text("a small file\n")
        does("file link", f"/upload {note}", pause=5)
        print(one.screen())
        one.tmux("send-keys", "-l", "--", "half a sen")
        does("unfinished", pause=1)
        time.sleep(8)
        one.tmux("send-keys", "C-u")
        time.sleep(2)
        does("conversation left", "/close", "/win 0")
        does("message to self", f"/message {one.jid} a note")
        does("message to somebody absent", f"/message nobody@{DOMAIN} are you there?")
        does("OMEMO", f"/message {two.jid} now sealed", "/omemo", pause=5)
        print(one.screen())
        does("OMEMO", "/omemo", who=1, pause=5)
        does("OMEMO first message", "sealed", pause=4)
        does("OMEMO answer", "sealed, too", who=1, pause=4)
        does("OMEMO message that follows", "third sealed", "fourth sealed", pause=3)
        does("OMEMO correction", "/correct fourth and corrected", pause=3)
        does("OMEMO reaction", "/react 👍", pause=3)
        does("OMEMO retraction", "/retract", pause=3)
        does("OMEMO attention", "/attention")
        does("OMEMO formatted text", "/xhtml <strong>bold</strong>")
        does("OMEMO file link", f"/upload {note}", pause=5)
        print(one.screen())
        does("room entered", f"/join {ROOM}/poezio", pause=4)
        does("room", f"/affiliation {two.jid} member", pause=2)
        does("mediated invitation", f"/invite {two.jid} come", pause=2)
        does("direct invitation", f"/impromptu {two.jid}", pause=2)
        does("room entered", f"/join {ROOM}/poezio2", who=1, pause=4)
        does("room", f"/join {ROOM}", pause=2)
        does("room subject", "/topic Monday", pause=2)
        does("room message", "hello all", pause=2)
        does("room correction", "/correct hello everybody", pause=2)
        does("room retraction", "/retract", pause=2)
        does("private message", "/query poezio2 a word aside", "and another", pause=3)
        does("private message answered", "/query poezio a word back", who=1, pause=2)
        does("private correction", "/correct and yet another", pause=2)
        print(one.screen())
        does("room", f"/join {ROOM}", pause=2)
        does("room OMEMO message", "/omemo", "sealed for all", "sealed again", pause=5)
        does("room OMEMO correction", "/correct sealed for everybody", pause=3)
        print(one.screen())
        does("room left", "/part bye", pause=2)
    finally:
        for person in people:
            person.type("/quit", 3)
            person.tmux("kill-server")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3])
