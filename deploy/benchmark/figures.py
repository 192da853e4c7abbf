"""What a figure is, and how one comes from rounds: by the median, with its spread beside it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure as `--json` tells it; `spread` is the smallest and the largest of its rounds."""

    value: float
    unit: str
    compared_with: str
    rounds: int
    spread: tuple[float, float] | None = None


def median(found: Sequence[float], unit: str, compared_with: str) -> Figure:
    """The figure of several rounds."""
    return Figure(statistics.median(found), unit, compared_with, len(found), (min(found), max(found)))
