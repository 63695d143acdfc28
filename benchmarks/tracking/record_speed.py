"""What the record costs: the time in which a study appends its events, and how fast they reach MLflow.

Question: does appending 10,000 metrics of 20 trials slow a study (limit: 1 % of its wall time), and do they reach a
sqlite file at 5,000 metrics/s? Also: what does a direct call of MLflow's client per metric cost, for comparison?

Run: ``python benchmarks/tracking/record_speed.py``. Results are in README.md beside it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from automl.storage.event_log import EventLog
from automl.storage.paths import StudyPaths
from automl.study.events import Measured
from automl.tracking.mlflow.folder import MlflowFolder
from automl.tracking.mlflow.uri import default_tracking_uri
from automl.tracking.mlflow.writer import collect_rarely

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.automl.study.examples import study_started
from tests.automl.tracking.mlflow.events import append, trial_started

if TYPE_CHECKING:
    from automl.tracking.mlflow.uploader import Uploader

TRIALS, EPOCHS, METRICS = 20, 100, 5
COUNT = TRIALS * EPOCHS * METRICS


def append_metrics(log: EventLog) -> list[float]:
    """Append 100 epochs of 5 metrics of 20 trials; return the seconds that each measurement took."""
    taken = []
    for number in range(TRIALS):
        for epoch in range(EPOCHS):
            values = {f"val/metric_{index}": float(number * epoch + index) for index in range(METRICS)}
            started = time.perf_counter()
            log.append(Measured(trial=number, epoch=epoch, step=None, max_epochs=None, values=values))
            taken.append(time.perf_counter() - started)
    return taken


def send_all(uploader: Uploader) -> None:
    """Send everything that the log holds now."""
    while uploader.send_pending():
        pass


def main() -> None:
    """Append the starts of the runs and send them, then the metrics, then some metrics one by one; print the times."""
    with tempfile.TemporaryDirectory() as folder:
        study = append(
            StudyPaths(Path(folder) / "bench"), study_started(), *(trial_started(n, lr=0.1) for n in range(TRIALS))
        )
        started = time.perf_counter()
        from automl.tracking.mlflow.uploader import Uploader  # noqa: PLC0415 # what the writer process pays

        print(f"import    {time.perf_counter() - started:.1f} s (in the writer process)")
        uploader = Uploader(MlflowFolder(study), default_tracking_uri(Path(folder)), "bench")
        client = uploader.connect()  # the tables are made outside of what is timed
        collect_rarely()  # as the writer process does
        started = time.perf_counter()
        send_all(uploader)
        print(f"sent      {TRIALS + 1} runs in {time.perf_counter() - started:.2f} s")
        started = time.perf_counter()
        taken = sorted(append_metrics(EventLog(study.events_file)))
        appended = time.perf_counter() - started
        print(f"appended  {COUNT} metrics in {appended:.3f} s ({COUNT / appended:,.0f} metrics/s)")
        print(f"          median {taken[len(taken) // 2] * 1e6:.0f} us, worst {taken[-1] * 1e3:.2f} ms a measurement")
        started, started_cpu = time.perf_counter(), time.process_time()
        send_all(uploader)
        sent, cpu = time.perf_counter() - started, time.process_time() - started_cpu
        print(f"sent      {COUNT} metrics in {sent:.2f} s ({COUNT / sent:,.0f} metrics/s)")
        print(f"          {cpu:.2f} s of processor time ({COUNT / cpu:,.0f} metrics/s on an idle core)")
        started = time.perf_counter()
        for step in range(200):
            client.log_metric(uploader.state.run_ids["study"], "one_by_one", step, step=step)
        print(f"one call per metric: {200 / (time.perf_counter() - started):,.0f} metrics/s")


if __name__ == "__main__":
    main()
