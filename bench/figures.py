"""A figure of the bench: measured against its anchor, both in the same run, and judged by their ratio."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """``value`` and ``anchor`` are in ``unit``; target: the most that their ratio may be, None to report it only."""

    name: str
    value: float
    anchor: float
    against: str
    target: float | None
    unit: str = "ms"

    @property
    def ratio(self) -> float:
        return self.value / self.anchor

    @property
    def verdict(self) -> str:
        if self.target is None:
            return "reported"
        return "met" if self.ratio <= self.target else "MISSED"


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of all is not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median_of(rounds: Sequence[dict[str, float]], name: str) -> float:
    return statistics.median(each[name] for each in rounds)


def show(figures: Sequence[Figure]) -> int:
    """Print a table, then the same as one line of JSON. Returns the exit code: 1 where a target is missed."""
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"{'measured':<46}{'':>9}{'anchor':>9}{'ratio':>8}{'target':>8}")
    for figure in figures:
        target = "" if figure.target is None else f"{figure.target:.2f}"
        print(
            f"{figure.name:<46}{figure.value:9.1f}{figure.anchor:9.1f}{figure.ratio:8.2f}{target:>8}"
            f"  {figure.verdict} ({figure.unit}; against {figure.against})"
        )
    names = ("name", "value", "anchor", "against", "target", "unit", "ratio", "verdict")
    print(json.dumps([{name: getattr(figure, name) for name in names} for figure in figures]))
    return 1 if any(figure.verdict == "MISSED" for figure in figures) else 0
