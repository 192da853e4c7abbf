"""The benchmarks' honesty: no figure of a run in which messages were refused, or in which none would have been."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from benchmark import memory
from benchmark.generator import PEOPLE, NotDelivered
from benchmark.sides import Side, servers
from rig.installation import Installation, in_folder


@pytest.fixture(scope="module")
def sides() -> Iterator[tuple[Side, Side, Side]]:
    with servers("omemo") as found:
        yield found


def test_every_server_passes_encrypted_messages_with_all_their_copies(sides: tuple[Side, Side, Side]) -> None:
    for side in sides:
        assert side.load.fast("omemo", 160).rate > 0


def test_a_paced_load_tells_the_delay_of_each_message(sides: tuple[Side, Side, Side]) -> None:
    gated, _, _ = sides
    found = gated.load.paced("omemo", 40, 40.0)
    assert len(found.latencies) == 40
    assert all(delay > 0 for delay in found.latencies)


def test_the_gate_and_its_rival_refuse_readable_messages_and_the_bare_server_is_found_out(sides: tuple[Side, Side, Side]) -> None:
    gated, bare, firewall = sides
    gated.load.refused("plain")
    firewall.load.refused("plain")
    with pytest.raises(NotDelivered, match="should have been refused"):
        bare.load.refused("plain")


def test_a_load_that_is_refused_gives_no_figure(sides: tuple[Side, Side, Side]) -> None:
    gated, _, _ = sides
    with pytest.raises(NotDelivered, match="policy-violation"):
        gated.load.fast("plain", 16)


def test_the_component_alone_lets_every_message_of_the_bench_pass() -> None:
    folder = in_folder("bench")
    installation = Installation(folder)
    installation.import_officials(PEOPLE)
    server = memory.Server(installation.prosody.component_port)
    try:
        installation.serve("gate")
        assert server.ask_for(3 * memory.BATCH) > 0
    finally:
        server.close()
        installation.stop()
        shutil.rmtree(folder, ignore_errors=True)
