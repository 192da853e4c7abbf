"""The last acts: standing, outage, evidence, tampering.

Knows what an operator and an auditor would do at a command line; refuses to use anything but the commands.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from pathlib import Path

from rig.installation import Installation
from scenario.conversation import SID, Cast, drain, nothing_heard
from scenario.stage import Book, Stage


async def standing(book: Book, stage: Stage, cast: Cast) -> None:
    """Who is suspended says nothing, from the very next message on."""
    boris, installation = stage.jid("boris.volkov"), stage.installation

    async def from_the_files() -> tuple[bool, str]:
        pavel = await stage.omemo("pavel.zaitsev", "phone")
        refusal = await pavel.refusal(await pavel.encrypt_to(boris, "let me in"))
        return refusal.condition == "policy-violation" and "suspended" in refusal.text, refusal.text

    await book.play("a suspended official is refused", "although the message is encrypted", from_the_files)

    async def live() -> tuple[bool, str]:
        clara = stage.jid("clara.lindqvist")
        installation.run("officials", "suspend", clara)
        await asyncio.sleep(0.3)  # the gate looks at the directory five times a second
        refusal = await cast.clara.refusal(await cast.clara.encrypt_to(boris, "one more thing"))
        began = time.monotonic()
        gone = await cast.boris_phone.contacts_until(lambda contacts: clara not in contacts, 10)
        took = time.monotonic() - began
        installation.run("officials", "reinstate", clara)
        await cast.boris_phone.contacts_until(lambda contacts: clara in contacts, 10)
        ok = "suspended" in refusal.text and clara not in gone
        return ok, f"{refusal.text} Gone from Boris's roster {took:.1f} s later, and back after reinstatement"

    await book.play("suspended while online", "refused at once, gone from colleagues' rosters, back after reinstatement", live)


async def outage(book: Book, stage: Stage, cast: Cast) -> None:
    """No gate, no message; and no message lost in silence."""
    boris, installation = stage.jid("boris.volkov"), stage.installation

    async def killed() -> tuple[bool, str]:
        drain(cast.boris_phone)
        installation.kill()
        refusal = await cast.clara.refusal(await cast.clara.encrypt_to(boris, "is anybody there?"), 10)
        silent = await nothing_heard(cast.boris_phone)
        return silent and refusal.type == "wait", f"error of type {refusal.type}: {refusal.text}"

    await book.play("gate killed (SIGKILL)", "the sender is told to try again, nothing is delivered", killed)

    async def back() -> tuple[bool, str]:
        drain(cast.boris_phone)
        installation.serve()
        await cast.clara.encrypt_to(boris, "here again")
        heard = await cast.boris_phone.next_decrypted(10)
        return heard.body == "here again", f"Boris reads {heard.body!r}"

    await book.play("gate back", "messages pass again", back)


async def evidence(book: Book, stage: Stage, cast: Cast) -> None:
    """From a message on the recipient's screen to a proof that needs no server."""
    boris, installation = stage.jid("boris.volkov"), stage.installation
    bundle = installation.folder / "evidence.json"

    async def trace() -> tuple[bool, str]:
        drain(cast.boris_phone)
        await cast.clara.encrypt_to(boris, "the message in question")
        message = await cast.boris_phone.next_message(10)
        ids = {one.get("by"): one.get("id", "") for one in message.xml.findall(SID)}
        await asyncio.sleep(0.5)  # archive ids are reported to the ledger within a fifth of a second
        told = installation.answer("audit", "trace", "--stanza-id", ids[boris], "--export", str(bundle))
        item = told["items"][0]
        ok = told["ok"] and item["from"] == stage.jid("clara.lindqvist") and item["to"] == boris and item["level"] == "E0"
        return ok, f"{item['level']}: {item['proven'][0]}; entry {item['entry']}, inclusion proof checked"

    await book.play("the auditor traces a message", "by the recipient's archive id: who, to whom, when, and how strong the proof", trace)

    async def outsider() -> tuple[bool, str]:
        elsewhere = installation.folder / "outsider"
        elsewhere.mkdir()
        shutil.copy(bundle, elsewhere)
        said = installation.run("audit", "verify", str(elsewhere / bundle.name), "--key", installation.vkey)
        text = bundle.read_text(encoding="utf-8")
        place = text.index('"entry": "') + 30
        (elsewhere / "forged.json").write_text(text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :])
        installation.run("audit", "verify", str(elsewhere / "forged.json"), "--key", installation.vkey, status=1)
        return "every proof holds" in said, f"{said.strip().splitlines()[-1]} One letter changed: NOT proven"

    await book.play("an outsider verifies the bundle", "in another process, with the public key alone; a forged one is refused", outsider)

    async def whole() -> tuple[bool, str]:
        said = installation.run("ledger", "verify").strip()
        return "whole" in said, said

    await book.play("the ledger is whole", "the tree derived anew leads to the signed checkpoint", whole)

    async def tampered() -> tuple[bool, str]:
        entry, said = await asyncio.to_thread(_change_one_byte, installation)
        return f"entry {entry}:" in said and "NOT whole" in said, " ".join(said.split())

    await book.play("one byte of the ledger changed", "`ledger verify` says where", tampered)


def _change_one_byte(installation: Installation) -> tuple[int, str]:
    """Change one byte of one entry in a copy of the installation; return which, and what `ledger verify` says."""
    copy = installation.folder / "tampered"
    copy.mkdir()
    with sqlite3.connect(installation.home / "apostille.sqlite") as live, sqlite3.connect(copy / "apostille.sqlite") as other:
        live.backup(other)
        index, data = other.execute('SELECT "index", data FROM ledger_entries ORDER BY random() LIMIT 1').fetchone()
        place = len(data) // 2
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        other.execute('UPDATE ledger_entries SET data = ? WHERE "index" = ?', (changed, index))
    for name in ("apostille.toml", "ledger.key", "component.secret", "policy.toml"):
        shutil.copy(installation.home / name, copy)
    settings = installation.settings
    installation.settings = Path(copy / "apostille.toml")
    try:
        return index, installation.run("ledger", "verify", status=1)
    finally:
        installation.settings = settings
