"""The only module that builds anything: from the settings to rooms that know one another by their ports alone.

Knows which store satisfies which port; refuses to hold a rule. Each function builds what one command needs and no more.
It has more than 400 lines, as every room is built here and nowhere else.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import Engine

from apostille import record as records
from apostille.database import grow_log, open_database
from apostille.devices.component import Desk
from apostille.devices.memory import Memory
from apostille.devices.rules import DAY
from apostille.devices.service import Devices
from apostille.devices.service import Terms as DeviceTerms
from apostille.devices.store import SqlRegister as SqlDevices
from apostille.directory.rules import Government, standing_on
from apostille.directory.service import Directory
from apostille.directory.store import SqlRegister
from apostille.gate.component import GateComponent
from apostille.gate.processes import GateProcesses
from apostille.gate.service import Gate
from apostille.ledger.rules import Between, Entry, Found, Placed
from apostille.ledger.service import Ledger, Reader
from apostille.ledger.sharing import Remote, Shared, Writer, answer
from apostille.ledger.store import SqlLog
from apostille.migrations import expect_current
from apostille.policy.rules import Policy
from apostille.policy.service import Hosts, Judge
from apostille.policy.store import PolicyFile, load_policy
from apostille.rosters.component import RostersComponent
from apostille.rosters.rules import Member
from apostille.rosters.service import Rosters
from apostille.rosters.store import SqlApplied
from apostille.settings import DEFAULT_FILE, Settings, read_settings
from apostille.tlog.note import Signer
from apostille.tracing.service import Tracing
from apostille.vocabulary import Change, Fault, Message, Refusal, Seat, Standing, Terms, Verdict
from apostille.xmpp import Component, address

log = logging.getLogger(__name__)

ROOMS = ("gate", "rosters")
_UNITS_SEPARATOR = "/"
_LATEST = 2**53  # no time in an entry is later


def settings_at(path: str | None) -> Settings:
    """The settings in the named file, or in `./apostille.toml`."""
    return read_settings(Path(path or DEFAULT_FILE))


def database(settings: Settings) -> Engine:
    """The database, once its schema is the one that this version knows.

    Raises:
        Fault: it cannot be opened, or its schema is another; the text says what to run.
    """
    engine = open_database(settings.database_url)
    expect_current(engine)
    return engine


# ---- the rooms' services --------------------------------------------------------------------------------------------


def directory(path: str | None) -> Directory:
    """The directory."""
    settings = settings_at(path)
    return _directory(settings, database(settings))


def _directory(settings: Settings, engine: Engine) -> Directory:
    return Directory(SqlRegister(engine), settings.domain, address)


def rosters(path: str | None) -> Rosters:
    """The rosters room."""
    settings = settings_at(path)
    engine = database(settings)
    return _rosters(settings, engine)


def _rosters(settings: Settings, engine: Engine) -> Rosters:
    return Rosters(_DirectoryTree(_directory(settings, engine), today), SqlApplied(engine))


def devices(path: str | None) -> Devices:
    """The register of devices, for one who decides: what it may have missed is taken in."""
    settings = settings_at(path)
    engine = database(settings)
    register = _devices(settings, engine, ledger_writer(settings, engine))
    register.catch_up()
    return register


def _devices(settings: Settings, engine: Engine, writer: Writer) -> Devices:
    directory, clock, contact = _directory(settings, engine), _WallClock(), settings.devices_security_contact
    terms = DeviceTerms(
        domain=settings.domain,
        first=settings.devices_first == "approve",
        enrolment=settings.devices_enrolment_days * DAY,
        stale=settings.devices_stale_days * DAY,
        contact=str(address(contact)) if contact else "",
        desk=settings.components_gate,
    )
    kept = _LedgerOfDevices(writer, _reader(SqlLog(engine), signer(settings).vkey))
    policy = _DirectoryOfPolicy(directory)
    return Devices(
        SqlDevices(engine),
        kept,
        terms,
        _milliseconds,
        time.monotonic,
        lambda jid: policy.seat(jid, clock.now().date()).standing is not Standing.UNLISTED,
    )


def ledger_log(path: str | None, vkey: str | None = None) -> tuple[SqlLog, str]:
    """The stored ledger as it is, and its verifier key: the given one, or else that of the key file."""
    settings = settings_at(path)
    return SqlLog(database(settings)), vkey or signer(settings).vkey


def ledger(path: str | None) -> Reader:
    """The ledger, to find and to prove."""
    return _reader(*ledger_log(path))


def _reader(log_: SqlLog, vkey: str) -> Reader:
    return Reader(log_, vkey, reads=found_by)


def tracing(path: str | None) -> Tracing:
    """The tracing room."""
    log_, vkey = ledger_log(path)
    return Tracing(_LedgerOfTracing(_reader(log_, vkey)), vkey, lambda: datetime.now(UTC).isoformat(timespec="seconds"))


def signer(settings: Settings) -> Signer:
    """The ledger's key.

    Raises:
        Fault: the key file cannot be read or holds something else.
    """
    file = settings.ledger_key_file
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise Fault(f"ledger.key_file: cannot read {file}: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Fault(f"ledger.key_file: {file} is not an unencrypted private key in PEM form") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Fault(f"ledger.key_file: {file} holds another kind of key; the ledger signs with Ed25519")
    return Signer(settings.ledger_origin, key)


# ---- ports of one room, filled by another ------------------------------------------------------------------------------


class _DirectoryOfPolicy:
    """What is known of an address, never older than the directory's own patience."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def seat(self, jid: str, day: date) -> Seat:
        return self._directory.seat(jid, day, time.monotonic())


def found_by(data: bytes) -> Found | None:
    """What an entry is found by; the ledger itself cannot read one."""
    try:
        record = records.read(data)
    except records.Unreadable:
        return None
    return Found(records.lookups(record), record.at)


class _LedgerOfGate:
    def __init__(self, ledger: Writer) -> None:
        self._ledger = ledger

    def keep(self, kept: Sequence[tuple[records.Record, bytes]]) -> int:
        return self._ledger.append([Entry(records.write(one), records.lookups(one), salt, one.at) for one, salt in kept])


class _LedgerOfDevices(_LedgerOfGate):
    def __init__(self, ledger: Writer, reader: Reader) -> None:
        super().__init__(ledger)
        self._reader = reader

    def about_devices(self, since: int) -> Iterator[tuple[int, records.DeviceRecord]]:
        for one in self._reader.find_all(records.ABOUT_DEVICES, between=Between(since, _LATEST)):
            try:
                record = records.read(one.data)
            except records.Unreadable as error:  # it may be the one that revokes a device
                raise Fault(f"ledger: entry {one.index} cannot be read: {error}; run verify") from None
            if isinstance(record, records.DeviceRecord):
                yield one.index, record


class _LedgerOfTracing:
    def __init__(self, ledger: Reader) -> None:
        self._ledger = ledger

    def entry(self, index: int) -> Placed:
        return self._ledger.entry(index)

    def find(self, field: str, value: str) -> Sequence[Placed]:
        return self._ledger.find(field, value)

    def between(self, sender: str, recipient: str, since: int, until: int) -> Sequence[Placed]:
        return self._ledger.find_all(("from", sender), ("to", recipient), between=Between(since, until))

    def prove_many(self, indices: Iterable[int]) -> Sequence[str]:
        return self._ledger.prove_many(indices)


class _DirectoryTree:
    """The directory as the rosters room sees it: who sits in which unit, today."""

    def __init__(self, directory: Directory, today: Callable[[], date]) -> None:
        self._directory = directory
        self._today = today

    def revision(self) -> int:
        # A validity that begins or ends at midnight changes rosters although nobody touched the directory.
        return self._directory.revision() * 10_000_000 + self._today().toordinal()

    def members(self) -> Iterator[Member]:
        _, government = self._directory.government()
        day = self._today()
        for official in government.officials.values():
            post = government.posts.get(official.post)
            if post is not None:
                listed = standing_on(official, day) is Standing.VERIFIED
                yield Member(official.address, official.name, _line(government, post.unit), post.title, post.rank, listed)

    def units(self) -> Mapping[str, str]:
        _, government = self._directory.government()
        return {_line(government, path): unit.name for path, unit in government.units.items()}


def _line(government: Government, path: str) -> str:
    """A unit's place in the tree, from its parents and not from its path, which need not agree."""
    return _UNITS_SEPARATOR.join(unit.path.replace(_UNITS_SEPARATOR, ".") for unit in government.above(path))


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


def today() -> date:
    """The day by which validity is judged: the calendar of the machine, as the people who use it read it."""
    return datetime.now().astimezone().date()


# ---- serving -----------------------------------------------------------------------------------------------------------


class _WallClock:
    """The time, aware, as the machine's people read it, for a caller who asks for every message: looked up once a second."""

    def __init__(self) -> None:
        self._until = 0.0
        self._now = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        now = time.monotonic()
        if now >= self._until:
            self._until, self._now = now + 1, datetime.now().astimezone()
        return self._now


def _services(settings: Settings) -> frozenset[str]:
    ours = (*settings.gates(), settings.components_rosters, settings.components_directory, settings.components_trace)
    return frozenset((*ours, *settings.server_components))


class _PolicyOfGate:
    """The policy in force: the file's, read again when it changes; a file that is no policy changes nothing."""

    def __init__(self, file: PolicyFile, judge: Judge) -> None:
        self._file = file
        self._judge = judge

    def judge(self, message: Message) -> Verdict:
        return self._judge.judge(message)

    def judge_change(self, change: Change) -> Verdict:
        return self._judge.judge_change(change)

    def unreadable(self, lang: str) -> Verdict:
        return self._judge.unreadable(lang)

    def terms(self) -> Terms:
        return self._judge.terms()

    def refresh(self, *, asked: bool = False) -> bool:
        changed = self._file.changed()
        if not (changed or asked):
            return False
        try:
            self._judge.adopt(self._file.load())
        except (Refusal, Fault) as error:
            log.error("the changed policy cannot be used, and the one before it stays in force: %s", error)
            return False
        log.info("the changed policy is in force" if changed else "the policy was read again: it has not changed")
        return True


def ledger_writer(settings: Settings, engine: Engine) -> Ledger:
    """The ledger, to write it."""
    return Ledger(SqlLog(engine), signer(settings))


def judge(settings: Settings, engine: Engine, policy: Policy, register: Devices | None = None) -> Judge:
    """What judges by a policy, with the directory and the register of devices behind it."""
    known = register or Memory(SqlDevices(engine), settings.domain, time.monotonic)
    hosts = Hosts(settings.domain, frozenset(settings.server_rooms), _services(settings))
    return Judge(policy, _DirectoryOfPolicy(_directory(settings, engine)), hosts, _WallClock().now, known)


def gate(settings: Settings, engine: Engine, writer: Writer | None = None, register: Devices | None = None) -> Gate:
    """The gate with the rooms behind it; `writer` is the ledger's, if another process holds it."""
    writer = writer or ledger_writer(settings, engine)
    register = register or _devices(settings, engine, writer)
    file = PolicyFile(settings.policy_file)
    judging = judge(settings, engine, file.load(), register)
    salt = partial(secrets.token_bytes, records.SALT_BYTES)
    return Gate(_PolicyOfGate(file, judging), _LedgerOfGate(writer), _milliseconds, salt, register)


def gate_component(settings: Settings, engine: Engine, writer: Writer | None = None, number: int = 1) -> GateComponent:
    """One gate on the wire; the first is number 1."""
    guarded = (settings.domain, *settings.server_rooms, *settings.server_components)
    served = {*guarded, *_services(settings)}
    where = (settings.server_host, settings.server_port)
    exempt = (*settings.gates(), *settings.server_unguarded)
    jid = settings.gates()[number - 1]
    writer = writer or ledger_writer(settings, engine)
    register = _devices(settings, engine, writer)
    register.catch_up()
    component = GateComponent(jid, settings.secret(), where, gate(settings, engine, writer, register), served, guarded, exempt)
    Desk(component, register, settings.domain, speaks=number == 1)
    return component


def rosters_component(settings: Settings, engine: Engine) -> RostersComponent:
    """The rosters room on the wire."""
    return RostersComponent(
        settings.components_rosters,
        settings.secret(),
        settings.server_host,
        settings.server_port,
        domain=settings.domain,
        service=_rosters(settings, engine),
    )


def serve(path: str | None, rooms: Sequence[str], gates: int | None = None, options: Sequence[str] = ()) -> None:
    """Run rooms until SIGINT or SIGTERM; every gate but the first in a process of its own, started with these options as well.

    SIGHUP: all gates read the policy again at once.

    Raises:
        Fault: another process has taken a component's place.
    """
    settings = settings_at(path)
    if gates is not None:
        settings = replace(settings, components_gates=gates)
    engine = database(settings)
    log.info("serving %s for %s", ", ".join(rooms), settings.domain)
    builders: list[Callable[[], Component]] = []
    others: AbstractContextManager[object] = nullcontext()
    apart: list[GateProcesses] = []
    if "rosters" in rooms:
        builders.append(partial(rosters_component, settings, engine))
    if "gate" in rooms:
        grow_log(engine)
        writer = Shared(ledger_writer(settings, engine))
        builders.append(partial(gate_component, settings, engine, writer))
        numbers = range(2, settings.components_gates + 1)
        others = processes = GateProcesses(path, settings.components_gates, numbers, partial(answer, writer=writer), options)
        apart.append(processes)
    with others:
        _run(builders, apart=apart)


def serve_gate(path: str | None, gates: int, number: int, ledger: int) -> None:
    """Run gate `number` of `gates` until standard input ends: the process that holds its other end is the one that serves.

    `ledger` is the file descriptor of the connection to that process, which writes the ledger for all.
    """
    settings = replace(settings_at(path), components_gates=gates)
    engine = database(settings)
    writer = Remote(Connection(ledger))
    _run([partial(gate_component, settings, engine, writer, number)], until_eof=True)


def _run(builders: Sequence[Callable[[], Component]], *, until_eof: bool = False, apart: Sequence[GateProcesses] = ()) -> None:
    async def run() -> None:
        components = [build() for build in builders]

        def stop() -> None:
            for component in components:
                component.stop()

        def read_again() -> None:
            for component in components:
                if isinstance(component, GateComponent):
                    component.refresh()
            for processes in apart:
                processes.hang_up()

        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stop)
        loop.add_signal_handler(signal.SIGHUP, read_again)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # blocked for one that another process has started
        if until_eof:
            loop.add_reader(0, stop)  # nobody writes there: readable is closed
        await asyncio.gather(*(component.serve() for component in components))

    asyncio.run(run())


def policy_of(settings: Settings) -> int:
    """How many rules the policy has; for `doctor`.

    Raises:
        Refusal: the file is no policy.
        Fault: it cannot be read.
    """
    return len(cast("Sequence[object]", load_policy(settings.policy_file).rules))
