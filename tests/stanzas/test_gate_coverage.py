"""What the gate says to hosts beforehand, what they say of themselves, and that it does not serve past a hole."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from xml.etree import ElementTree as ET

import pytest

from apostille.gate.service import Gate, Policy
from apostille.vocabulary import Outage, OutageClass
from apostille_xep.gate.stanza import NAMESPACE
from doubles_gate import Clock, MemoryLedger, ToldPolicy, salts
from heard import ACCEPT, STANZAS, TOLD, Heard, error, said

GUARDED = ("gov.example", "rooms.gov.example")
ALL = {"gov.example": True, "rooms.gov.example": True, "gate.gov.example": True}
Act = Callable[[Heard], Awaitable[None]]


def guarding(act: Act, policy: Policy | None = None, exempt: Sequence[str] = ()) -> None:
    """Let a component that guards two hosts be connected, and do something with it."""

    async def run() -> None:
        component = Heard(Gate(policy or ToldPolicy(TOLD), MemoryLedger(), Clock(), salts()), GUARDED, exempt)
        component._on_session(None)
        await act(component)

    asyncio.run(run())


def reported(host: str, hosts: Mapping[str, bool], modules: str = "m1") -> ET.Element:
    """A host's answer to its terms."""
    inner = "".join(f"<host jid='{jid}' covered='{str(covered).lower()}'/>" for jid, covered in hosts.items())
    covered = f"<covered xmlns='{NAMESPACE}' modules='{modules}'>{inner}</covered>"
    return ET.fromstring(f"<iq xmlns='{ACCEPT}' type='result' id='terms-{host}' from='{host}' to='gate.gov.example'>{covered}</iq>")


def unknown(host: str) -> ET.Element:
    """What a server answers for a host without the module."""
    problem = f"<error type='cancel'><service-unavailable xmlns='{STANZAS}'/></error>"
    return ET.fromstring(f"<iq xmlns='{ACCEPT}' type='error' id='terms-{host}' from='{host}' to='gate.gov.example'>{problem}</iq>")


async def report(component: Heard, *answers: ET.Element) -> None:
    for one in answers:
        component._spawn_event(one)
    await asyncio.sleep(0.01)


async def terms_sent(component: Heard, count: int = 1) -> list[ET.Element]:
    """The terms that were sent, once there are so many."""
    for _ in range(500):
        found = [ET.fromstring(sent) for sent in component.terms]
        if len(found) >= count:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(component.terms)


def test_on_connecting_each_guarded_host_is_told_the_terms() -> None:
    async def act(component: Heard) -> None:
        for iq, host in zip(await terms_sent(component, 2), GUARDED, strict=True):
            assert {name: iq.get(name) for name in ("type", "id", "from", "to")} == {
                "type": "set",
                "id": f"terms-{host}",
                "from": "gate.gov.example",
                "to": host,
            }
            (terms,) = iq
            assert terms.get("valid") == "100"
            (free,) = terms
            assert free.get("within") == "gov.example rooms.gov.example"
            assert [child.get("name") for child in free] == ["store"]

    guarding(act)


def test_a_changed_policy_is_told_at_once_and_an_unchanged_one_at_the_next_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apostille.gate.component._POLL", 0.01)
    policy = ToldPolicy(TOLD)

    async def act(component: Heard) -> None:
        assert len(await terms_sent(component, 2)) == 2
        await asyncio.sleep(0.1)
        assert len(await terms_sent(component)) == 2, "nothing new, nothing said"
        policy.outages, policy.newer = (OutageClass("gov.example", "*", Outage.HOLD, 20),), True
        newer = await terms_sent(component, 4)
        assert [one.get("from") for one in newer[-1].iter(f"{{{NAMESPACE}}}outage")] == ["gov.example"]
        monkeypatch.setattr("apostille.gate.component._HEARTBEAT", 0.01)
        assert len(await terms_sent(component, 6)) >= 6

    guarding(act, policy)


def test_another_connection_ends_the_heartbeat_of_the_one_before() -> None:
    async def act(component: Heard) -> None:
        first = component._beating
        assert first is not None
        component._on_session(None)
        with pytest.raises(asyncio.CancelledError):
            await first
        assert component._beating is not None

    guarding(act)


def test_where_every_host_is_covered_questions_are_answered(caplog: pytest.LogCaptureFixture) -> None:
    async def act(component: Heard) -> None:
        await report(component, *(reported(host, ALL) for host in GUARDED))
        assert "<pass " in (await component.hear(said("1", "a")))[0]

    with caplog.at_level(logging.INFO):
        guarding(act)
    assert "covered: gov.example, rooms.gov.example" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    ("answers", "named"),
    [
        ([unknown("rooms.gov.example"), reported("gov.example", ALL)], "rooms.gov.example"),
        ([reported("gov.example", {**ALL, "rosters.gov.example": False}), reported("rooms.gov.example", ALL)], "rosters.gov.example"),
        ([reported("gov.example", ALL), reported("rooms.gov.example", {"": True})], "rooms.gov.example"),
        ([unknown("gov.example"), unknown("rooms.gov.example")], "gov.example, rooms.gov.example"),
    ],
    ids=["no module", "another host of the server", "a report that cannot be read", "none"],
)
def test_while_a_host_is_uncovered_nothing_is_judged_and_the_log_names_it(
    answers: list[ET.Element], named: str, caplog: pytest.LogCaptureFixture
) -> None:
    policy = ToldPolicy(TOLD)

    async def act(component: Heard) -> None:
        await report(component, *answers, *answers)
        (told,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert told.startswith(f"{named}: the gate is not loaded there")
        assert await component.hear(said("1", "a")) == [error("wait", "internal-server-error")]
        assert policy.asked == []
        await report(component, *(reported(host, ALL) for host in GUARDED))
        assert "<pass " in (await component.hear(said("2", "b")))[0], "it serves again once they are covered"
        await report(component, unknown("rooms.gov.example"))
        assert await component.hear(said("3", "c")) == [error("wait", "internal-server-error")]

    guarding(act, policy)
    assert caplog.records[-1].getMessage().startswith("rooms.gov.example: ")


def test_while_a_host_is_silent_nothing_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apostille.gate.component._PATIENCE", 0.05)

    async def act(component: Heard) -> None:
        assert await component.hear(said("1", "a")) == [error("wait", "internal-server-error")]
        await report(component, reported("gov.example", ALL))
        assert await component.hear(said("2", "a")) == [error("wait", "internal-server-error")]
        await report(component, reported("rooms.gov.example", ALL))
        assert "<pass " in (await component.hear(said("3", "a")))[0]
        component._on_session(None)
        assert await component.hear(said("4", "a")) == [error("wait", "internal-server-error")], "another connection, another server"

    guarding(act)


def test_a_question_right_after_connecting_waits_for_the_reports() -> None:
    async def act(component: Heard) -> None:
        asked = asyncio.create_task(component.hear(said("1", "a")))
        await asyncio.sleep(0.05)
        assert not asked.done()
        await report(component, *(reported(host, ALL) for host in GUARDED))
        assert "<pass " in (await asked)[0]

    guarding(act)


def test_a_host_that_the_operator_left_out_on_purpose_is_no_hindrance() -> None:
    async def act(component: Heard) -> None:
        await report(component, *(reported(host, {**ALL, "chat.gov.example": False, "gate.gov.example": False}) for host in GUARDED))
        assert "<pass " in (await component.hear(said("1", "a")))[0]

    guarding(act, exempt=["gate.gov.example", "chat.gov.example"])


def test_a_report_of_a_host_that_is_not_guarded_counts_for_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def act(component: Heard) -> None:
        await report(component, *(reported(host, ALL) for host in GUARDED))
        await report(component, unknown("evil.example"), unknown("anna@gov.example"), reported("evil.example", {"gov.example": False}))
        stray = reported("gov.example", {"gov.example": False})
        stray.set("id", "other-1")
        await report(component, stray)
        assert "<pass " in (await component.hear(said("1", "a")))[0]

    guarding(act)
    assert "evil.example" not in caplog.text


def test_hosts_with_different_modules_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    async def act(component: Heard) -> None:
        for _ in range(2):
            await report(component, reported("gov.example", ALL, "m1"), reported("rooms.gov.example", ALL, "m2"))

    guarding(act)
    assert len([record for record in caplog.records if "different versions" in record.getMessage()]) == 1
