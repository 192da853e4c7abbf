"""A few rounds of `deploy/bench faults`: no kill leaves a message unaccounted for."""

from __future__ import annotations

from benchmark import faults


def test_kill_9_of_component_and_server_under_load_loses_duplicates_and_hides_nothing() -> None:
    figures = {name: figure.value for name, figure in faults.measure(full=False, rounds=5).items()}
    assert figures.pop("faults.rounds") == 5
    assert figures == dict.fromkeys(figures, 0)
    assert {"faults.unrecorded", "faults.duplicated", "faults.lost_silently"} <= set(figures)
