"""Device lists and bundles: what may be published, and what would be a notice board."""

from __future__ import annotations

from typing import Any

import pytest

from apostille.policy.stanzas import sound_publication
from messages import LEGACY, MODERN, change

KEY = "05" + "ab" * 32
BUNDLE: dict[str, Any] = {"subject": "bundle", "identity": KEY, "text": 5000, "attributes": 3000, "elements": 106}


@pytest.mark.parametrize("namespace", [LEGACY, MODERN])
@pytest.mark.parametrize("devices", [(), (1,), (2**31 - 1,), tuple(range(1, 101))], ids=["none", "first", "last", "hundred"])
def test_a_list_of_device_ids_is_sound(namespace: str, devices: tuple[int, ...]) -> None:
    count = len(devices)
    assert sound_publication(change(*devices, namespace=namespace, attributes=512 + count * 256, elements=count + 8))


@pytest.mark.parametrize(
    ("devices", "measures"),
    [
        ((0,), {}),
        ((2**31,), {}),
        ((11, 0), {}),
        (tuple(range(1, 102)), {"elements": 104}),
        ((11,), {"text": 1}),
        ((11,), {"attributes": 512 + 256 + 1}),
        ((11,), {"elements": 10}),
        ((), {"attributes": 513}),
        ((), {"elements": 9}),
    ],
    ids=["0", "too large", "0 among others", "too many", "text", "labels", "elements", "a list of none", "elements of none"],
)
def test_a_list_that_holds_anything_else_is_not(devices: tuple[int, ...], measures: dict[str, Any]) -> None:
    assert not sound_publication(change(*devices, **({"attributes": 96, "elements": 4} | measures)))


@pytest.mark.parametrize("identity", [KEY, KEY[2:]])
def test_a_bundle_of_one_device_with_a_key_is_sound(identity: str) -> None:
    assert sound_publication(change(11, **(BUNDLE | {"identity": identity})))
    assert sound_publication(change(11, **(BUNDLE | {"text": 16_384, "elements": 260, "attributes": 260 * 64})))


@pytest.mark.parametrize(
    ("devices", "changes"),
    [
        ((), {}),
        ((0,), {}),
        ((2**31,), {}),
        ((11, 12), {}),
        ((11,), {"identity": ""}),
        ((11,), {"text": 16_385}),
        ((11,), {"elements": 261}),
        ((11,), {"attributes": 260 * 64 + 1}),
    ],
    ids=["of none", "of 0", "too large", "of two", "no key", "text", "elements", "attributes"],
)
def test_a_bundle_without_a_key_or_with_room_for_a_letter_is_not(devices: tuple[int, ...], changes: dict[str, Any]) -> None:
    assert not sound_publication(change(*devices, **(BUNDLE | changes)))
