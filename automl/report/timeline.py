"""What ran where and when: attempts of trials laid into slots, and how busy the slots were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl.report.axes import plain_axis
from automl.report.figures import COLOURS

if TYPE_CHECKING:
    from datetime import datetime

    from automl.report.study_facts import Interval, StudyFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Attempts in slots.

    Attributes:
        slots: For each slot its attempts, in order; an attempt goes into the slot that has been idle longest.
        start: When the first attempt started.
        busy_fraction: Share of slot time, from the first start to the last end, in which a trial ran.
        elapsed_s: From the first start to the last end.
    """

    slots: tuple[tuple[Interval, ...], ...]
    start: datetime
    busy_fraction: float
    elapsed_s: float


def lay_out(intervals: tuple[Interval, ...], jobs: int) -> Timeline | None:
    """Lay attempts into slots; None if nothing has run.

    Args:
        intervals: In order of their starts.
        jobs: Slots there were; more are added if more attempts overlap, as after a crash.
    """
    if not intervals:
        return None
    slots: list[list[Interval]] = [[] for _ in range(jobs)]
    for interval in intervals:
        free = [slot for slot in slots if not slot or slot[-1].end <= interval.start]
        if not free:
            slots.append([])
            free = slots[-1:]
        min(free, key=lambda slot: slot[-1].end if slot else intervals[0].start).append(interval)
    start = intervals[0].start
    elapsed_s = (max(interval.end for interval in intervals) - start).total_seconds()
    busy_s = sum((interval.end - interval.start).total_seconds() for interval in intervals)
    return Timeline(
        slots=tuple(tuple(slot) for slot in slots),
        start=start,
        busy_fraction=busy_s / (elapsed_s * len(slots)) if elapsed_s else 1.0,
        elapsed_s=elapsed_s,
    )


def timeline_figure(facts: StudyFacts, timeline: Timeline) -> dict[str, Any]:
    """Return a bar per attempt, a row per slot; gaps are idle time."""
    divisor, unit = (60.0, "minutes") if timeline.elapsed_s > 300 else (1.0, "seconds")  # noqa: PLR2004 # 5 minutes
    states = sorted({interval.state for interval in facts.intervals})
    traces = [_bars(timeline, state, divisor, unit) for state in states]
    layout = {
        "height": 130 + 34 * len(timeline.slots),
        "barmode": "overlay",
        "bargap": 0.25,
        "margin": {"l": 70, "r": 30, "t": 20, "b": 50},
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#1a202c"},
        "paper_bgcolor": "white",
        "plot_bgcolor": "#f7fafc",
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        "xaxis": plain_axis(f"{unit} since the first trial started"),
        "yaxis": plain_axis("") | {"type": "category", "autorange": "reversed"},
    }
    return {"data": traces, "layout": layout}


def _bars(timeline: Timeline, state: str, divisor: float, unit: str) -> dict[str, Any]:
    rows = [
        (f"slot {number}", interval)
        for number, slot in enumerate(timeline.slots)
        for interval in slot
        if interval.state == state
    ]
    lengths = [(i.end - i.start).total_seconds() / divisor for _, i in rows]
    return {
        "type": "bar",
        "orientation": "h",
        "name": state.lower(),
        "y": [slot for slot, _ in rows],
        "base": [(i.start - timeline.start).total_seconds() / divisor for _, i in rows],
        "x": lengths,
        "text": [str(i.trial) for _, i in rows],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "hovertext": [
            f"trial {i.trial} {state.lower()}, {length:.1f} {unit}"
            for (_, i), length in zip(rows, lengths, strict=True)
        ],
        "hoverinfo": "text",
        "marker": {"color": COLOURS.get(state, "#8a99ad"), "line": {"color": "white", "width": 1}},
    }
