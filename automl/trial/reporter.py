"""What a running trial reports, at a rate that a study can take: at most so many reports a second, and what is held.

A trainer may write a million lines a second. Its epochs and their last values all count; what is written between them
only as far as there is time to record it. Nothing is left out without a notice, and each notice is given once. Its end
is no exception: what is held then is handed on at the same rate, for some seconds at most.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from automl.storage.paths import AttemptPaths
from automl.storage.trainer_files import can_open, refusals
from automl.study.trial import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REPORTS_PER_S = 50
"""Reports of one trial; one of many metrics counts as several, each of `_METRICS_OF_A_REPORT`."""
_METRICS_OF_A_REPORT = 1000
_MOST_HELD = 200
_MOST_NOTICES = 20

_THINNED = (
    f"it reports more than {REPORTS_PER_S} times a second: of values that an epoch reports again only the last are"
    " recorded"
)
_DROPPED = f"it reports epochs faster than they can be recorded: of those that waited only the last {_MOST_HELD} are"


@dataclass(slots=True)
class Reporter:
    """Hands on the measurements of one trial; what comes too fast is held and joined by epochs.

    Attributes:
        report: Gets what is handed on, in the order in which it was measured.
        directory: Of the trial; a file of it that is refused becomes a notice.
    """

    report: Callable[[Measurement], None]
    directory: Path
    _held: dict[int | None, Measurement] = field(default_factory=dict)
    # When what counts for the rate was handed on, within the last second.
    _sent_s: deque[float] = field(default_factory=deque)
    _noticed: set[str] = field(default_factory=set)

    def add(self, measurement: Measurement) -> bool:
        """Take a measurement, which is handed on now or held; return whether anything was handed on."""
        if measurement.notice:
            self.notice(measurement.notice)
            measurement = replace(measurement, notice="")
        held = self._held.get(measurement.epoch)
        if held is not None and not _agree(held, measurement):
            self.notice(_THINNED)
        self._held[measurement.epoch] = measurement if held is None else _joined(held, measurement)
        if len(self._held) > _MOST_HELD:
            self.notice(_DROPPED)
            del self._held[next(iter(self._held))]
        return self.tick()

    def tick(self) -> bool:
        """Hand on as much as may be handed on by now; return whether there was anything."""
        for text in refusals(self.directory):
            self.notice(text)
        is_ready = bool(self._held) and self._wait_s() <= 0
        while self._held and self._wait_s() <= 0:
            self._hand_on()
        return is_ready

    def finish(self) -> None:
        """Hand on all that is held, and name the pictures that report and record are going to leave out."""
        for panel in AttemptPaths(self.directory).panels():
            can_open(self.directory, panel)
        self.tick()
        while self._held:
            time.sleep(max(0.0, self._wait_s()))
            self.tick()

    def _wait_s(self) -> float:
        """Return in how many seconds something may be handed on."""
        now_s = time.monotonic()
        while self._sent_s and self._sent_s[0] + 1 <= now_s:
            self._sent_s.popleft()
        excess = len(self._sent_s) - REPORTS_PER_S
        return self._sent_s[excess] + 1 - now_s if excess >= 0 else 0.0

    def _hand_on(self) -> None:
        measurement = self._held.pop(next(iter(self._held)))
        self._sent_s.extend([time.monotonic()] * (1 + len(measurement.values) // _METRICS_OF_A_REPORT))
        self.report(measurement)

    def notice(self, text: str) -> None:
        """Hand on what was refused or left out, once."""
        if text not in self._noticed and len(self._noticed) < _MOST_NOTICES:
            self._noticed.add(text)
            self.report(Measurement(notice=text))


def _agree(held: Measurement, later: Measurement) -> bool:
    """Tell whether nothing is lost when two measurements of an epoch are joined."""
    known, added = {**held.values, **held.nonfinite}, {**later.values, **later.nonfinite}
    is_same = all(known.get(name, value) == value for name, value in added.items())
    return not added or (is_same and held.step in {later.step, None})


def _joined(held: Measurement, later: Measurement) -> Measurement:
    values = {name: value for name, value in held.values.items() if name not in later.nonfinite}
    nonfinite = {name: word for name, word in held.nonfinite.items() if name not in later.values}
    return replace(
        later,
        step=held.step if later.step is None else later.step,
        values={**values, **later.values},
        nonfinite={**nonfinite, **later.nonfinite},
        max_epochs=later.max_epochs or held.max_epochs,
    )
