"""What comes from the network is hostile: huge, crafted, or in somebody else's name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from e2e.conftest import Government, govern, play
from e2e.test_flows import SILENCE, judged, silence
from rig.client import Client

BIG = 512 * 1024
AXOLOTL = "eu.siacs.conversations.axolotl"


@pytest.fixture(scope="module")
def roomy() -> Iterator[Government]:
    """The default policy on a server that takes stanzas of more than 512 KiB."""
    yield from govern("roomy", extra="c2s_stanza_size_limit = 1024 * 1024")


async def refused(asha: Client, xml: str, ident: str) -> str:
    asha.say_raw(xml)
    await asha.refusal(ident, 10)
    (told,) = asha.errors[ident].xml.iter("{apostille:gate:0}refused")
    return str(told.get("code"))


def test_a_stanza_of_512_kib_is_judged_like_any_other(roomy: Government) -> None:
    async def act() -> None:
        async with roomy.online("asha", "boris") as (asha, boris):
            to = roomy.jid("boris")
            body = f"<message to='{to}' type='chat' id='big'><body>{'x' * BIG}</body></message>"
            assert await refused(asha, body, "big") == "plaintext"
            key = "<key rid='{}'>" + "A" * 40 + "</key>"
            keys = "".join(key.format(number) for number in range(1, 9000))
            header = f"<header sid='1'>{keys}<iv>{'A' * 16}</iv></header><payload>AAAA</payload>"
            many = f"<message to='{to}' type='chat' id='keys'><encrypted xmlns='{AXOLOTL}'>{header}</encrypted></message>"
            assert len(many) > BIG
            assert await refused(asha, many, "keys") == "encrypted-malformed"
            deep = "<x xmlns='deep:x'>" + "".join(f"<n{number % 7} a='b'/>" for number in range(20000)) + "</x>"
            assert await refused(asha, f"<message to='{to}' type='chat' id='deep'>{deep}</message>", "deep") == "unknown-element"
            assert not await silence(boris)

    play(act)


CRAFTED = {
    "nested in a chat state": "<active xmlns='http://jabber.org/protocol/chatstates'><body xmlns='jabber:client'>hi</body></active>",
    "in an attribute": "<active xmlns='http://jabber.org/protocol/chatstates' note='hi'/>",
    "in a receipt's id": f"<received xmlns='urn:xmpp:receipts' id='{'hi' * 200}'/>",
    "between elements": "hi<active xmlns='http://jabber.org/protocol/chatstates'/>",
    "two bodies": "<body/><body xml:lang='ru'>hi</body>",
    "xhtml": "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><p>hi</p></body></html>",
    "a link beside": "<x xmlns='jabber:x:oob'><url>https://files.example/secret</url></x>",
    "forwarded": "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>hi</body></message></forwarded>",
    "a reaction": "<reactions xmlns='urn:xmpp:reactions:0' id='m'><reaction>hi</reaction></reactions>",
    "a subject": "<subject>hi</subject>",
    "encrypted in another namespace": "<encrypted xmlns='urn:example:omemo'><payload>aGk=</payload></encrypted>",
    "a body in another namespace": "<body xmlns='urn:example:body'>hi</body>",
    "legacy OpenPGP": "<x xmlns='jabber:x:encrypted'>aGk=</x>",
    "text inside encrypted": f"<encrypted xmlns='{AXOLOTL}'><header sid='1'><key rid='2'>MwAA{'A' * 60}</key></header>hi</encrypted>",
    "PEP by hand": "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='n'><item><x>hi</x></item></items></event>",
    "an invitation with words": "<x xmlns='jabber:x:conference' jid='r@rooms.gov.example' reason='{}'/>".format("hi " * 100),
    "a data form": "<x xmlns='jabber:x:data' type='submit'><field var='a'><value>hi</value></field></x>",
    "in the name of an attribute": "<active xmlns='http://jabber.org/protocol/chatstates' meet.at.noon=''/>",
    "in the name of an element": "<fallback xmlns='urn:xmpp:fallback:0'><m xmlns='urn:x:" + "meet-at-noon" * 20 + "'/></fallback>",
    "in thirty threads": "<thread>meet at noon</thread>" * 30,
    "in thirty receipts": "<received xmlns='urn:xmpp:receipts' id='meet at noon'/>" * 30,
    "in the id of a reply": f"<reply xmlns='urn:xmpp:reply:0' id='{'meet at noon ' * 60}'/>",
    "in the flag of a key": f"<encrypted xmlns='{AXOLOTL}'><header sid='1'><key rid='2' prekey='hi'>{'A' * 64}</key></header></encrypted>",
    "in the name of a reader": "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'><keys jid='meet at noon'>"
     f"<key rid='2'>ChAA{'A' * 60}</key></keys></header></encrypted>",
    "keys for nobody": "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'><keys jid='boris@gov.example'/></header></encrypted>",
    "five encrypted parts": f"<encrypted xmlns='{AXOLOTL}'><header sid='1'><key rid='2'>MwAA{'A' * 60}</key></header></encrypted>" * 5,
    "in the language": "<body xml:lang='" + "meet-at-noon-" * 20 + "'/>",
    "an error with words": "<error type='cancel'><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>meet at noon</text></error>",
    "bidirectional": "<body>\u202ehi\u200b</body>",
}


@pytest.mark.parametrize("kind", ["chat", "normal", "headline", "groupchat", "error", "nonsense"])
def test_readable_content_finds_no_way_through(strict: Government, kind: str) -> None:
    async def act() -> None:
        async with strict.online("asha", "boris") as (asha, boris):
            # A server drops errors to a bare JID by itself (RFC 6121 section 8.5.2.1): only the full one asks the gate the question.
            to = str(boris.boundjid.full) if kind == "error" else strict.jid("boris")
            for number, (name, xml) in enumerate(CRAFTED.items()):
                ident = f"{kind}-{number}"
                asha.say_raw(f"<message to='{to}' type='{kind}' id='{ident}'>{xml}</message>")
                if kind != "error":  # nobody may answer an error (RFC 6120 section 8.3.1)
                    await asha.refusal(ident)
                    assert f"{ident}" in asha.errors, name
            await asyncio.sleep(SILENCE)
            assert boris.inbox.empty(), f"{kind}: {boris.inbox.get_nowait()}"  # of whatever type: nobody owes Boris an error

    play(act)


def test_a_person_cannot_write_into_the_ledger_through_the_gates_own_door(strict: Government) -> None:
    async def act() -> None:
        async with strict.online("asha") as (asha,):
            before = len(judged(strict))
            facts = "<message ref='1' flow='local' from='boris@gov.example/x' to='clara@gov.example' text='0' type='chat'/>"
            ask = f"<ask xmlns='apostille:gate:0'>{facts}<archived record='0' by='x@y' id='z'/></ask>"
            asha.say_raw(f"<iq type='set' id='forge' to='gate.gov.example'>{ask}</iq>")
            await asyncio.sleep(1)
            assert len(judged(strict)) == before
            assert "no served host" in strict.installation.serve_log()

    play(act)


def test_two_spellings_of_one_jid_are_one_recipient(strict: Government) -> None:
    async def act() -> None:
        async with strict.online("asha", "boris") as (asha, boris):
            state = "<active xmlns='http://jabber.org/protocol/chatstates'/>"
            asha.say_raw(f"<message to='BORIS@Gov.Example' type='chat' id='case'>{state}</message>")
            assert (await boris.next_message())["id"] == "case"

    play(act)
