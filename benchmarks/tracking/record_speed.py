"""What the record costs: time a study spends telling it, and how fast it reaches MLflow.

Question: does telling 10,000 metrics of 20 trials slow a study (limit: 1 % of its wall time), and do they reach a
sqlite file at 5,000 metrics/s? Also: what does a direct call of MLflow's client per metric cost, for comparison?

Run: ``python benchmarks/tracking/record_speed.py``. Results of 2026 are in docs/record.md.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from automl.study.trial import Measurement, Proposal
from automl.track.mlflow_tracker import MlflowTracker
from automl.track.mlflow_writer import send_all
from automl.track.spool import FOLDER, Spool
from automl.track.uri import default_tracking_uri

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.automl.track.synthetic import make_plan

TRIALS, EPOCHS, METRICS = 20, 100, 5


def tell_study(tracker: MlflowTracker, root: Path) -> list[float]:
    """Tell 20 trials of 100 epochs of 5 metrics; return the seconds that each measurement took."""
    tracker.study_started(make_plan(root), root)
    taken = []
    for number in range(TRIALS):
        tracker.trial_started(Proposal(number=number, assignment={"lr": 0.1}, origin="sobol"), root, 1)
        for epoch in range(EPOCHS):
            values = {f"val/metric_{index}": float(number * epoch + index) for index in range(METRICS)}
            started = time.perf_counter()
            tracker.measured(number, Measurement(epoch=epoch, values=values))
            taken.append(time.perf_counter() - started)
    return taken


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "bench"
        # A writer that cannot reach anything: the study must not notice.
        tracker = MlflowTracker("http://127.0.0.1:9", "bench", root / FOLDER)
        started = time.perf_counter()
        taken = sorted(tell_study(tracker, root))
        told = time.perf_counter() - started
        tracker.close(timeout_s=0)
        count = TRIALS * EPOCHS * METRICS
        print(f"told     {count} metrics in {told:.3f} s ({count / told:,.0f} metrics/s)")
        print(f"         median {taken[len(taken) // 2] * 1e6:.0f} us, worst {taken[-1] * 1e3:.2f} ms per measurement")

        started = time.perf_counter()
        from automl.track.mlflow_sender import Sender  # noqa: PLC0415 # what the writer process pays, not the study

        print(f"import   {time.perf_counter() - started:.1f} s (in the writer process)")
        sender = Sender(Spool(root / FOLDER), default_tracking_uri(Path(folder)), "bench")
        client = sender._connect()  # noqa: SLF001 # the tables are made outside of what is timed
        started, started_cpu = time.perf_counter(), time.process_time()
        send_all(sender)
        sent, cpu = time.perf_counter() - started, time.process_time() - started_cpu
        print(f"sent     {count} metrics and {TRIALS + 1} runs in {sent:.2f} s ({count / sent:,.0f} metrics/s)")
        print(f"         {cpu:.2f} s of processor time ({count / cpu:,.0f} metrics/s on an idle core)")

        started = time.perf_counter()
        for step in range(200):
            client.log_metric(sender.state.run_ids["study"], "one_by_one", step, step=step)
        print(f"one call per metric: {200 / (time.perf_counter() - started):,.0f} metrics/s")


if __name__ == "__main__":
    main()
