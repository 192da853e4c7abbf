"""What a person reads, over the whole way: in the language of the message, with the next step for the client at hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from xml.etree import ElementTree as ET

import pytest

from apostille.policy.texts import OUTAGES, refused, warned
from e2e.conftest import PASSWORD, Government, play
from e2e.test_stages import WARN
from e2e.test_terms import in_force, without_component
from rig.speaker import Speaker

CLIENT, STANZAS, GATE = "{jabber:client}", "{urn:ietf:params:xml:ns:xmpp-stanzas}", "{apostille:gate:0}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
PROFANITY = "http://profanity-im.github.io"


@asynccontextmanager
async def speaker(government: Government, node: str = "") -> AsyncIterator[Speaker]:
    """Asha, whose client calls itself `node` in its presence."""
    caps = f"<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='{node}' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>" if node else ""
    asha = Speaker(f"{government.jid('asha')}/words", PASSWORD, government.prosody.c2s_port, government.prosody.ca)
    await asha.connect()
    asha.say(f"<presence id='here'>{caps}</presence>")
    while (await asha.next()).get("id") != "here":
        pass
    yield asha
    await asha.leave()


async def told(asha: Speaker, message: str) -> tuple[str, str, str]:
    """What comes back for a message with the id `m`: code, language, text."""
    asha.say(message)
    while (answer := await asha.next()).get("id") != "m":
        pass
    assert answer.get("type") == "error"
    error = answer.find(f"{CLIENT}error")
    assert error is not None
    (text,) = error.findall(f"{STANZAS}text")
    (code,) = error.findall(f"{GATE}refused")
    return code.get("code", ""), text.get(LANG, ""), text.text or ""


def plain(to: str, lang: str = "", of_body: str = "") -> str:
    stanza, body = (f" xml:lang='{one}'" if one else "" for one in (lang, of_body))
    return f"<message to='{to}' type='chat' id='m'{stanza}><body{body}>in clear</body></message>"


@pytest.mark.parametrize(
    ("lang", "of_body", "answer"),
    [("ru", "", "ru"), ("hi-IN", "", "hi"), ("ru", "de-AT", "de"), ("mr", "xx", "en"), ("", "", "en")],
)
def test_a_refusal_speaks_the_language_of_the_message_and_says_so(strict: Government, lang: str, of_body: str, answer: str) -> None:
    async def act() -> tuple[str, str, str]:
        async with speaker(strict) as asha:
            return await told(asha, plain(strict.jid("boris"), lang, of_body))

    assert play(act) == ("plaintext", answer, refused("plaintext", lang=answer))


def test_a_refusal_ends_with_the_next_step_for_the_client_that_sent_the_message(strict: Government) -> None:
    async def act() -> list[tuple[str, str, str]]:
        async with speaker(strict, PROFANITY) as asha:
            return [await told(asha, plain(strict.jid("boris"), lang)) for lang in ("en", "ru")]

    english, russian = play(act)
    assert english == ("plaintext", "en", refused("plaintext", client=PROFANITY))
    assert english[2].endswith("In Profanity: type /omemo start in the chat; before the very first time, type /omemo gen.")
    assert russian == ("plaintext", "ru", refused("plaintext", lang="ru", client=PROFANITY))


def test_without_the_component_the_server_speaks_the_senders_language_too(strict: Government) -> None:
    async def act() -> list[tuple[str, str, str]]:
        async with speaker(strict) as asha, without_component(strict):
            return [await told(asha, plain(strict.jid("boris"), lang)) for lang in ("ru", "nl")]

    russian, dutch = play(act)
    assert russian[:2] == ("unavailable", "ru")
    assert russian[2] == "Ваше сообщение не доставлено: служба проверки сообщений сейчас недоступна. Попробуйте ещё раз чуть позже."
    assert dutch == ("unavailable", "en", OUTAGES["unavailable"])


def test_a_refused_change_of_devices_says_in_which_language_it_is_explained(strict: Government) -> None:
    async def act() -> tuple[str, str, str]:
        async with speaker(strict) as asha:
            publish = "<publish node='urn:xmpp:omemo:2:devices'><item id='current'><devices xmlns='urn:xmpp:omemo:2'/></item></publish>"
            pubsub = f"<pubsub xmlns='http://jabber.org/protocol/pubsub'>{publish}</pubsub>"
            return await told(asha, f"<iq type='set' id='m' to='{strict.jid('boris')}' xml:lang='ru'>{pubsub}</iq>")

    assert play(act)[:2] == ("device-foreign", "en")


def test_a_notice_under_warn_speaks_the_language_of_the_message_that_it_is_about(strict: Government) -> None:
    before = (strict.installation.home / "policy.toml").read_text()

    async def act() -> ET.Element:
        async with speaker(strict, PROFANITY) as asha:
            await in_force(strict, WARN)
            asha.say(plain(strict.jid("boris"), "fr"))
            while (notice := await asha.next()).get("from") != "gate.gov.example":
                pass
            await in_force(strict, before)
            return notice

    notice = play(act)
    assert (notice.get(LANG), notice.findtext(f"{CLIENT}body")) == ("fr", warned("plaintext", lang="fr", client=PROFANITY))


def test_neither_language_nor_client_is_kept(strict: Government) -> None:
    async def act() -> None:
        async with speaker(strict, "https://marked.example/client") as asha:
            await in_force(strict, WARN)
            await told(asha, plain("nobody@gov.example", "x-marked"))
            asha.say(plain(strict.jid("boris"), "x-marked"))
            await asyncio.sleep(1)

    before = (strict.installation.home / "policy.toml").read_text()
    play(act)
    (strict.installation.home / "policy.toml").write_text(before)
    kept = [path for path in strict.installation.home.rglob("*") if path.is_file() and b"marked" in path.read_bytes()]
    assert kept == []
    assert "marked" not in strict.installation.serve_log()
