"""Rules: the first that fits decides, none that fits refuses, and what each stage does with an objection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.policy.rules import (
    PEOPLE,
    Policy,
    Requirement,
    Rule,
    Setting,
    Stage,
    setting_of,
)
from apostille.policy.stanzas import _ORDER
from apostille.policy.texts import REFUSED, REFUSED_CHANGE, TEXTS, WARNED, refused, warned
from apostille.vocabulary import Party, Verdict
from apostille_xep.gate.stanza import Child
from messages import ANNA, BORIS, CLIENT, body, change, child, legacy, message, modern
from verdicts import CHATSTATE, ERROR, EVERYBODY, ROOM, judged, rule


@pytest.mark.parametrize(
    "children",
    [(body("hello"),), (legacy(),), (child("unknown:x", "x"),), (CHATSTATE, child(CLIENT, "thread", text=3))],
    ids=["plain", "omemo", "unknown", "thread"],
)
def test_an_empty_policy_refuses_everything_that_says_anything(children: tuple[Child, ...]) -> None:
    for sender in Party:
        for recipient in Party:
            verdict = judged(of=message(*children), sender=sender, recipient=recipient)
            assert not verdict.passes
            assert verdict.text == REFUSED + TEXTS[verdict.code]
            assert verdict.rule == ""


@pytest.mark.parametrize("children", [(), (CHATSTATE,)], ids=["nothing", "chatstate"])
def test_what_says_nothing_passes_without_a_rule_between_the_servers_own_people_and_rooms(children: tuple[Child, ...]) -> None:
    people = {Party.VERIFIED, Party.SUSPENDED, Party.EXPIRED, Party.PUBLIC}
    for sender in Party:
        for recipient in Party:
            verdict = judged(of=message(*children), sender=sender, recipient=recipient)
            if sender in people and recipient in people | {Party.ROOM}:
                assert verdict == Verdict(True, rule="empty", recorded=False)
            else:
                assert (verdict.passes, verdict.text) == (False, REFUSED + TEXTS[verdict.code])
            in_room = judged(of=message(*children, room=ROOM), sender=sender, recipient=recipient)
            assert in_room.passes is (sender in people), "behind a nickname in a room may be anybody"


def test_between_verified_officials_a_message_must_be_encrypted() -> None:
    assert judged(rule(), of=message(legacy())) == Verdict(True, rule="officials")
    assert judged(rule(), of=message(modern())) == Verdict(True, rule="officials")
    assert judged(rule(), of=message(body("hello"))) == Verdict(False, "plaintext", REFUSED + TEXTS["plaintext"], "officials")


def test_a_content_free_message_passes_and_is_not_kept() -> None:
    assert judged(rule(), of=message(CHATSTATE)) == Verdict(True, rule="officials", recorded=False)


def test_the_first_rule_that_fits_decides() -> None:
    strict, lax = rule("strict"), rule("lax", require=Requirement.NOTHING)
    assert judged(strict, lax, of=message(body("hello"))).rule == "strict"
    assert judged(lax, strict, of=message(body("hello"))) == Verdict(True, rule="lax")
    other = Rule("remote", frozenset((Party.REMOTE,)), EVERYBODY, Requirement.NOTHING)
    assert judged(other, strict, of=message(body("hello"))).rule == "strict"


def test_stages_observe_warn_and_enforce_differ_only_in_what_follows() -> None:
    plain, text = message(body("hello")), TEXTS["plaintext"]
    assert judged(rule(stage=Stage.OBSERVE), of=plain) == Verdict(True, "plaintext", WARNED + text, "officials")
    assert judged(rule(stage=Stage.WARN), of=plain) == Verdict(True, "plaintext", WARNED + text, "officials", notice=True)
    assert judged(rule(stage=Stage.ENFORCE), of=plain) == Verdict(False, "plaintext", REFUSED + text, "officials")
    for stage in Stage:
        assert judged(rule(stage=stage), of=message(legacy())) == Verdict(True, rule="officials")


@pytest.mark.parametrize("setting", list(Setting))
def test_a_rule_speaks_of_its_own_kinds_only(setting: Setting) -> None:
    said = {
        Setting.CHAT: message(legacy()),
        Setting.GROUPCHAT: message(legacy(), type="groupchat", room=ROOM),
        Setting.PRIVATE: message(legacy(), room=ROOM),
        Setting.COMPONENT: message(legacy(), flow="component"),
    }
    assert {where: setting_of(one) for where, one in said.items()} == {where: where for where in Setting}
    for where, one in said.items():
        assert judged(rule(settings=frozenset((setting,))), of=one).passes is (where is setting)


def test_a_rule_may_ask_for_one_version_of_omemo() -> None:
    modern_only = rule(versions=frozenset(("2",)))
    assert judged(modern_only, of=message(modern())).passes
    for wrong in (message(legacy()), message(legacy(), modern())):
        verdict = judged(modern_only, of=wrong)
        assert (verdict.passes, verdict.code) == (False, "version")
        assert "OMEMO 2" in verdict.text
    assert judged(modern_only, of=message(CHATSTATE)).passes


def test_a_subject_passes_where_the_rule_lists_it_and_is_kept() -> None:
    subject = message(child(CLIENT, "subject", text=9), type="groupchat", room=ROOM)
    assert judged(rule(), of=subject).code == "subject"
    assert judged(rule(extras=frozenset(("subject",))), of=subject) == Verdict(True, rule="officials")


def test_a_rule_that_requires_nothing_lets_everything_pass_and_keeps_what_is_not_empty() -> None:
    lax = rule(require=Requirement.NOTHING)
    assert judged(lax, of=message(body("hello"), child("unknown:x", "x"), text=5)) == Verdict(True, rule="officials")
    assert judged(lax, of=message(CHATSTATE)).recorded is False


@pytest.mark.parametrize(
    ("sender", "recipient", "code"),
    [
        (Party.SUSPENDED, Party.VERIFIED, "sender-suspended"),
        (Party.SUSPENDED, Party.EXPIRED, "sender-suspended"),
        (Party.EXPIRED, Party.VERIFIED, "sender-expired"),
        (Party.VERIFIED, Party.SUSPENDED, "recipient-not-verified"),
        (Party.VERIFIED, Party.EXPIRED, "recipient-not-verified"),
        (Party.VERIFIED, Party.PUBLIC, "no-rule"),
        (Party.VERIFIED, Party.REMOTE, "no-rule"),
        (Party.REMOTE, Party.VERIFIED, "no-rule"),
        (Party.PUBLIC, Party.VERIFIED, "no-rule"),
    ],
)
def test_who_fits_no_rule_is_told_why(sender: Party, recipient: Party, code: str) -> None:
    refused = Verdict(False, code, REFUSED + TEXTS[code])
    for one in (message(legacy()), message(child(CLIENT, "thread", text=3))):
        assert judged(rule(), of=one, sender=sender, recipient=recipient) == refused
    if Party.REMOTE in (sender, recipient):
        assert judged(rule(), of=message(CHATSTATE), sender=sender, recipient=recipient) == refused


# ---- errors -------------------------------------------------------------------------------------------------------------


def test_an_error_that_says_only_what_errors_say_passes_whoever_sent_it_and_is_not_kept() -> None:
    error = message(ERROR, type="error")
    assert judged(of=error, sender=Party.REMOTE, recipient=Party.SUSPENDED) == Verdict(True, rule="errors", recorded=False)


def test_a_message_that_only_calls_itself_an_error_is_judged_like_any_other() -> None:
    assert not judged(of=message(body("hello"), type="error")).passes
    assert judged(rule(), of=message(body("hello"), type="error")).code == "plaintext"
    assert not judged(of=message(child("jabber:server", "error"), type="error")).passes


def test_a_letter_does_not_travel_as_an_error() -> None:
    assert judged(rule(), of=message(ERROR, body("hello"), type="error")).code == "plaintext"
    assert judged(rule(), of=message(child(CLIENT, "error", text=4000, elements=2), type="error")).code == "too-much"
    assert judged(rule(), of=message(ERROR, type="error", text=4)).code == "hidden-text"
    assert judged(rule(), of=message(ERROR, child("unknown:x", "x"), type="error")).code == "unknown-element"


def test_ciphertext_in_an_error_is_kept_and_needs_a_rule() -> None:
    hidden = message(ERROR, legacy(), type="error")
    assert judged(rule(), of=hidden) == Verdict(True, rule="officials")
    assert judged(rule(), of=hidden, sender=Party.SUSPENDED).code == "sender-suspended"


# ---- changes of devices -------------------------------------------------------------------------------------------------

ACTIONS = ["publish", "retract", "delete", "purge", "configure"]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("rules", [(), (Rule("all", EVERYBODY, EVERYBODY, Requirement.NOTHING, Stage.OBSERVE),)], ids=["empty", "lax"])
def test_people_change_their_own_devices_under_any_policy_and_nobody_elses(rules: tuple[Rule, ...], action: str) -> None:
    policy = Policy(rules)
    foreign = Verdict(False, "device-foreign", REFUSED_CHANGE + TEXTS["device-foreign"])
    for party in Party:
        own = policy.judge_change(change(11, action=action), party)
        assert own == (Verdict(True, rule="devices") if party in PEOPLE else foreign)
        assert policy.judge_change(change(11, action=action, owner=ANNA), party) == foreign


@pytest.mark.parametrize("owner", ["", "gov.example", f"{BORIS}/phone", f"{BORIS}.evil", BORIS.upper(), ANNA])
def test_whose_devices_they_are_is_compared_exactly(owner: str) -> None:
    assert Policy().judge_change(change(11, owner=owner), Party.VERIFIED).code == "device-foreign"


def test_what_is_published_must_be_sound_and_taking_away_needs_nothing() -> None:
    for unsound in (change(0), change(11, text=5), change(subject="bundle", elements=103)):
        verdict = Policy().judge_change(unsound, Party.VERIFIED)
        assert verdict == Verdict(False, "device-malformed", REFUSED_CHANGE + TEXTS["device-malformed"])
    for action in ACTIONS[1:]:
        assert Policy().judge_change(change(0, action=action, text=5), Party.VERIFIED).passes


# ---- what a person reads ------------------------------------------------------------------------------------------------


def test_every_objection_has_a_text() -> None:
    assert set(_ORDER) <= set(TEXTS)


def test_a_verdict_speaks_the_language_of_its_message_and_names_the_next_step_in_its_senders_client() -> None:
    plain = message(body("hello"), lang="de-AT", client="https://dino.im")
    for stage, say in ((Stage.ENFORCE, refused), (Stage.WARN, warned)):
        verdict = judged(rule(stage=stage), of=plain)
        assert (verdict.text, verdict.lang) == (say("plaintext", "", "de", "https://dino.im"), "de")
        assert "In Dino: " in verdict.text
    nobody = judged(of=plain)
    assert (nobody.text, nobody.lang) == (refused("no-rule", "", "de"), "de")


def test_an_invitation_passes_where_the_rule_lists_it_with_few_words_and_is_kept() -> None:
    direct = message(child("jabber:x:conference", "x", attributes=60))
    mediated = message(child("http://jabber.org/protocol/muc#user", "x", text=20, attributes=60, elements=2))
    wordy = message(child("jabber:x:conference", "x", attributes=400))
    allowed = rule(extras=frozenset(("invitations",)))
    for one in (direct, mediated):
        assert not judged(rule(), of=one).passes
        assert judged(allowed, of=one) == Verdict(True, rule="officials")
    assert judged(allowed, of=wordy).code == "too-much"


def test_more_parts_than_are_told_are_too_many() -> None:
    verdict = judged(rule(), of=message(legacy(), more=1))
    assert (verdict.code, "number of parts" in verdict.text) == ("too-much", True)


def test_a_refusal_names_the_element_that_is_to_blame() -> None:
    verdict = judged(rule(), of=message(legacy(), child("unknown:x", "html")))
    assert "{unknown:x}html" in verdict.text


def test_an_element_whose_name_looks_like_a_template_is_named_as_it_is() -> None:
    verdict = judged(rule(), of=message(child("{0}{where.__class__}", "{x}")))
    assert "({{0}{where.__class__}}{x})" in verdict.text


@given(st.sets(st.sampled_from(list(Party)), min_size=1), st.sets(st.sampled_from(list(Party)), min_size=1))
def test_an_enforced_rule_lets_nothing_readable_pass_between_any_parties(senders: set[Party], recipients: set[Party]) -> None:
    enforced = Rule("all", frozenset(senders), frozenset(recipients))
    for sender in Party:
        for recipient in Party:
            assert not judged(enforced, of=message(legacy(), body("hello")), sender=sender, recipient=recipient).passes
            fits = sender in senders and recipient in recipients
            assert judged(enforced, of=message(legacy()), sender=sender, recipient=recipient).passes is fits
