"""What the record costs: time a study spends telling it, and how fast it reaches MLflow.

Question: does telling 10,000 metrics of 20 trials slow a study (limit: 1 % of its wall time), and do they reach a
sqlite file at 5,000 metrics/s? Also: what does a direct call of MLflow's client per metric cost, for comparison?

Run: ``python benchmarks/tracking/record_speed.py``. Results are in README.md beside it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from automl.storage.documents import write_document
from automl.storage.paths import StudyPaths
from automl.study.causes import Origin, OriginKind
from automl.study.trial import Measurement, Proposal
from automl.tracking.file_tracker import FileTracker
from automl.tracking.mlflow.outbox import FOLDER, Outbox
from automl.tracking.mlflow.tracker import MlflowTracker
from automl.tracking.mlflow.uri import default_tracking_uri
from automl.tracking.mlflow.writer import collect_rarely, send_all

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.automl.tracking.synthetic import make_plan, plan_of

TRIALS, EPOCHS, METRICS = 20, 100, 5
COUNT = TRIALS * EPOCHS * METRICS


def tell_runs(files: FileTracker, root: Path) -> None:
    """Append the start of a study and of 20 trials."""
    write_document(StudyPaths(root).plan_file, plan_of(root))
    files.study_started(make_plan(root), root)
    for number in range(TRIALS):
        files.trial_started(Proposal(number=number, assignment={"lr": 0.1}, origin=Origin(OriginKind.SOBOL)), root, 1)


def tell_metrics(files: FileTracker) -> list[float]:
    """Append 100 epochs of 5 metrics of 20 trials; return the seconds that each measurement took."""
    taken = []
    for number in range(TRIALS):
        for epoch in range(EPOCHS):
            values = {f"val/metric_{index}": float(number * epoch + index) for index in range(METRICS)}
            started = time.perf_counter()
            files.measured(number, Measurement(epoch=epoch, values=values))
            taken.append(time.perf_counter() - started)
    return taken


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "bench"
        # A writer that cannot reach anything: the study must not notice.
        tracker = MlflowTracker("http://127.0.0.1:9", "bench", root / FOLDER)
        files = FileTracker(StudyPaths(root), [tracker])
        tell_runs(files, root)
        runs_end = Outbox(root / FOLDER).read(0)[1]
        started = time.perf_counter()
        taken = sorted(tell_metrics(files))
        handed_over_s = time.perf_counter() - started
        tracker.close(timeout_s=0)
        print(f"handed   {COUNT} metrics in {handed_over_s:.3f} s ({COUNT / handed_over_s:,.0f} metrics/s)")
        print(f"         median {taken[len(taken) // 2] * 1e6:.0f} us, worst {taken[-1] * 1e3:.2f} ms per measurement")
        measure_sending(Outbox(root / FOLDER), runs_end, default_tracking_uri(Path(folder)))


def measure_sending(outbox: Outbox, runs_end: int, uri: str) -> None:
    """Send the starts of the runs, then the metrics, then some metrics one by one; print what each took."""
    started = time.perf_counter()
    from automl.tracking.mlflow.uploader import Uploader  # noqa: PLC0415 # what the writer process pays, not the study

    print(f"import   {time.perf_counter() - started:.1f} s (in the writer process)")
    queue = outbox.queue_file.read_bytes()
    outbox.queue_file.write_bytes(queue[:runs_end])
    uploader = Uploader(outbox, uri, "bench")
    client = uploader._connect()  # noqa: SLF001 # the tables are made outside of what is timed
    collect_rarely()  # as the writer process does
    started = time.perf_counter()
    send_all(uploader)
    print(f"sent     {TRIALS + 1} runs in {time.perf_counter() - started:.2f} s")
    outbox.queue_file.write_bytes(queue)
    started, started_cpu = time.perf_counter(), time.process_time()
    send_all(uploader)
    sent, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    print(f"sent     {COUNT} metrics in {sent:.2f} s ({COUNT / sent:,.0f} metrics/s)")
    print(f"         {cpu:.2f} s of processor time ({COUNT / cpu:,.0f} metrics/s on an idle core)")
    started = time.perf_counter()
    for step in range(200):
        client.log_metric(uploader.state.run_ids["study"], "one_by_one", step, step=step)
    print(f"one call per metric: {200 / (time.perf_counter() - started):,.0f} metrics/s")


if __name__ == "__main__":
    main()
