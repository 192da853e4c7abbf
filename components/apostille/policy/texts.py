"""What a person reads: what happened to the message, and the next step, in the person's own language and for the client at hand.

Knows every sentence (English here, the others in `locale/`) and how well-known clients turn OMEMO on; refuses to know when a sentence
is due. Neither language nor client is believed further than to choose among sentences that are written here.
"""

from __future__ import annotations

from collections.abc import Mapping

from apostille.policy.catalogues import LANGUAGES, load
from apostille.vocabulary import Said

REFUSED = "Not delivered: "
REFUSED_CHANGE = "Not changed: "
WARNED = "Delivered this time, but such messages will soon be refused: "
NOTED = "Delivered, but please note: "

# What follows one of the beginnings above, by code: what happened, and the next step.
TEXTS: Mapping[str, str] = {
    "plaintext": "messages between officials must be encrypted. Turn on OMEMO encryption for this chat, then send it again.",
    "plaintext-beside": "the message carried readable text beside its encrypted part. Send it again with a current version of your client.",
    "no-keys": "the encrypted message was made for no device at all. Check that your contact's OMEMO devices are "
    "known to your client, then send it again.",
    "encrypted-malformed": "the encrypted part of the message is damaged. Send it again with a current version of your client.",
    "hidden-text": "the message carried text outside of its elements. Send it again with a current version of your client.",
    "subject": "a subject can be read by the server and is not allowed here. Write it into the encrypted message instead.",
    "reactions": "a reaction can be read by the server and is not allowed here. Answer with an encrypted message instead.",
    "calls": "calls are not allowed in this chat, because the server cannot see that they are encrypted. Write a message instead.",
    "links": "the message carried a link or a file that is not encrypted. Send it inside an encrypted message instead.",
    "xhtml": "the message carried formatted text that is not encrypted. Turn text formatting off in your client, then send it again.",
    "too-much": "a part of the message that is not encrypted ({where}) carries more than it may.",
    "unknown-element": "the message has a part that is not encrypted and may be readable ({where}). "
    "Turn that function off in your client, then send it again.",
    "version": "this chat asks for another encryption: {where}.",
    "ghost": "the message was also encrypted for a device that belongs to nobody here (number {where}). "
    "Restart your client so that it reads the device lists again, then send it again.",
    "missing": "the message was not encrypted for all devices of {where}, so it could not be read on some. "
    "Trust all those devices in your client, then send it again.",
    "spoofed": "the message says that it comes from a device (number {where}) that is not one of yours. "
    "Restart your client so that it announces its own device, then send it again.",
    "devices-unknown": "nobody knows which OMEMO devices the recipient has, so it cannot be checked who could read the message. "
    "Ask the recipient to sign in with OMEMO turned on, then send it again.",
    "device-unapproved": "a device (number {where}) has not been approved yet. "
    "Its owner can approve it from an approved device, or ask the registrar.",
    "device-foreign": "OMEMO devices can only be announced by the account that they belong to.",
    "device-malformed": "the announcement of OMEMO devices is damaged or carries more than it may. Update your client, then try again.",
    "sender-suspended": "your entry in the directory of officials is suspended. Ask your registrar.",
    "sender-expired": "your entry in the directory of officials has expired. Ask your registrar to renew it.",
    "recipient-not-verified": "the person you wrote to is not a verified official at present.",
    "no-rule": "the rules of this server do not provide for messages between you and this address.",
    "unreadable-facts": "the message could not be checked, as its parts could not be understood. "
    "Send it again with a current version of your client.",
}

# What the server says by itself where it has no verdict; it is told these beforehand.
OUTAGES: Mapping[str, str] = {
    "unavailable": "Your message was not delivered: the service that checks messages cannot be reached just now. "
    "Please try again in a moment.",
    "crowded": "Your message was not delivered: too many messages are waiting to be checked. Please send it again in a moment.",
    "reload": "Your message was not delivered: the service that checks messages is being restarted. Please send it again in a moment.",
    "broken": "Your message was not delivered: it could not be checked. Please send it again; if this comes back, tell your administrator.",
}

# How OMEMO is turned on, in the words of somebody who looks at the client.
STEPS: Mapping[str, str] = {
    "padlock-above": "In {client}: tap the padlock at the top of the chat and choose OMEMO.",
    "padlock-beside": "In {client}: click the padlock beside the text field and choose OMEMO.",
    "padlock-open": "In {client}: click the open padlock at the text field, so that it closes.",
    "kaidan": "In {client}: open the details of the chat and turn encryption on.",
    "monal": "In {client}: tap the name at the top of the chat, then the open padlock.",
    "movim": "In {client}: turn OMEMO on in the configuration, then click the padlock beside the text field.",
    "pidgin": "In {client}: install the plugin lurch; it encrypts chats with one person by itself, and rooms after /lurch enable.",
    "poezio": "In {client}: type /load omemo once, then /omemo in the chat.",
    "profanity": "In {client}: type /omemo start in the chat; before the very first time, type /omemo gen.",
    "psi": "In {client}: turn the OMEMO plugin on in the options, then click its button in the chat window.",
    "siskin": "In {client}: choose OMEMO under Encryption in the contact's details, or with the padlock beside the text field.",
}

# A part of the caps node (XEP-0115) that tells a client, in lower case; its name; its step. The first that fits counts.
CLIENTS: tuple[tuple[str, str, str], ...] = (
    ("cheogram", "Cheogram", "padlock-above"),
    ("monocles", "monocles chat", "padlock-above"),
    ("blabber", "blabber.im", "padlock-above"),
    ("quicksy", "Quicksy", "padlock-above"),
    ("conversations", "Conversations", "padlock-above"),
    ("atalk.org", "aTalk", "padlock-above"),
    ("dino.im", "Dino", "padlock-beside"),
    ("gajim.org", "Gajim", "padlock-beside"),
    ("conversejs.org", "Converse", "padlock-open"),
    ("movim.eu", "Movim", "movim"),
    ("profanity", "Profanity", "profanity"),
    ("poez.io", "poezio", "poezio"),
    ("monal", "Monal", "monal"),
    ("qxmpp", "Kaidan", "kaidan"),  # it has no node of its own
    ("tigaseswift", "Siskin / Beagle", "siskin"),  # their library's, for both
    ("psi-plus", "Psi+", "psi"),
    ("psi-im.org", "Psi", "psi"),
    ("pidgin.im", "Pidgin", "pidgin"),
)

_STEP_HELPS = frozenset(("plaintext", "plaintext-beside"))
_LONGEST_WHERE = 200  # characters; the name of an element can be as long as a stanza
_LONGEST_LANG = 35  # characters (RFC 5646 section 4.4.1)

ENGLISH: Mapping[str, str] = {
    "beginning refused": REFUSED,
    "beginning refused-change": REFUSED_CHANGE,
    "beginning warned": WARNED,
    "beginning noted": NOTED,
    **TEXTS,
    **OUTAGES,
    **{f"step {name}": text for name, text in STEPS.items()},
}
"""Every sentence, by the msgctxt that it has in the catalogues."""

# A translation of a sentence that has changed since says something else, so it is not used.
_SENTENCES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH} | {
    language: dict(ENGLISH) | {key: one.text for key, one in load(language).items() if one.original == ENGLISH.get(key)}
    for language in LANGUAGES
}


def spoken(lang: str) -> str:
    """The language in which somebody who writes in `lang` is answered: the nearest there is (RFC 4647 section 3.4), or English."""
    tag = lang[:_LONGEST_LANG].lower()
    while tag:
        if tag in _SENTENCES:
            return tag
        tag = tag.rpartition("-")[0]
    return "en"


def refused(code: str, where: str = "", lang: str = "", client: str = "") -> str:
    """Why a message was not delivered, and what to do; `where` is what the text names, the others are as in `Message`."""
    return _told("beginning refused", code, where, lang, client)


def warned(code: str, where: str = "", lang: str = "", client: str = "") -> str:
    """The same of a message that passes for now."""
    return _told("beginning warned", code, where, lang, client)


def noted(code: str, where: str = "", lang: str = "", client: str = "") -> str:
    """The same of a message that passes, and always will."""
    return _told("beginning noted", code, where, lang, client)


def refused_change(code: str, where: str = "", lang: str = "", client: str = "") -> str:
    """The same of a change to somebody's devices."""
    return _told("beginning refused-change", code, where, lang, client)


def outages() -> tuple[Said, ...]:
    """What a server says by itself, in every language."""
    return tuple(Said(code, language, sentences[code]) for language, sentences in _SENTENCES.items() for code in OUTAGES)


def _told(beginning: str, code: str, where: str, lang: str, client: str) -> str:
    sentences = _SENTENCES[spoken(lang)]
    named = where if len(where) <= _LONGEST_WHERE else where[:_LONGEST_WHERE] + "…"
    named = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in named)
    told = sentences[beginning] + sentences[code].replace("{where}", named)
    step = _step(sentences, client) if code in _STEP_HELPS else ""
    return f"{told} {step}" if step else told


def _step(sentences: Mapping[str, str], client: str) -> str:
    node = client.lower()
    for part, name, step in CLIENTS:
        if part in node:
            return sentences[f"step {step}"].replace("{client}", name)
    return ""
