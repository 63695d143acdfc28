"""What a running trial has measured so far, and whether it has diverged. Pure: no files, no processes, no clock.

Divergence: only the training loss and the objective are watched. A validation loss may be NaN while training is healthy
(relative depth data), and a trainer's exit status proves nothing: it is 0 with NaN losses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from automl.readers.log_lines import BY_LOG
from automl.readers.names import find_name
from automl.study.objectives import LAST_EPOCH, Direction
from automl.trial.failures import DIVERGED_CODE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from automl.study.trial import Measurement
    from automl.trial.watch import TrialWatch

# A loss that grows to a thousand times the largest one of its first epochs does not come back.
EXPLOSION_FACTOR = 1e3
# Any loss of this size is an explosion, also in the first report.
ABSURD_LOSS = 1e12

MOST_EPOCHS = 10_000
"""So many epochs of a trial are kept; of more, every second one and the best."""
_MOST_NAMES = 50_000
_MOST_VALUES = 200_000
_KEPT_WHOLE = 10
"""With more values in all, every metric is kept of so many of the epochs that were the best in their time."""

# Of a trainer that reports every step, the first epochs are within so many reports.
_LONGEST_HISTORY = 500


@dataclass(slots=True)
class TrialHistory:
    """The measurements of one attempt of a trial, by epoch.

    Attributes:
        watch: What is looked at: the objective, the training losses and the rule about them.
        max_epochs: Epochs of a full run, where known.
        names: Every metric that was reported, as the trainer spells it.
        failure_line: The trainer's last failure line; None if it has gone on after it.
        last_epoch: The latest epoch that was reported.
        is_thinned: It has more epochs than are kept.
    """

    watch: TrialWatch
    max_epochs: int | None = field(init=False)
    names: set[str] = field(default_factory=set)
    failure_line: Measurement | None = None
    _by_epoch: dict[int, dict[str, float]] = field(default_factory=dict)
    _curve: dict[int, float] = field(default_factory=dict)
    last_epoch: int | None = None
    is_thinned: bool = False
    _forgotten: int = 0
    _values: int = 0
    # The largest value of each metric in the first reports of a training loss, whatever its sign.
    _largest: dict[str, float] = field(default_factory=dict)
    _loss_reports: int = 0

    def __post_init__(self) -> None:
        self.max_epochs = self.watch.max_epochs

    @property
    def objective(self) -> str:
        """Name of the primary objective."""
        return self.watch.objective.metric

    def named(self, measurement: Measurement) -> Measurement:
        """Return the measurement with the objective under the name it was asked for, where it has it under another."""
        if not self.needs_metric:
            return self._with_epoch(measurement)
        if self.objective in measurement.values or not (measurement.values or measurement.nonfinite):
            return measurement
        values, nonfinite = dict(measurement.values), dict(measurement.nonfinite)
        if (alias := find_name(values, self.objective)) is not None:
            values.setdefault(self.objective, values[alias])
        elif (alias := find_name(nonfinite, self.objective)) is not None:
            nonfinite.setdefault(self.objective, nonfinite[alias])
        return replace(measurement, values=values, nonfinite=nonfinite)

    def _with_epoch(self, measurement: Measurement) -> Measurement:
        """Return the measurement with its epoch as the objective: one training without a metric."""
        if measurement.epoch is None:
            return measurement
        return replace(measurement, values={**measurement.values, self.objective: float(measurement.epoch)})

    @property
    def needs_metric(self) -> bool:
        """The trainer has to report the objective; it need not where the last epoch counts."""
        return self.objective != LAST_EPOCH.metric

    def end_at(self, epoch: int | None) -> None:
        """Let a training without a metric end at the epoch of its last checkpoint, whatever it reported."""
        if epoch is not None:
            self.cut_after(epoch)
        if not self._curve:
            self._curve[epoch or 0] = float(epoch or 0)

    def observe(self, measurement: Measurement) -> str | None:
        """Take one measurement over, already `named`; return why the trial has diverged, None while it is healthy."""
        if measurement.message or measurement.failure_code or measurement.values:
            is_known = self.failure_line is not None and measurement.failure_code == BY_LOG
            self.failure_line = self.failure_line if is_known else measurement if measurement.is_failure else None
        self.max_epochs = measurement.max_epochs or self.max_epochs
        if len(self.names) < _MOST_NAMES:
            self.names |= set(measurement.values) | set(measurement.nonfinite)
        if measurement.epoch is not None:
            self.last_epoch = max(measurement.epoch, self.last_epoch or 0)
        if (reason := self._divergence(measurement)) is not None:
            return reason
        self._keep(measurement)
        return None

    def recall(self, measurements: Iterable[Measurement]) -> None:
        """Take over what earlier attempts of the trial measured; they were healthy as far as they are continued."""
        for measurement in measurements:
            self._keep(self.named(measurement))

    def cut_after(self, epoch: int) -> None:
        """Forget the epochs after one: they were measured after the decision to stop there."""
        self._by_epoch = {at: values for at, values in self._by_epoch.items() if at <= epoch}
        self._curve = {at: value for at, value in self._curve.items() if at <= epoch}
        self.last_epoch = min(self.last_epoch, epoch) if self.last_epoch is not None else None

    @property
    def curve(self) -> tuple[tuple[int, float], ...]:
        """(epoch, objective), in order of epochs."""
        return tuple(sorted(self._curve.items()))

    @property
    def epochs(self) -> int:
        """Epochs that reported something."""
        return len(self._by_epoch) + self._forgotten

    @property
    def best_epoch(self) -> int | None:
        """The epoch of the best objective, the earliest of equals; None without an objective."""
        if not self._curve:
            return None
        sign = -1.0 if self.watch.objective.direction is Direction.MAXIMIZE else 1.0
        return min(self._curve, key=lambda epoch: (sign * self._curve[epoch], epoch))

    @property
    def has_all_epochs(self) -> bool:
        """The objective of the last epoch of a full run was measured."""
        return self.max_epochs is not None and self.max_epochs - 1 in self._curve

    def values_at(self, epoch: int) -> dict[str, float]:
        """Return every metric of an epoch, the objective under the name it was asked for."""
        return {**self._by_epoch.get(epoch, {}), self.objective: self._curve[epoch]}

    def _keep(self, measurement: Measurement) -> None:
        if not measurement.values:
            return
        epoch = measurement.epoch
        if epoch is None:
            # Written once, at the end: it belongs to the last epoch, and adds nothing where there is a curve.
            if self.last_epoch is None and self.objective not in measurement.values:
                return
            epoch = self.last_epoch if self.last_epoch is not None else max((self.max_epochs or 1) - 1, 0)
            if self._curve and self.objective in measurement.values:
                return
        self._by_epoch.setdefault(epoch, {}).update(measurement.values)
        self._values += len(measurement.values)
        if (value := measurement.values.get(self.objective)) is not None:
            self._curve[epoch] = value
        if len(self._by_epoch) > MOST_EPOCHS:
            self._thin()
        if self._values > _MOST_VALUES:
            self._forget_values()

    def _thin(self) -> None:
        """Forget every second epoch, but not the first, the last and the best one."""
        self.is_thinned = True
        epochs = sorted(self._by_epoch)
        gone = {*epochs[1:-1:2]} - {self.best_epoch}
        self._forgotten += len(gone)
        self._by_epoch = {epoch: values for epoch, values in self._by_epoch.items() if epoch not in gone}
        self._curve = {epoch: value for epoch, value in self._curve.items() if epoch not in gone}

    def _forget_values(self) -> None:
        """Forget all metrics but of the last epochs that were the best so far, and of the last one.

        The end of a trial may be decided at an earlier epoch than its last (`cut_after`).
        """
        sign = -1.0 if self.watch.objective.direction is Direction.MAXIMIZE else 1.0
        best, records = math.inf, list[int]()
        for epoch, value in sorted(self._curve.items()):
            if sign * value < best:
                best = sign * value
                records.append(epoch)
        kept = {*records[-_KEPT_WHOLE:], max(self._by_epoch)}
        self._by_epoch = {epoch: values if epoch in kept else {} for epoch, values in self._by_epoch.items()}
        self._values = sum(map(len, self._by_epoch.values()))
        # Of very many metrics fewer epochs: else each further one would come here.
        for epoch in sorted(kept)[:-2]:
            if self._values > _MOST_VALUES // 2:
                self._values -= len(self._by_epoch[epoch])
                self._by_epoch[epoch] = {}

    def _divergence(self, measurement: Measurement) -> str | None:
        if measurement.failure_code == DIVERGED_CODE:
            # The trainer reports it itself, and would take seconds to clean up: there is nothing to wait for.
            return measurement.message or DIVERGED_CODE
        reported = (*measurement.values, *measurement.nonfinite)
        losses = [name for watched in self.watch.watched if (name := find_name(reported, watched)) is not None]
        when = "before the first epoch" if measurement.epoch is None else f"in epoch {measurement.epoch + 1}"
        for name in (*losses, self.objective):
            if name in measurement.nonfinite:
                return f"{name} is {measurement.nonfinite[name]} {when}"
        finite = [name for name in losses if name in measurement.values]
        reasons = (self._explosion(name, measurement.values[name]) for name in finite if name != self.objective)
        reason = next((reason for reason in reasons if reason is not None), None) if self.watch.explosion else None
        if finite and self._loss_reports < _LONGEST_HISTORY:
            self._loss_reports += 1
            for name, value in measurement.values.items():
                self._largest[name] = max(abs(value), self._largest.get(name, 0.0))
        return None if reason is None else f"{reason} {when}"

    def _explosion(self, name: str, value: float) -> str | None:
        if abs(value) >= ABSURD_LOSS:
            return f"{name} is {value:.3g}"
        earlier = self._largest.get(name)
        if earlier is not None and value > EXPLOSION_FACTOR * max(earlier, 1e-3):
            return f"{name} grew from at most {earlier:.3g} to {value:.3g}"
        return None
