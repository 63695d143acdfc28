"""One plug-in of each kind, each as small as it can be."""

import dataclasses
import tomllib

from scipy.stats import qmc

from automl.launch.command import find_program
from automl.launch.local import LocalLauncher
from automl.readers.metric_format import MetricFormat
from automl.samplers.sampler import Candidate, Sampler
from automl.schedulers.base import Scheduler
from automl.study.causes import Origin, OriginKind
from automl.study.trial import Measurement
from automl.tracking.base import Tracker


class HaltonSampler(Sampler):
    """Point ``number`` of a scrambled Halton sequence."""

    def propose(self, history, number):
        del history  # it does not learn from it
        paths = self._space.paths
        point = qmc.Halton(max(len(paths), 1), scramble=True, rng=self._seed).random(number + 1)[number]
        assignment = self._space.from_unit(dict(zip(paths, point.tolist(), strict=False)))
        return Candidate(assignment, Origin(OriginKind.PLUGIN, detail="halton"))


class HopelessScheduler(Scheduler):
    """Stops a trial that is worse than half of the best value so far, once it has had its grace."""

    def __init__(self, grace=1):
        super().__init__(grace)
        self._tops = {}

    def _reason(self, report):
        own = self._tops[report.trial] = max(report.value, self._tops.get(report.trial, report.value))
        best = max(self._tops.values())
        return f"{self.shown(own)} is below half of the best, {self.shown(best)}" if own < best / 2 else ""


class NiceLauncher(LocalLauncher):
    """Starts trials in this environment with a low priority."""

    def launch(self, request):
        program = str(find_program(request.command[0]))  # nice would not say that there is none
        command = ("nice", "-n", "10", program, *request.command[1:])
        return super().launch(dataclasses.replace(request, command=command))


class TallyTracker(Tracker):
    """Keeps how many events of each kind a study has had, in tally.txt."""

    def open(self, study):
        self._counts, self._file = {}, study.root / "tally.txt"

    def record(self, entry):
        self._counts[entry.event.kind] = self._counts.get(entry.event.kind, 0) + 1

    def close(self):
        lines = [f"{kind} {count}\n" for kind, count in sorted(self._counts.items())]
        self._file.write_text("".join(lines), encoding="utf-8")


class HistoryFormat(MetricFormat):
    """Reads history.toml: a table [[epoch]] for each epoch, with its metrics."""

    patterns = ("history.toml",)

    def read(self, text):
        try:
            epochs = tomllib.loads(text).get("epoch", [])
        except tomllib.TOMLDecodeError:
            return []
        rows = enumerate(epochs) if isinstance(epochs, list) else ()
        return [Measurement(epoch=number, values=dict(row)) for number, row in rows if isinstance(row, dict)]
