"""What ciphertext must look like, and device lists and bundles too.

Knows the shapes of OMEMO 0.3, OMEMO 2 and OX; refuses to know whom they are for. Random bytes of the right shape cannot be told from
real ones.
"""

from __future__ import annotations

from apostille.vocabulary import Change, Child, Envelope

OMEMO_0_3 = "eu.siacs.conversations.axolotl"
OMEMO_2 = "urn:xmpp:omemo:2"
OX = ("urn:xmpp:openpgp:0", "openpgp")
VERSIONS = {OMEMO_0_3: "0.3", OMEMO_2: "2"}

_KEY_BYTES = range(32, 4097)  # a ratchet message: neither empty nor a place for a letter
_GCM_IV_BYTES = (12, 16)  # XEP-0384 0.3 section 4.6; some clients still send 16
_AES_BLOCK = 16
_KEYS_LIMIT = 1200  # devices that one message is encrypted for; a record names them all
DEVICE_IDS = range(1, 2**31)  # XEP-0384 section 4.1
_OX_TEXT = range(128, 1_048_577)  # base64 of a session key for somebody and of what it opens


def sound(namespace: str, envelope: Envelope) -> bool:
    """Whether an OMEMO header, which has a key, and its payload have the shape of their version."""
    if (
        envelope.strange
        or envelope.sid not in DEVICE_IDS
        or len(envelope.keys) > _KEYS_LIMIT
        or not all(key.rid in DEVICE_IDS and key.length in _KEY_BYTES for key in envelope.keys)
    ):
        return False
    if namespace == OMEMO_0_3:
        iv_fits = envelope.iv in _GCM_IV_BYTES or (envelope.iv is None and envelope.payload is None)
        return iv_fits and sound_payload(namespace, envelope.payload) is not False
    return sound_payload(namespace, envelope.payload) is not False and all(key.jid for key in envelope.keys)


def sound_payload(namespace: str, payload: int | None) -> bool | None:
    """Whether a payload has a length that its version can have; None if there is none."""
    if payload is None:
        return None
    return payload >= 1 if namespace == OMEMO_0_3 else payload >= _AES_BLOCK and payload % _AES_BLOCK == 0


def sound_ox(child: Child) -> bool:
    """Whether an `<openpgp/>` (XEP-0373) is base64 and nothing else; the server counts what is no OpenPGP message as an element inside."""
    return child.text in _OX_TEXT and not child.attributes and not child.elements


_DEVICES_LIMIT = 100  # that one account may announce; the most that were ever seen are a few dozen
_LABEL_BYTES = 64  # text and signature that OMEMO 2 lets a device carry
_MARKUP_BYTES = 64  # of one device or key: its id, its element's name
_BUNDLE_TEXT = 16_384  # 100 one-time keys in base64 and some
_BUNDLE_ELEMENTS = 260


def sound_publication(change: Change) -> bool:
    """Whether a published device list or bundle (XEP-0384 sections 5.3.1 and 5.3.2) is what it says, and no place for a letter."""
    if change.subject == "list":
        count = len(change.devices)
        fits = change.attributes <= 512 + count * (_MARKUP_BYTES + 3 * _LABEL_BYTES) and change.text == 0 and change.elements <= count + 8
        return count <= _DEVICES_LIMIT and all(one in DEVICE_IDS for one in change.devices) and fits
    fits = change.text <= _BUNDLE_TEXT and change.elements <= _BUNDLE_ELEMENTS and change.attributes <= _BUNDLE_ELEMENTS * _MARKUP_BYTES
    return bool(change.identity) and len(change.devices) == 1 and change.devices[0] in DEVICE_IDS and fits
