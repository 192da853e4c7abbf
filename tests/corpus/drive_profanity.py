"""Two people at Profanity do everything that it can do with a message. `record.py serve FOLDER profanity profanity2` runs beside it.

drive_profanity.py FOLDER VERSION
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in ("deploy", "tests")]

from corpus.record import DOMAIN, PASSWORD, write  # noqa: E402
from rig.profanity import Profanity  # noqa: E402

ROOM = f"stairs@rooms.{DOMAIN}"


def main(folder: Path, version: str) -> None:
    """The whole play, in its order."""
    names = ("profanity", "profanity2")
    people = [Profanity(folder / name, f"{name}@{DOMAIN}", PASSWORD, 5222, rooms=f"rooms.{DOMAIN}") for name in names]
    for name in names:
        write(folder, name=name, program="Profanity", version=version)
        write(folder, name=name, situation="after login")
    first, second = people

    def does(situation: str, *lines: str, who: int = 0, pause: float = 1.5) -> None:
        write(folder, name=names[who], situation=situation)
        for line in lines:
            people[who].type(line)
            time.sleep(pause)

    for person in people:
        person.start()
    try:
        for who in (0, 1):
            settings = ("/states on", "/outtype on", "/receipts send on", "/correction on", "/gone 1")
            does("settings", *settings, who=who, pause=0.5)
        does("first message", f"/msg {second.jid} good morning")
        does("first message answered", f"/msg {first.jid} good morning to you", who=1)
        does("message that follows", "and another")
        does("correction", "/correct and another one")
        does("receipt wanted", "/receipts request on", "did this arrive?")
        does("receipt", who=1, pause=2)
        does("attention or own status", "/me waves", "https://example.org/a-link")
        does("quotation", "/quote did this", "> did this arrive?")
        upload = folder / "note.txt"
        upload.write_text("a small file\n")
        does("file link", f"/sendfile {upload}", pause=5)
        does("conversation left", "/close", pause=3)
        does("message to self", f"/msg {first.jid} note to self")
        does("message to somebody absent", f"/msg nobody@{DOMAIN} are you there?")
        does("message to somebody unknown", f"/msg nosuchone@{DOMAIN} are you there?")
        for person in people:
            person.announce_omemo()
        does("OMEMO session", "/receipts request off")
        first.start_omemo(second.jid)
        does("OMEMO first message", "first and encrypted", pause=3)
        second.start_omemo(first.jid)
        does("OMEMO answer", "second and encrypted", who=1, pause=3)
        does("OMEMO message that follows", "third and encrypted", "fourth and encrypted")
        does("OMEMO correction", "/correct fourth and corrected")
        does("OMEMO receipt wanted", "/receipts request on", "fifth with a receipt")
        does("OMEMO receipt", who=1, pause=2)
        does("OMEMO correction, receipt wanted", "/correct fifth, corrected")
        does("OMEMO file link", f"/sendfile {upload}", pause=6)
        does("OMEMO message to somebody absent", "/close")
        does("room entered", f"/join {ROOM} nick asha", pause=3)
        does("room settings", f"/affiliation set member {second.jid}", "/leave", f"/join {ROOM} nick asha", pause=2)
        does("invitation", f"/invite send {second.jid}", pause=2)
        does("room entered", f"/join {ROOM} nick boris", who=1, pause=3)
        does("invitation with a reason", f"/invite send nobody@{DOMAIN} come", pause=2)
        does("room subject", "/subject set Monday", pause=2)
        does("room message", "hello everybody", pause=2)
        does("room correction", "/correct hello everybody here", pause=2)
        does("room file link", f"/sendfile {upload}", pause=5)
        does("room", "/win stairs")
        does("room", "/win stairs", who=1)
        does("private message", "/msg boris a word aside", pause=2)
        does("private correction", "/correct a word or two aside", pause=2)
        does("private message answered", "/msg asha a word back", who=1, pause=2)
        does("room OMEMO", "/win stairs", "/omemo start", pause=4)
        does("room OMEMO message", "encrypted to everybody", pause=3)
        does("room OMEMO correction", "/correct encrypted to everybody, again", pause=3)
        does("room OMEMO message, receipt wanted", "and one more", pause=3)
        does("OTR", f"/msg {second.jid} before OTR", "/omemo end", "/otr gen", "/otr start", pause=4)
        does("OTR message", "by OTR")
        write(folder, name="profanity", situation="idle")
        write(folder, name="profanity2", situation="idle")
        does("unfinished", f"/msg {second.jid} before the pause")
        first._tmux("send-keys", "-l", "--", "half a sen")
        time.sleep(100)
        print(first.screen())
        print(second.screen())
    finally:
        for person in people:
            person.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2])
