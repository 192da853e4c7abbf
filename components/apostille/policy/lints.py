"""What is probably a mistake in a policy that can be read.

Every lint follows from one question: which messages does a rule speak of that no earlier one has taken? Knows how one condition
contains another; refuses to know who holds a post today, unless it is told. A new condition of a rule has to be added to `CONTAINS`,
and nowhere else.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from difflib import get_close_matches
from itertools import product
from typing import NamedTuple

from apostille.policy.classes import Class, InUnit, OnPost, TheRoom, party_of
from apostille.policy.recipients import Level, Unknown
from apostille.policy.rules import Direction, Policy, Requirement, Rule, Setting, Stage, direction_of
from apostille.policy.windows import ALWAYS, Window
from apostille.vocabulary import Outage, Party


class Weight(enum.Enum):
    """How bad it is: an error makes the check fail."""

    ERROR = "error"
    REMARK = "remark"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a lint found; `number` is the rule's, from 1, and 0 where it is the whole policy's."""

    weight: Weight
    lint: str
    number: int
    rule: str
    text: str
    mend: str


@dataclass(frozen=True, slots=True)
class Places:
    """What there is to be matched.

    Attributes:
        units: path of a unit -> its own path, then those above it.
        posts: id of a post -> the paths of its unit and of those above that.
        held: ids of the posts that somebody verified holds.
        rooms: domains of the served rooms.
    """

    units: Mapping[str, tuple[str, ...]]
    posts: Mapping[str, tuple[str, ...]]
    held: frozenset[str] = field(default_factory=frozenset)
    rooms: frozenset[str] = field(default_factory=frozenset)


class Cell(NamedTuple):
    """The smallest part of what a rule speaks of: one class to one class, in one setting, as long as the rule holds."""

    sender: Class
    recipient: Class
    setting: Setting
    direction: Direction
    window: Window


def line_of(path: str, places: Places | None = None) -> tuple[str, ...]:
    """The unit and those above it; by its path alone where nobody knows the directory."""
    if places is not None:
        return places.units.get(path, ())
    parts = path.split("/")
    return tuple("/".join(parts[:count]) for count in range(len(parts), 0, -1))


def contains(outer: Class, inner: Class, places: Places | None = None) -> bool:
    """Whether all who belong to `inner` surely belong to `outer`."""
    if outer == inner:
        return True
    if isinstance(outer, Party):
        return party_of(inner) is outer
    if isinstance(outer, InUnit):
        if isinstance(inner, InUnit):
            return outer.below and outer.path in line_of(inner.path, places)
        if isinstance(inner, OnPost) and places is not None:
            line = places.posts.get(inner.id, ())
            return outer.path in (line if outer.below else line[:1])
    return False


def _among(outer: frozenset[Class], inner: Class, places: Places | None) -> bool:
    """Whether one of the classes contains another; what is quick to say is said first, as this is asked for each pair of rules."""
    if inner in outer or party_of(inner) in outer:
        return True
    return any(contains(one, inner, places) for one in outer if isinstance(one, InUnit))


def within(outer: Window, inner: Window) -> bool:
    """Whether the one window holds whenever the other does, as far as can be told without looking at a clock."""
    if (outer.hours, outer.days, outer.first, outer.last) == (ALWAYS.hours, ALWAYS.days, None, None):
        return True
    (begin, end), (first, last) = outer.hours, inner.hours
    hours = outer.hours == inner.hours or begin <= first < last <= end
    begins = outer.first is None or (inner.first is not None and outer.first <= inner.first)
    ends = outer.last is None or (inner.last is not None and inner.last <= outer.last)
    return outer.zone == inner.zone and hours and inner.days <= outer.days and begins and ends


CONTAINS: Mapping[str, Callable[[Rule, Cell, Places | None], bool]] = {
    "kinds": lambda rule, cell, _: cell.setting in rule.settings,
    "direction": lambda rule, cell, _: cell.direction in rule.directions,
    "from": lambda rule, cell, places: _among(rule.senders, cell.sender, places),
    "to": lambda rule, cell, places: _among(rule.recipients, cell.recipient, places),
    "window": lambda rule, cell, _: within(rule.window, cell.window),
}
"""By key of a rule's condition: whether the condition holds in all of a cell."""
_CONDITIONS = frozenset(("name", "senders", "recipients", "settings", "directions", "window"))


def cells(rule: Rule) -> Iterator[Cell]:
    """All that a rule speaks of: two parties write to one another in one direction only, and not everywhere."""
    for sender, recipient in product(sorted(rule.senders, key=_word), sorted(rule.recipients, key=_word)):
        direction = direction_of(party_of(sender), party_of(recipient))
        if direction in rule.directions:
            for setting in (one for one in Setting if one in rule.settings and can_be_said(party_of(recipient), one)):
                yield Cell(sender, recipient, setting, direction, rule.window)


def can_be_said(recipient: Party, setting: Setting) -> bool:
    """Whether a message to such a party can be said there: to all in a room is to the room, and outside rooms is to none."""
    return setting is not (Setting.CHAT if recipient is Party.ROOM else Setting.GROUPCHAT)


def takes(rule: Rule, cell: Cell, places: Places | None = None) -> bool:
    """Whether a rule fits everything in a cell."""
    return all(holds(rule, cell, places) for holds in CONTAINS.values())


def lint(policy: Policy, today: date, places: Places | None = None) -> list[Finding]:
    """What is probably a mistake, in the order of the rules; with `places`, also classes that match nobody."""
    if not policy.rules:
        return [Finding(Weight.ERROR, "empty", 0, "", "the policy has no rule: every message would be refused", "write a [[rule]]")]
    found: list[Finding] = []
    for number, rule in enumerate(policy.rules, 1):
        looked = _Looked(number, rule, policy.rules[: number - 1], places)
        found += [one for lint_ in (_reach, _holes, _windows, _extent) for one in lint_(looked, today)]
        found += _nobody(looked)
        if number < len(policy.rules):
            found += _needless(looked, policy.rules[number])
    return found


# ---- the lints ----------------------------------------------------------------------------------------------------------


class _Looked:
    """One rule, and what is left of it after the rules before it."""

    def __init__(self, number: int, rule: Rule, earlier: tuple[Rule, ...], places: Places | None) -> None:
        self.number, self.rule, self.places = number, rule, places
        self.cells = list(cells(rule))
        self.takers: dict[str, None] = {}
        self.left: list[Cell] = []
        for cell in self.cells:
            taker = next((one for one in earlier if takes(one, cell, places)), None)
            if taker is None:
                self.left.append(cell)
            else:
                self.takers[taker.name] = None

    def finding(self, weight: Weight, name: str, text: str, mend: str) -> Finding:
        return Finding(weight, name, self.number, self.rule.name, text, mend)


def _reach(looked: _Looked, _: date) -> Iterator[Finding]:
    if not looked.cells:
        text = "fits nothing: from, to, kinds and direction never hold together"
        yield looked.finding(Weight.ERROR, "fits-nothing", text, "correct direction, or name somebody in from and to")
    elif not looked.left:
        names = ", ".join(looked.takers)
        text = f"is never asked: {names} before it fit{'' if len(looked.takers) > 1 else 's'} everything that it fits"
        yield looked.finding(Weight.ERROR, "unreachable", text, f"remove it, or put it before {next(iter(looked.takers))}")


_OFFICIALS = (Party.VERIFIED, Party.ROOM)
_OPEN = ("links", "unknown", "xhtml")
"""Extras under which a text or the place of a file can be read; the others tell something about a conversation, not what it says."""


def _holes(looked: _Looked, _: date) -> Iterator[Finding]:
    rule = looked.rule
    between = [cell for cell in looked.left if party_of(cell.sender) is Party.VERIFIED and party_of(cell.recipient) in _OFFICIALS]
    if not between:
        return
    pairs = ", ".join(dict.fromkeys(f"{cell.sender.value} to {cell.recipient.value}" for cell in between))
    if rule.require is Requirement.NOTHING:
        mend = 'write require = "omemo", or put a rule that does before it'
        yield looked.finding(Weight.ERROR, "plaintext", f"lets officials write in plain text: {pairs}", mend)
        return
    if rule.stage is not Stage.ENFORCE:
        text = f"refuses nothing: its stage is {rule.stage.value}"
        yield looked.finding(Weight.REMARK, "stage", text, 'write stage = "enforce" when `apostille policy report` finds nobody left')
    if rule.devices is not Level.ANY and rule.unknown is Unknown.PASS:
        text = "lets messages pass to people whose devices nobody knows, so that anybody might read them"
        yield looked.finding(Weight.REMARK, "devices", text, 'write unknown_devices = "refuse" when everybody has signed in with OMEMO')
    for extra in sorted(rule.extras):
        weight = Weight.ERROR if extra in _OPEN else Weight.REMARK
        text = f"lets {extra} pass where the server can read them: {pairs}"
        yield looked.finding(weight, "extras", text, f"remove {extra} from extras, unless people must have it")


def _windows(looked: _Looked, today: date) -> Iterator[Finding]:
    window = looked.rule.window
    if window.first and window.last:
        span = (window.last - window.first).days
        if not any((window.first + timedelta(one)).weekday() in window.days for one in range(min(span, 6) + 1)):
            text = f"never holds: none of its days lies between {window.first} and {window.last}"
            yield looked.finding(Weight.ERROR, "never", text, "correct days, from_date or to_date")
            return
    if window.last and window.last < today - timedelta(1):  # a window over midnight ends a day later
        yield looked.finding(Weight.REMARK, "over", f"holds no more: it ended on {window.last}", "remove it, or correct to_date")


def _extent(looked: _Looked, _: date) -> Iterator[Finding]:
    if looked.rule.outage is Outage.PASS:
        text = "lets messages pass without a verdict and without a record while the gate is away"
        yield looked.finding(Weight.REMARK, "outage", text, 'write outage = "hold" or "bounce", unless these messages must never wait')


def _needless(looked: _Looked, following: Rule) -> Iterator[Finding]:
    same = all(getattr(looked.rule, one.name) == getattr(following, one.name) for one in fields(Rule) if one.name not in _CONDITIONS)
    if same and looked.left and all(takes(following, cell, looked.places) for cell in looked.left):
        text = f"has no effect of its own: {following.name} after it fits the same messages and asks the same of them"
        yield looked.finding(Weight.REMARK, "needless", text, "remove it, unless reports should count its messages apart")


def _nobody(looked: _Looked) -> Iterator[Finding]:
    places = looked.places
    if places is None:
        return
    for key, some in (("from", looked.rule.senders), ("to", looked.rule.recipients)):
        for one in sorted(some, key=_word):
            complaint = _missing(one, places)
            if complaint is not None:
                weight, text, mend = complaint
                yield looked.finding(weight, "nobody", f"{key} names {one.value}, and {text}", mend)


def _missing(one: Class, places: Places) -> tuple[Weight, str, str] | None:
    match one:
        case InUnit(path, below):
            if path not in places.units:
                return Weight.ERROR, "the directory has no such unit", _near(path, places.units)
            seated = [places.posts[post] for post in places.held if post in places.posts]
            if not any(path in (line if below else line[:1]) for line in seated):
                return Weight.REMARK, "nobody verified sits there at present", "nothing, if somebody will"
        case OnPost(id_):
            if id_ not in places.posts:
                return Weight.ERROR, "the directory has no such post", _near(id_, places.posts)
            if id_ not in places.held:
                return Weight.REMARK, "nobody verified holds the post at present", "nothing, if somebody will"
        case TheRoom(address) if (host := address.rpartition("@")[2]) not in places.rooms:
            return Weight.ERROR, f"{host} is none of the served rooms' domains", _near(host, places.rooms)
    return None


def _near(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f"did you mean {near[0]!r}?" if near else "correct it, or import what is missing"


def _word(one: Class) -> str:
    return one.value
