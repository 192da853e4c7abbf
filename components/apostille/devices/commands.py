"""What an official may ask of the register: each command declared once, for the chat and as a form (XEP-0050).

Knows the words; refuses to know who asks, and how an answer travels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from apostille.devices.rules import Device, State
from apostille.devices.service import Devices
from apostille.devices.words import line
from apostille.vocabulary import Refusal


class Asker(NamedTuple):
    """Whose session asks: the bare JID, and the session's mark."""

    account: str
    session: str


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        word: what stands behind `devices` in a chat, empty for the list.
        node: of the form.
        title: what clients show.
        run: carries it out on one device, and gives what came of it.
        offers: whether a device can be chosen for it; None: it is about all of them.
    """

    word: str
    node: str
    title: str
    run: Callable[[Devices, Asker, int], Sequence[Device]]
    offers: Callable[[Device], bool] | None = None

    def answer(self, devices: Devices, asker: Asker, number: int = 0) -> str:
        """Carry it out; a refusal is an answer, too."""
        try:
            found = self.run(devices, asker, number)
        except Refusal as refusal:
            return refusal.text
        return "\n".join(map(line, found)) or "No device of yours is known."


COMMANDS = (
    Command("", "devices", "Your devices", lambda devices, asker, _: devices.listed(asker.account)),
    Command(
        "approve",
        "devices-approve",
        "Approve a device",
        lambda devices, asker, number: devices.approve_from(asker.account, number, asker.session),
        lambda device: device.state in (State.SEEN, State.RETIRED),
    ),
    Command(
        "revoke",
        "devices-revoke",
        "Revoke a device",
        lambda devices, asker, number: devices.revoke_from(asker.account, number, asker.session),
        lambda device: device.state is not State.REVOKED,
    ),
)
USAGE = "Write one of: devices; devices approve NUMBER; devices revoke NUMBER."


def answer(devices: Devices, asker: Asker, text: str) -> str:
    """What to answer to a chat message; empty: it is none of ours."""
    words = text[:200].lower().split()
    if words[:1] == ["help"]:
        return USAGE
    if words[:1] != ["devices"]:
        return ""
    word, *rest = words[1:] or [""]
    for command in COMMANDS:
        if command.word == word and (number := _number(rest)) is not None and bool(rest) is bool(command.offers):
            return command.answer(devices, asker, number)
    return USAGE


def choices(command: Command, devices: Devices, asker: Asker) -> dict[str, str]:
    """The devices that a form offers: number and line; a device of both versions is one choice."""
    if command.offers is None:
        return {}
    return {str(one.id.number): line(one) for one in devices.listed(asker.account) if command.offers(one)}


def _number(words: Sequence[str]) -> int | None:
    if not words:
        return 0
    number = words[0].removeprefix("#")
    return int(number) if len(words) == 1 and number.isascii() and number.isdigit() and len(number) < 12 else None
