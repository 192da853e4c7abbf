"""The form of an evidence bundle: written and read back whole; anything else is no bundle, whatever it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.tracing import rules
from apostille.tracing.rules import FORMAT, Bundle, Exhibit, Item, NoBundle, judge_bundle, read_bundle, write_bundle
from doubles_tracing import KEY

BUNDLE = Bundle(
    KEY.vkey,
    {"between": "анна@gov.example boris@gov.example", "since": "0"},
    (Item(Exhibit(b"\0entry", "proof\n"), (Exhibit(b"filed", "p"),), b"s" * 32), Item(Exhibit(b"", ""))),
    "2026-11-22T09:00:00+00:00",
)
WRITTEN = write_bundle(BUNDLE)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
exhibits = st.builds(Exhibit, st.binary(max_size=20), texts)
bundles = st.builds(
    Bundle,
    texts,
    st.dictionaries(texts, texts, max_size=3),
    st.lists(st.builds(Item, exhibits, st.lists(exhibits, max_size=2).map(tuple), st.binary(max_size=33)), max_size=3).map(tuple),
    texts,
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(["\ud800", FORMAT, "AAAA", "A"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["entry", "proof", "filed", "salt"]), inner, max_size=4),
    max_leaves=8,
)


@given(bundles)
def test_a_bundle_is_read_as_it_was_written(bundle: Bundle) -> None:
    assert read_bundle(write_bundle(bundle)) == bundle
    assert read_bundle(write_bundle(bundle).encode()) == bundle


@given(st.binary(max_size=100) | st.text(max_size=100))
def test_noise_is_no_bundle(noise: bytes | str) -> None:
    with pytest.raises(NoBundle):
        read_bundle(noise)


@given(values)
def test_any_json_is_a_bundle_or_none_and_nothing_else(value: Any) -> None:
    with pytest.raises(NoBundle):
        read_bundle(json.dumps(value))


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a document."""
    pairs = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    return [(value, key) for key, _ in pairs] + [place for _, inner in pairs for place in _places(inner)]


@given(st.integers(0, 100), values, st.booleans())
def test_a_bundle_with_any_part_replaced_or_gone_is_read_judged_or_none(which: int, value: Any, gone: bool) -> None:
    document = json.loads(WRITTEN)
    places = _places(document)
    container, key = places[which % len(places)]
    if gone:
        del container[key]
    else:
        container[key] = value
    try:
        bundle = read_bundle(json.dumps(document))
    except NoBundle:
        return
    assert not judge_bundle(bundle, [KEY.vkey]).ok
    assert read_bundle(write_bundle(bundle)) == bundle


@given(st.integers(0, len(WRITTEN.encode()) - 1), st.integers(0, 255))
def test_a_bundle_with_one_byte_changed_is_read_or_none(place: int, value: int) -> None:
    raw = WRITTEN.encode()
    try:
        bundle = read_bundle(raw[:place] + bytes([value]) + raw[place + 1 :])
    except NoBundle:
        return
    assert not judge_bundle(bundle, [KEY.vkey]).ok


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WRITTEN.replace(FORMAT, "apostille-evidence/2"), "its format is 'apostille-evidence/2'; this program reads"),
        (WRITTEN.replace('"vkey"', '"key"'), "'vkey' is missing"),
        (WRITTEN.replace('"entry"', '"Entry"', 1), "'entry' is missing"),
        (WRITTEN.replace('"made": "2026-11-22T09:00:00+00:00"', '"made": 7'), "a text was expected, not int"),
        (WRITTEN.replace('"AGVudHJ5"', '"AGVudHJ5="'), "not base64"),
        (WRITTEN.replace('"AGVudHJ5"', '"A G"'), "not base64"),
        (WRITTEN.replace('"ZmlsZWQ="', '"ZmlsZWR="'), "not base64"),
        (WRITTEN.replace('"ZmlsZWQ="', '"ZmlsZWQ"'), "not base64"),
        (WRITTEN.replace('"AGVudHJ5"', '"я"'), "not base64"),
        (WRITTEN.replace('"since": "0"', '"since": "\\udc00"'), "no Unicode text"),
        ("[" * 100_000, "not an evidence bundle"),
        (WRITTEN[:-20], "not an evidence bundle"),
        ("", "not an evidence bundle"),
        ("7", "not an evidence bundle"),
        ("null", "not an evidence bundle"),
    ],
)
def test_what_is_wrong_with_a_bundle_is_said(text: str, said: str) -> None:
    with pytest.raises(NoBundle, match=said):
        read_bundle(text)


def test_a_bundle_without_end_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_BYTES", len(WRITTEN) - 1)
    with pytest.raises(NoBundle, match="larger than"):
        read_bundle(WRITTEN)
