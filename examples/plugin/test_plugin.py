"""The suites of automl.testing on each plug-in: pytest examples/plugin, after pip install ./examples/plugin."""

import sys

from automl_plugin_example import HistoryFormat, NiceLauncher, TallyTracker

from automl.testing.launchers import ProcessLauncherContract
from automl.testing.readers import ReaderContract
from automl.testing.samplers import SearcherContract
from automl.testing.schedulers import SchedulerContract
from automl.testing.trackers import TrackerContract


class TestHalton(SearcherContract):
    sampler = "halton"


class TestHopeless(SchedulerContract):
    name = "hopeless"


class TestNice(ProcessLauncherContract):
    launcher = NiceLauncher()

    def command(self, code):
        return (sys.executable, "-S", "-E", "-c", code)


class TestTally(TrackerContract):
    def make(self):
        return TallyTracker()


class TestHistory(ReaderContract):
    text = "[[epoch]]\nval_acc = 0.5\n\n[[epoch]]\nval_acc = 0.625\n"
    expected = {0: {"val_acc": 0.5}, 1: {"val_acc": 0.625}}

    def make(self):
        return HistoryFormat()
