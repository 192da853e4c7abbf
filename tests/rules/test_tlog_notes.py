"""Signed notes, verifier keys, checkpoints and proofs: their spelling, and what is refused."""

from __future__ import annotations

import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from apostille.tlog import checkpoint, merkle, note, proof
from apostille.tlog.checkpoint import Checkpoint, CheckpointError
from apostille.tlog.merkle import EMPTY_ROOT, ProofError, leaf_hash
from apostille.tlog.note import NoteError, Signer, Verifier

# the example of c2sp.org/signed-note
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2"
    "ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def signer(seed: int = 1, name: str = "log.example") -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32)))


def signed(text: str, *signers: Signer) -> str:
    return f"{text}\n{''.join(one.sign(text) for one in signers)}"


HEAD = Checkpoint("log.example", 2, merkle.node_hash(leaf_hash(b"a"), leaf_hash(b"b")))
GOOD_CHECKPOINT = signed(HEAD.text, signer())
GOOD_PROOF = proof.Proof(0, (leaf_hash(b"b"),), GOOD_CHECKPOINT, b"anything").text


def test_the_note_of_the_specification_is_accepted() -> None:
    verifier = Verifier.parse(VKEY)
    assert verifier.vkey == VKEY
    assert note.opened(NOTE, [verifier]) == "This is an example message.\n"


@given(st.integers(0, len(NOTE.encode()) * 8 - 1))
def test_the_note_of_the_specification_with_any_bit_flipped_is_refused(bit: int) -> None:
    raw = bytearray(NOTE.encode())
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NoteError):
        note.opened(bytes(raw), [Verifier.parse(VKEY)])


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_what_is_signed_is_accepted(text: str) -> None:
    assert note.opened(signed(text + "\n", signer()), [Verifier.parse(signer().vkey)]) == text + "\n"


def test_a_text_may_hold_empty_lines() -> None:
    text = "one\n\n\ntwo\n\n"
    assert note.opened(signed(text, signer()), [Verifier.parse(signer().vkey)]) == text


def test_signatures_of_unknown_keys_are_ignored_but_do_not_suffice() -> None:
    both = signed("text\n", signer(2), signer(1), signer(3, "witness.example"))
    assert note.opened(both, [Verifier.parse(signer(1).vkey)]) == "text\n"
    with pytest.raises(NoteError, match="no trusted key"):
        note.opened(both, [Verifier.parse(signer(4).vkey)])


def test_one_false_signature_in_a_trusted_name_refuses_the_note() -> None:
    line = signer(1).sign("other\n")
    with pytest.raises(NoteError, match="false"):
        note.opened(signed("text\n", signer(1)) + line, [Verifier.parse(signer(1).vkey)])


@pytest.mark.parametrize(
    "text",
    ["", "text", "text\n", "text\n\n", "text\n\n\n", "text\n\nno dash\n", "text\n\n— name\n", "text\n\n— name \n",
     "text\n\n— name AAAA\n", "text\n\n— name AAAAAAA=\n\n", "text\n\n— name AAAAAAB=\n", "text\n\n— na+me AAAAAAA=\n",
     "text\n\n—  AAAAAAA=\n", "text\n\n— a b AAAAAAA=\n", "text\r\n\n— name AAAAAAA=\n", "text\n\n— name AAAAAAA=",
     "te\0xt\n\n— name AAAAAAA=\n", "te\ud800xt\n\n— name AAAAAAA=\n", "text\n\n— n\u00a0m AAAAAAA=\n",
     "text\n\n— name \u0661AAAAAA=\n", "text\n\n- name AAAAAAA=\n"],
)  # fmt: skip
def test_a_misspelled_note_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        note.parse(text)


def test_a_note_with_too_many_signatures_or_too_long_is_refused() -> None:
    line = "— name AAAAAAA=\n"
    assert len(note.parse("text\n\n" + line * 100).signatures) == 100
    for wrong in ("text\n\n" + line * 101, "x" * note.LIMIT + "\n\n" + line):
        with pytest.raises(NoteError):
            note.parse(wrong)


@pytest.mark.parametrize(
    "vkey",
    ["", "a+b", VKEY + "=", VKEY.upper(), VKEY.replace("530d903a", "530d903b"), VKEY.replace("foo", "fo o"),
     VKEY.replace("+Aek", "+Bek"), "example.com/foo+530d903a+", "++", VKEY + "\n", "\ud800+530d903a+AAAA",
     "a+530d903a+AQ=="],
)  # fmt: skip
def test_a_misspelled_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        Verifier.parse(vkey)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "\x01"])
def test_a_key_cannot_have_a_name_that_no_note_can_hold(name: str) -> None:
    with pytest.raises(NoteError):
        signer(1, name)


@pytest.mark.parametrize("text", ["no newline", "tab\t\n", "bell\a\n", "\ud800\n"])
def test_a_text_that_no_note_can_hold_is_not_signed(text: str) -> None:
    with pytest.raises(NoteError):
        signer().sign(text)


def test_a_checkpoint_is_read_back_with_its_extensions() -> None:
    head = Checkpoint("log.example", 2, HEAD.root, ("more", "and more"))
    assert checkpoint.parse(head.text) == head
    assert checkpoint.verified(GOOD_CHECKPOINT, Verifier.parse(signer().vkey)) == HEAD


ROOT = note.encode(HEAD.root)


@pytest.mark.parametrize(
    "text",
    ["", "\n", "o\n1\n", f"\n1\n{ROOT}\n", f"o\n01\n{ROOT}\n", f"o\n-1\n{ROOT}\n", f"o\n+1\n{ROOT}\n", f"o\n١\n{ROOT}\n",
     f"o\n1_0\n{ROOT}\n", f"o\n9223372036854775808\n{ROOT}\n", f"o\n{'9' * 5000}\n{ROOT}\n", f"o\n1\n{ROOT[:-4]}\n",
     f"o\n1\n{ROOT}", f"o\n1\n{ROOT}\n\n", f"o\n0\n{ROOT}\n", "o\n1\n!\n", f"o\n1\n {ROOT}\n"],
)  # fmt: skip
def test_a_misspelled_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError):
        checkpoint.parse(text)


def test_a_checkpoint_of_another_log_is_refused() -> None:
    other = signed(Checkpoint("other.example", 0, EMPTY_ROOT).text, signer())
    with pytest.raises(CheckpointError):
        checkpoint.verified(other, Verifier.parse(signer().vkey))


def test_a_proof_proves_its_entry_and_no_other() -> None:
    assert proof.verify(GOOD_PROOF, b"a", [signer(2).vkey, signer().vkey]) == (0, HEAD)
    assert proof.parse(GOOD_PROOF).text == GOOD_PROOF
    assert proof.parse(GOOD_PROOF).extra == b"anything"
    with pytest.raises(ProofError):
        proof.verify(GOOD_PROOF, b"b", [signer().vkey])


def test_a_proof_of_a_log_that_is_not_trusted_is_refused() -> None:
    with pytest.raises(ProofError):
        proof.verify(GOOD_PROOF, b"a", [signer(1, "other.example").vkey])
    with pytest.raises(NoteError):
        proof.verify(GOOD_PROOF, b"a", [signer(2).vkey])
    with pytest.raises(ProofError):
        proof.verify(GOOD_PROOF, b"a", [])


@pytest.mark.parametrize(
    ("old", "new"),
    [("proof@v1", "proof@v2"), ("index 0", "index 00"), ("index 0", "index -1"), ("index 0", "index 1"), ("index 0\n", ""),
     ("extra YW", "extra Y*"), ("extra YW55dGhpbmc=", "extra "), ("extra", "extras"), ("\n\n", "\n"), ("index 0", "index 0\r")],
)  # fmt: skip
def test_a_misspelled_proof_is_refused(old: str, new: str) -> None:
    with pytest.raises((ProofError, NoteError)):
        proof.verify(GOOD_PROOF.replace(old, new, 1), b"a", [signer().vkey])


def test_a_proof_with_an_endless_path_is_refused() -> None:
    endless = proof.Proof(0, (HEAD.root,) * 64, GOOD_CHECKPOINT).text
    with pytest.raises(ProofError):
        proof.parse(endless)
    with pytest.raises(ProofError):
        proof.parse("x" * (note.LIMIT * 2 + 1))


@given(st.integers(len("c2sp.org/tlog-proof@v1\nextra YW55dGhpbmc=\n"), len(GOOD_PROOF.encode()) - 1), st.integers(0, 7))
def test_a_proof_with_any_bit_flipped_outside_its_extra_line_is_refused(at: int, bit: int) -> None:
    raw = bytearray(GOOD_PROOF.encode())
    raw[at] ^= 1 << bit
    with pytest.raises((ProofError, NoteError, CheckpointError)):
        proof.verify(bytes(raw), b"a", [signer().vkey])


@given(st.binary() | st.text(st.characters()))
def test_no_bytes_raise_anything_but_the_documented_errors(raw: bytes | str) -> None:
    text = raw if isinstance(raw, str) else raw.decode("latin-1")
    with pytest.raises(NoteError):
        note.parse(raw)
    with pytest.raises(ProofError):
        proof.parse(raw)
    with pytest.raises(NoteError):
        Verifier.parse(text)
    with pytest.raises(CheckpointError):
        checkpoint.parse(text)


@given(st.sampled_from([GOOD_PROOF, GOOD_CHECKPOINT]), st.data())
def test_no_mutilated_text_raises_anything_but_the_documented_errors(good: str, data: st.DataObject) -> None:
    raw = good.encode()
    at, end = sorted((data.draw(st.integers(0, len(raw))), data.draw(st.integers(0, len(raw)))))
    raw = raw[:at] + data.draw(st.binary(max_size=9)) + raw[end:]
    with contextlib.suppress(ProofError, NoteError, CheckpointError):
        proof.verify(raw, b"a", [signer().vkey])
    with contextlib.suppress(NoteError, CheckpointError):
        checkpoint.verified(raw, Verifier.parse(signer().vkey))
