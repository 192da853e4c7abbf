"""Two people at Profanity write to each other in OX (XEP-0373). `record.py serve FOLDER profanity profanity2` runs.

    drive_ox.py FOLDER VERSION FINGERPRINT FINGERPRINT2

Beside it each has a home with a .gnupg in FOLDER/NAME, with a key for xmpp:JID of their own and the other's public key.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in ("deploy", "tests")]

from corpus.record import DOMAIN, PASSWORD, write  # noqa: E402
from rig.profanity import Profanity  # noqa: E402


def main(folder: Path, version: str, prints: list[str]) -> None:
    """Announce, discover, and write."""
    names = ("profanity", "profanity2")
    people = [Profanity(folder / name, f"{name}@{DOMAIN}", PASSWORD, 5222, rooms=f"rooms.{DOMAIN}") for name in names]
    try:
        for name, person, key in zip(names, people, prints, strict=True):
            write(folder, name=name, program="Profanity", version=version)
            write(folder, name=name, situation="after login")
            person.start()
            person.type("/states on")
            person.type(f"/ox announce {key}")
            time.sleep(3)
        for name, person, other in zip(names, people, reversed(people), strict=True):
            write(folder, name=name, situation="OX message")
            person.type(f"/ox discover {other.jid}")
            time.sleep(2)
            person.type(f"/msg {other.jid}")
            person.type("/omemo end")
            person.type(f"/ox start {other.jid}")
            time.sleep(2)
            person.type("sealed by OX")
            time.sleep(2)
            write(folder, name=name, situation="OX message, receipt wanted")
            person.type("/receipts request on")
            person.type("sealed by OX again")
            time.sleep(2)
            write(folder, name=name, situation="OX correction")
            person.type("/correct sealed by OX, corrected")
            time.sleep(2)
            print(person.screen())
    finally:
        for person in people:
            person.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3:])
