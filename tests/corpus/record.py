"""Records what real clients send: a server without a gate that writes down every message, and the files made of what it wrote.

    record.py serve FOLDER NAME...          a server, with an account for each NAME (its password is PASSWORD); runs until interrupted
    record.py client FOLDER NAME PROGRAM VERSION   from now on this account is this program
    record.py now FOLDER NAME SITUATION            what the person at this account does next
    record.py keep FOLDER                          add what was recorded to the files of `legitimate/`

The journal in FOLDER holds the lines of all of them in order, so that a recording can be read again when a mark changes. Nothing here
ever makes a stanza: what was not sent by a program is not in the corpus. Of stanzas that one program sends with the same
structure (the same elements, attributes and types in the same setting) the first is kept.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "deploy"))

from rig.configuration import Network  # noqa: E402
from rig.prosody import Prosody  # noqa: E402

DOMAIN = "office.example"
PASSWORD = "corpus"
FOLDER = HERE / "legitimate"
CLIENT = "{jabber:client}"
OX = "{urn:xmpp:openpgp:0}openpgp"  # encrypted, but not what the profile asks for
OMEMO = {"{eu.siacs.conversations.axolotl}encrypted", "{urn:xmpp:omemo:2}encrypted"}
# What stands beside something else, and what a client sends on its own account.
ASIDE = (CLIENT + "thread", "{urn:xmpp:hints}", "{urn:xmpp:sid:0}", "{http://jabber.org/protocol/muc#user}x")
INVITATIONS = {
    "{http://jabber.org/protocol/muc#user}invite": "mediated invitation",
    "{http://jabber.org/protocol/muc#user}decline": "declined invitation",
    "{jabber:x:conference}x": "direct invitation",
}
ITSELF = (
    ("{http://jabber.org/protocol/chatstates}", "chat state"),
    ("{urn:xmpp:receipts}received", "receipt"),
    ("{urn:xmpp:chat-markers:0}", "chat marker"),
)
# What a person can write or name outside of `<encrypted/>`, by the code that refuses it under the officials' strict profile. The
# order is the policy's: the gravest first. Everything else passes.
READABLE = (
    ("plaintext", CLIENT + "body"),
    ("subject", CLIENT + "subject"),
    ("xhtml", "{http://jabber.org/protocol/xhtml-im}"),
    ("links", "{jabber:x:oob}"),
    ("unknown-element", "{jabber:x:encrypted}"),
    ("reactions", "{urn:xmpp:reactions:"),
    ("unknown-element", "{urn:xmpp:reference:"),
    ("links", "{urn:xmpp:sfs:"),
    ("calls", "{urn:xmpp:jingle-message:"),
    ("calls", "{urn:xmpp:call-invites:"),
)


def journal(folder: Path) -> Path:
    """Where everything is written down."""
    return folder / "journal.jsonl"


def write(folder: Path, **facts: str) -> None:
    """One line, in the order of events."""
    with journal(folder).open("a", encoding="utf-8") as file:
        file.write(json.dumps(facts) + "\n")


def server(folder: Path, port: int) -> Prosody:
    """A server as people have it: rooms in which everybody sees who is who, an archive, a place for files."""
    return Prosody(
        folder / "server",
        DOMAIN,
        modules_dir=HERE / "modules",
        host_modules=("corpus_record", "groups", "http_file_share", "lastactivity", "time", "version"),
        network=Network(plaintext=True, http=True),
        ports=port,
        extra=f'corpus_record_file = "{journal(folder)}"; groups_file = "{folder}/groups.txt"; http_host = "localhost"\n'
        "muc_room_locking = false; muc_room_default_public_jids = true; muc_room_default_persistent = true\n"
        "muc_room_default_members_only = true; muc_room_default_allow_member_invites = true",
    )


def serve(folder: Path, names: list[str], port: int = 5222) -> None:
    """Run until interrupted; everybody has everybody else in their contacts."""
    folder.mkdir(parents=True, exist_ok=True)
    jids = "".join(f"{name}@{DOMAIN}={name.title()}\n" for name in names)
    (folder / "groups.txt").write_text(f"[Office]\n{jids}", encoding="utf-8")
    prosody = server(folder, port)
    prosody.register((name, PASSWORD) for name in names)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both ways of ending it end the server, too
    with prosody, suppress(KeyboardInterrupt):
        print(f"{DOMAIN} on port {prosody.c2s_port}, http on {prosody.http_port}, authority {prosody.ca}", flush=True)
        signal.pause()


def recorded(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Program, version, situation and stanza, in the order of sending; what nobody claimed to be doing is left out."""
    programs: dict[str, tuple[str, str]] = {}
    doing: dict[str, str] = {}
    for line in journal(folder).read_text(encoding="utf-8").splitlines():
        facts: dict[str, Any] = json.loads(line)
        if "program" in facts:
            programs[facts["name"]] = (facts["program"], facts["version"])
        elif "situation" in facts:
            doing[facts["name"]] = facts["situation"]
        else:
            stanza = facts["stanza"].replace("<message ", "<message xmlns='jabber:client' ", 1)  # which the stream had said
            name = ET.fromstring(stanza).get("from", "").partition("@")[0]
            if name in programs and name in doing:
                yield (*programs[name], doing[name], stanza)


def setting(message: ET.Element) -> str:
    """Where a message is said."""
    host = message.get("to", "").partition("/")[0].partition("@")[2]
    if host != f"rooms.{DOMAIN}":
        return "chat"
    return "groupchat" if message.get("type") == "groupchat" else "private"


def situation(message: ET.Element, told: str) -> str:
    """What the person did; what a client sends by itself comes at any time and names itself, and so does what has a name of its own."""
    for tag, name in INVITATIONS.items():
        if message.find(f".//{tag}") is not None:
            return name
    said = {child.tag for child in message if not child.tag.startswith(ASIDE)}
    for start, name in ITSELF:
        if len(said) == 1 and min(said).startswith(start):
            return name if start.endswith("received") else f"{name} {min(said).partition('}')[2]}"
    sealed = [child for child in message if child.tag in OMEMO]
    if sealed and not any(part.tag.endswith("}payload") for child in sealed for part in child):
        return "OMEMO key transport"
    if len(sealed) > 1:
        told = told.replace("OMEMO 0.3", "OMEMO in both versions")
    elif sealed and "OMEMO" not in told:
        told = f"OMEMO {told}"
    return told if setting(message) == "private" else told.replace("private", "direct")


def refused(message: ET.Element) -> str:
    """The code under which the strict profile refuses it, or nothing."""
    if any(child.tag in OMEMO and not any(part.tag.endswith("}key") for part in child.iter()) for child in message):
        return "no-keys"
    held = {child.tag for child in message if child.tag != CLIENT + "body" or child.text}
    withdrawn = "{urn:xmpp:message-retract:1}retract" in held and "{urn:xmpp:fallback:0}fallback" in held
    if held & OMEMO or withdrawn:
        held.discard(CLIENT + "body")
    if OX in held:
        held.discard(CLIENT + "body")
    found = next((code for code, start in READABLE if any(tag.startswith(start) for tag in held)), "")
    return found or ("version" if OX in held else "")


def structure(element: ET.Element) -> tuple[object, ...]:
    """What two stanzas share when they differ in words and numbers only."""
    inner = sorted({structure(child) for child in element}, key=repr)
    told = element.get("type", "") if element.tag == CLIENT + "message" else ""
    return (element.tag, told, tuple(sorted(element.attrib)), bool((element.text or "").strip()), tuple(inner))


def keep(folder: Path) -> int:
    """Write the files anew with what is in the journal and was not in them; how many messages were added."""
    files: dict[tuple[str, str], list[tuple[str, str, str, str]]] = {}
    known: set[tuple[object, ...]] = set()
    for path in sorted(FOLDER.glob("*.xml")):
        root = ET.parse(path).getroot()
        program = (root.get("client", ""), root.get("version", ""))
        files[program] = list(_kept(path))
        known |= {(program, entry[1], structure(ET.fromstring(entry[3]))) for entry in files[program]}
    before = len(known)
    for client, version, told, stanza in recorded(folder):
        message = ET.fromstring(stanza)
        mark = ((client, version), setting(message), structure(message))
        if mark not in known:
            known.add(mark)
            files.setdefault((client, version), []).append((situation(message, told), setting(message), refused(message), stanza))
    for (client, version), entries in files.items():
        name = re.sub(r"[^a-z0-9.]+", "-", f"{client} {version}".lower()).strip("-")
        lines = [f"<corpus client={quoteattr(client)} version={quoteattr(version)}>"]
        for told, where, code, stanza in entries:
            lines.append(f"<entry situation={quoteattr(told)} setting={quoteattr(where)} refused={quoteattr(code)}>{stanza}</entry>")
        (FOLDER / f"{name}.xml").write_text("\n".join([*lines, "</corpus>"]) + "\n", encoding="utf-8")
    return len(known) - before


_ENTRY = re.compile(r'^<entry situation="([^"]*)" setting="([^"]*)" refused="([^"]*)">(.*?)</entry>$', re.DOTALL | re.MULTILINE)


def _kept(path: Path) -> Iterator[tuple[str, str, str, str]]:
    yield from _ENTRY.findall(path.read_text(encoding="utf-8"))


def main(words: list[str]) -> int:
    """The command line of this file's beginning."""
    match words:
        case ["serve", folder, *names] if names:
            serve(Path(folder).resolve(), names)
        case ["client", folder, name, program, version]:
            write(Path(folder), name=name, program=program, version=version)
        case ["now", folder, name, told]:
            write(Path(folder), name=name, situation=told)
        case ["keep", folder]:
            print(f"{keep(Path(folder))} messages added")
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
