"""What every scheduler must do. Subclass it and name the scheduler."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar

import pytest

from automl.schedulers.base import Action, Report
from automl.schedulers.registry import make_scheduler
from automl.study.objectives import Direction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.schedulers.base import Decision, Scheduler

EPOCHS = 27


def reports_of(trials: int, seed: int = 0, workers: int = 3) -> list[Report]:
    """Return reports of trials of very different quality, in the order in which several workers make them."""
    source = random.Random(seed)  # noqa: S311 - reproducible test data
    quality = [source.random() for _ in range(trials)]
    waiting = list(range(trials))
    running: list[int] = []
    made: list[Report] = []
    epoch_of = [0] * trials
    while waiting or running:
        while waiting and len(running) < workers:
            running.append(waiting.pop(0))
        trial = source.choice(running)
        epoch = epoch_of[trial]
        value = quality[trial] * (1 - 0.8 ** (epoch + 1)) + 0.01 * source.random()
        made.append(Report(trial=trial, epoch=epoch, value=value))
        epoch_of[trial] += 1
        if epoch_of[trial] == EPOCHS:
            running.remove(trial)
    return made


class SchedulerContract:
    """The abstract suite."""

    name: ClassVar[str]
    stops: ClassVar[bool] = True
    options: ClassVar[Mapping[str, object]] = {}
    can_pause: ClassVar[bool] = False

    def make(self, trials: int = 24, **options: object) -> Scheduler:
        chosen = {**self.options, **options}
        return make_scheduler(self.name, max_epochs=EPOCHS, trials=trials, options=chosen, can_pause=self.can_pause)

    def decisions(self, scheduler: Scheduler, reports: list[Report]) -> list[Decision]:
        return [scheduler.decide(report) for report in reports]

    def test_a_replay_of_the_same_reports_gives_the_same_decisions(self) -> None:
        reports = reports_of(24)

        assert self.decisions(self.make(), reports) == self.decisions(self.make(), reports)

    def test_a_later_report_cannot_flip_an_earlier_decision(self) -> None:
        reports = reports_of(24)
        whole = self.decisions(self.make(), reports)

        for length in (20, 100, 300):
            scheduler = self.make()
            assert self.decisions(scheduler, reports[:length]) == whole[:length]
            assert self.decisions(scheduler, reports[:length]) == whole[:length]
            assert self.decisions(scheduler, reports[length:]) == whole[length:]

    def test_nothing_is_stopped_within_the_grace_or_the_warm_up(self) -> None:
        scheduler = self.make(grace_epochs=4, warmup_epochs=9)

        early = [scheduler.decide(report) for report in reports_of(24) if report.epoch + 1 < 9]

        assert {decision.action for decision in early} == {Action.CONTINUE}

    def test_the_best_trial_is_never_stopped(self) -> None:
        scheduler = self.make()
        reports = reports_of(24, workers=24)
        finals = {r.trial: r.value for r in reports}
        best = max(finals, key=lambda trial: finals[trial])

        decisions = [scheduler.decide(report) for report in reports]

        stopped = {r.trial for r, v in zip(reports, decisions, strict=True) if v.action is Action.STOP}
        assert best not in stopped

    def test_bad_trials_are_stopped_with_a_reason(self) -> None:
        decisions = self.decisions(self.make(), reports_of(24))

        stops = [v for v in decisions if v.action is Action.STOP]
        assert bool(stops) == self.stops
        assert all(v.reason for v in stops)
        assert not any(v.reason for v in decisions if v.action is Action.CONTINUE)

    def test_a_stopped_trial_stays_stopped(self) -> None:
        scheduler = self.make()
        reports = reports_of(24)
        decisions = self.decisions(scheduler, reports)
        stopped = {r.trial for r, v in zip(reports, decisions, strict=True) if v.action is Action.STOP}

        late = [scheduler.decide(Report(trial=trial, epoch=EPOCHS, value=99.0)) for trial in stopped]

        assert {v.action for v in late} <= {Action.STOP}

    def test_values_in_reasons_are_shown_as_they_were_measured(self) -> None:
        scheduler = make_scheduler(
            self.name,
            max_epochs=EPOCHS,
            trials=24,
            options=self.options,
            direction=Direction.MINIMIZE,
            can_pause=self.can_pause,
        )
        minimised = [Report(trial=r.trial, epoch=r.epoch, value=r.value - 5.0) for r in reports_of(24)]

        reasons = [v.reason for v in self.decisions(scheduler, minimised) if v.reason]

        assert not any("-" in reason for reason in reasons)

    @pytest.mark.parametrize("max_epochs", [None, 1, 2])
    def test_short_and_endless_trainings_are_decided_too(self, max_epochs: int | None) -> None:
        scheduler = make_scheduler(
            self.name, max_epochs=max_epochs, trials=3, options=self.options, can_pause=self.can_pause
        )

        decision = scheduler.decide(Report(trial=0, epoch=0, value=0.5))

        assert decision.action is not Action.STOP
