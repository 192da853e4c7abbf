"""What `examine` remembers: with and without memory the answer is the same, and what does not matter is not part of it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from apostille.policy import stanzas
from apostille.policy.fallbacks import FALLBACKS, RETRACTIONS
from apostille.policy.rows import BESIDE, EXTRAS, TABLE, TOLD
from apostille.policy.stanzas import _examine, examine
from apostille_xep.gate.stanza import Child, Envelope, Key, Question
from messages import ANNA, BORIS, CLIENT, LEGACY, MODERN, body, child, legacy, message, modern

SIZES = st.sampled_from([0, 0, 1, 20, 21, 32, 64, 65, 80, 81, 128, 192, 256, 257, 384, 512, 600, 1024, 4000])
HASHES = ["ab" * 32, *sorted(FALLBACKS)[:2], *sorted(RETRACTIONS)[:2]]
EXTRA_NAMES = [name for table in EXTRAS.values() for name in table]
NAMES = [*TABLE, *BESIDE, *BESIDE, *TOLD, *EXTRA_NAMES, (CLIENT, "error"), ("urn:xmpp:openpgp:0", "openpgp"), ("unknown:x", "x")]
plain = st.builds(
    lambda name, text, attributes, elements: Child(name[0], name[1], text, attributes, elements, "", None),
    st.sampled_from(NAMES), SIZES, SIZES, st.integers(0, 4),
)  # fmt: skip
bodies = st.builds(
    lambda text, attributes, elements, sha256: Child(CLIENT, "body", text, attributes, elements, sha256, None),
    SIZES, SIZES, st.integers(0, 1), st.sampled_from(HASHES),
)  # fmt: skip
jids = st.sampled_from(["", ANNA, BORIS, "c@d"])
some_keys = st.builds(Key, st.sampled_from([0, 1, 11, 2**31]), st.sampled_from([-1, 0, 31, 32, 60, 4097]), jids, st.booleans())
envelopes = st.builds(
    Envelope,
    st.sampled_from([0, 7, 2**31]),
    st.sampled_from([None, -1, 12, 16, 17]),
    st.sampled_from([None, -1, 0, 1, 16, 25]),
    st.lists(some_keys, max_size=3).map(tuple),
    st.sampled_from(["d1" * 32, "d2" * 32]),
    st.integers(0, 1),
)
sealed = st.builds(lambda namespace, one: Child(namespace, "encrypted", 0, 0, 0, "", one), st.sampled_from([LEGACY, MODERN]), envelopes)
ROOM = "tax@rooms.gov.example"
addresses = st.sampled_from([ANNA, f"{ANNA}/a", BORIS, f"{BORIS}/b", "c@d", ROOM, f"{ANNA}/{'x' * 129}"])
ids = st.sampled_from(["", "m1", "x" * 80, "x" * 81, "я" * 40, "я" * 41])
messages = st.builds(
    lambda children, **fields: message(*children, **fields),
    st.lists(plain | bodies | sealed, max_size=5),
    sender=addresses,
    recipient=addresses,
    type=st.sampled_from(["chat", "normal", "groupchat", "headline", "error"]),
    id=ids,
    origin_id=ids,
    flow=st.sampled_from(["local", "remote", "component"]),
    room=st.sampled_from(["", ROOM]),
    text=st.integers(0, 2),
    more=st.integers(0, 2),
)
extras = st.frozensets(st.sampled_from([*EXTRAS, "unknown"]))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(messages, extras), min_size=1, max_size=10))
def test_an_answer_from_memory_is_the_answer(asked: list[tuple[Question, frozenset[str]]]) -> None:
    for one, allowed in [*asked, *asked]:
        assert examine(one, allowed) == _examine(one, allowed)


def remembered(one: Question) -> bool:
    """Whether a message is answered from memory."""
    before = len(stanzas._known)
    examine(one)
    return len(stanzas._known) == before


def test_what_does_not_matter_is_not_remembered_apart() -> None:
    stanzas._known.clear()
    assert not remembered(message(legacy()))
    assert remembered(message(legacy(), id="other", origin_id="other", sender="x@y/z", recipient="q@r", ref="9", flow="remote"))
    assert remembered(message(legacy()._replace(envelope=Envelope(8, 12, 25, legacy().envelope.keys, "d2" * 32, 0))))  # type: ignore[union-attr]
    assert remembered(message(legacy(payload=2600))), "a longer text"
    assert remembered(message(legacy(), room="")), "nothing new"
    assert not remembered(message(body("hello")))
    assert remembered(message(body("olleh"))), "another text"
    assert remembered(message(body("hello again"))), "and a longer one"


def test_what_matters_is_remembered_apart() -> None:
    stanzas._known.clear()
    shapes = [
        message(legacy()),
        message(legacy(), text=1),
        message(legacy(), more=1),
        message(legacy(), type="error"),
        message(legacy(), type="normal", room=ROOM, recipient=ROOM),
        message(legacy(), type="normal"),
        message(legacy(), sender=BORIS, flow="remote"),
        message(legacy(), id="x" * 81),
        message(legacy(), child("urn:xmpp:hints", "store")),
        message(legacy(sid=0)),
        message(legacy(strange=1)),
        message(legacy(iv=16)),
        message(legacy(payload=0)),
        message(modern()),
        message(modern(), recipient="c@d"),
        message(legacy(), body("hi")),
        message(legacy(), body("hi")._replace(sha256=HASHES[1])),
        message(legacy(), body("hi")._replace(sha256=HASHES[3])),
    ]
    assert [remembered(one) for one in shapes] == [False] * len(shapes)
    assert [remembered(one) for one in shapes] == [True] * len(shapes)


def test_memory_has_a_bound_and_big_messages_no_place_in_it() -> None:
    stanzas._known.clear()
    for number in range(stanzas._REMEMBERED + 1):
        examine(message(child("unknown:x", f"n{number}")))
    assert 0 < len(stanzas._known) <= stanzas._REMEMBERED
    stanzas._known.clear()
    examine(message(legacy(tuple(Key(rid, 60, "", False) for rid in range(1, 101)))))
    examine(message(*[child("urn:xmpp:hints", "store")] * 101))
    assert not stanzas._known


def test_long_names_that_a_sender_chose_are_not_remembered() -> None:
    stanzas._known.clear()
    for number in range(20):
        examine(message(child(f"urn:{number}:{'x' * 100_000}", "x")))
        examine(message(modern((Key(11, 60, f"{number}{'y' * 100_000}@gov.example", kex=False),))))
    assert stanzas._known == {}
    examine(message(child("urn:short", "x")))
    assert len(stanzas._known) == 1
