"""One JID has one address, however it is spelt; what is no JID is refused with the mend."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apostille.vocabulary import Address, Refusal
from apostille.xmpp import address, escape, unescape


@pytest.mark.parametrize(
    "text",
    [
        "boris@gov.example",
        "Boris@Gov.Example",
        "BORIS@gov.example.",
        "ＢＯＲＩＳ@gov.example",
        "bo\u00adris@gov.example",
    ],
)
def test_every_spelling_of_a_jid_is_one_address(text: str) -> None:
    assert address(text) == Address("gov.example", "boris")


def test_a_localpart_may_be_in_any_script() -> None:
    assert address("БОРИС@gov.example") == Address("gov.example", "борис")


def test_a_domain_alone_is_the_address_of_a_host() -> None:
    assert address("Gov.Example") == Address("gov.example")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("o'neil@gov.example", r"write o\27neil@gov.example"),
        ("anna b@gov.example", r"write anna\20b@gov.example"),
        ("a/b@gov.example", r"write a\2fb@gov.example"),
        (
            "eve@gov.example@evil.example",
            r"has two @; if one belongs to the name, write eve\40gov.example@evil.example",
        ),
        ("boris@gov.example/desk", "names one session of 'boris@gov.example'"),
        ("boris@gov.example/a@b", "names one session"),
        ("boris@gov.example/", "names one session"),
        ("gov.example/desk", "names one session"),
        ("@gov.example", "has nothing before the @"),
        ("boris@", "is no JID"),
        ("", "is no JID"),
        ("x\u202ey@gov.example", "is no JID"),
        ("x\0y@gov.example", "is no JID"),
        ("x\ud800y@gov.example", "is no JID"),
        ("eve＠gov.example@evil.example", "is no JID"),
        ("a" * 1024 + "@gov.example", "is no JID"),
        ("\u1d2cnna@gov.example", "changes each time it is prepared"),
        (" boris@gov.example", "write boris@gov.example"),
        ("boris@gov..example", "is no JID"),
    ],
)
def test_what_is_no_bare_jid_is_refused_with_the_mend(text: str, said: str) -> None:
    with pytest.raises(Refusal) as refused:
        address(text)
    assert said in refused.value.text


def test_an_escaped_localpart_stays_as_it_is() -> None:
    assert address(r"o\27neil@gov.example") == Address("gov.example", r"o\27neil")


@given(st.text(max_size=20))
def test_preparing_an_address_again_changes_nothing(local: str) -> None:
    try:
        prepared = address(f"{local}@gov.example")
    except Refusal:
        return
    assert address(str(prepared)) == prepared


@given(st.text(alphabet=st.sampled_from("ab\\2f7c5e04 \"&'/:<>@ñ"), min_size=1, max_size=30))
def test_unescaping_undoes_escaping(local: str) -> None:
    assume(local == local.strip(" "))
    assert unescape(escape(local)) == local
    assert not set(escape(local)) & set(" \"&'/:<>@")


@given(st.text(alphabet=st.sampled_from("ab2fc\\ '@/"), min_size=1, max_size=20))
def test_an_escaped_localpart_means_the_same_after_preparation(local: str) -> None:
    assume(local == local.strip(" "))
    assert unescape(address(f"{escape(local)}@gov.example").local) == local


def test_a_localpart_that_begins_with_a_space_has_no_escape() -> None:
    with pytest.raises(Refusal):
        escape(" anna")
