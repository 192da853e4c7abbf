"""What people read of devices: versions, fingerprints, messages.

Knows English; refuses to know when something is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from apostille.devices.rules import LEGACY, MODERN, Device, Event, Happening, State

LABEL = 64
"""Characters of a label."""
LINES = 10
"""Things that one message tells."""

_P = 2**255 - 19
_VERSIONS = {LEGACY: "OMEMO 0.3", MODERN: "OMEMO 2"}
_BY = {"policy": "by the policy for first devices", "registrar": "by a registrar", "session": "from another session of the account"}


def version(namespace: str) -> str:
    """An OMEMO version in people's words."""
    return _VERSIONS.get(namespace, namespace)


def fingerprint(device: Device) -> str:
    """A device's key as clients show it (XEP-0384 section 7): Curve25519, lower-case hex, in groups of eight; empty if unknown."""
    try:
        key = bytes.fromhex(device.identity)
    except ValueError:
        return ""
    if len(key) == 33:  # 0.3 sends its kind before it
        key = key[1:]
    elif len(key) == 32 and device.id.namespace == MODERN:  # Ed25519: the same point in the other form (RFC 7748 section 4.1)
        y = int.from_bytes(key, "little") & (2**255 - 1)
        key = ((1 + y) * pow(1 - y, _P - 2, _P) % _P).to_bytes(32, "little")
    text = key.hex()
    return " ".join(text[start : start + 8] for start in range(0, len(text), 8))


def told(happened: Sequence[Happening], desk: str) -> tuple[list[str], list[str]]:
    """What the account's person and the security contact are told: a line for each that happened, up to `LINES`.

    `desk` is whom to write commands to.
    """
    decided_now = {one.device.id for one in happened if one.event is Event.APPROVED}
    news = [one for one in happened if not (one.event is Event.ANNOUNCED and one.device.id in decided_now)]
    news.sort(key=lambda one: one.event is not Event.KEY_CHANGED)  # an alarm is told whatever else happened
    more = [f"and {len(news) - LINES} more; the list of devices has them all."] if len(news) > LINES else []
    return [*(_line(one, desk) for one in news[:LINES]), *more], [*(_line(one, "") for one in news[:LINES]), *more]


def _line(happening: Happening, desk: str) -> str:
    event, device = happening
    name = f"{device.id.number} ({version(device.id.namespace)}{f', {device.label}' if device.label else ''})"
    key = f" Fingerprint: {fingerprint(device)}." if device.identity else ""
    means = _BY.get(device.decision.means, "") if device.decision else ""
    number = device.id.number
    if event is Event.ANNOUNCED:
        mine = f"If it is yours, write devices approve {number} to {desk} from your other device."
        step = f" {mine} If not, change your password." if desk else ""
        return f"New device {name} waits for approval.{key}{step}"
    if event is Event.KEYED:
        step = f" If your client shows another, write devices revoke {number} to {desk} and change your password." if desk else ""
        return f"Device {name}, approved before its key was known, has shown its first one.{key}{step}"
    if event is Event.KEY_CHANGED:
        step = " If you did not install your client anew, change your password and tell your administrator at once." if desk else ""
        return f"ALARM: device {name} has another key under the same number, and is not approved with it.{key}{step}"
    if event is Event.APPROVED:
        step = f" If it is not yours, write devices revoke {number} to {desk} and change your password." if desk else ""
        return f"Device {name} was approved {means}.{key}{step}"
    if event is Event.REVOKED:
        return f"Device {name} was revoked {means}.{key}"
    if event is Event.RETIRED:
        return f"Device {name} was retired, as it was not used for long.{key}"
    return f"Approved device {name} was taken off the device list.{key}"


def label(text: str) -> str:
    """A label as it is kept: one line, at most `LABEL` characters."""
    return "".join(one for one in text if one.isprintable()).strip()[:LABEL]


def line(device: Device) -> str:
    """One device in a list."""
    name = f"{device.id.number} ({version(device.id.namespace)}{f', {device.label}' if device.label else ''}): {state(device)}"
    facts = [name, f"first seen {day(device.first_seen)}"]
    if device.last_used:
        facts.append(f"last used {day(device.last_used)}")
    if device.identity:
        facts.append(fingerprint(device))
    return ", ".join(facts)


def state(device: Device) -> str:
    """A device's state, and who brought it about."""
    decision = device.decision
    off = "" if device.listed else ", not announced now"
    if device.state is State.SEEN or decision is None:
        return f"waits for approval{off}"
    by = f" {decision.by}" if decision.means == "registrar" else ""
    means = "" if device.state is State.RETIRED else f" {_BY.get(decision.means, '')}{by}"
    return f"{device.state.value}{means} on {day(decision.at)}{off}"


def day(at: int) -> str:
    """A time in Unix milliseconds as its day, UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()
