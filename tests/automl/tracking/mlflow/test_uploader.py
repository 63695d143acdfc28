"""What a server refuses for good is set aside; everything else gets through."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from automl.tracking.mlflow.outbox import Outbox
from automl.tracking.mlflow.projection import Upload, UploadKind
from automl.tracking.mlflow.uri import default_tracking_uri
from automl.tracking.mlflow.writer import send_all

if TYPE_CHECKING:
    from pathlib import Path

    from automl.tracking.mlflow.uploader import Uploader

pytestmark = pytest.mark.filterwarnings("default")  # MLflow's own imports warn


def run(key: str, parent: str | None = None) -> Upload:
    return Upload(UploadKind.RUN, key, {"name": key, "parent": parent, "start_ms": 1000, "tags": {"automl.kind": "t"}})


def metrics(key: str, step: int, **values: float) -> Upload:
    return Upload(UploadKind.METRICS, key, {"values": values, "step": step, "time_ms": 2000 + step})


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return default_tracking_uri(tmp_path_factory.mktemp("results"))


def sender(spool: Outbox, uri: str) -> Uploader:
    from automl.tracking.mlflow.uploader import Uploader  # noqa: PLC0415 # heavy

    return Uploader(spool, uri, "demo")


def test_one_refused_entry_does_not_hold_up_the_others(tmp_path: Path, uri: str) -> None:
    spool = Outbox(tmp_path / "spool")
    bad = Upload(UploadKind.PARAMETERS, "study", {"values": {"refused@name": "1"}})
    spool.append([run("study"), metrics("study", 0, loss=1.0), bad, metrics("study", 1, loss=0.5)])

    one = sender(spool, uri)
    send_all(one)

    rejected = [json.loads(line) for line in (spool.root / "rejected.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(entry["kind"], "refused@name" in entry["reason"]) for entry in rejected] == [("parameters", True)]
    history = one._connect().get_metric_history(one.state.run_ids["study"], "loss")  # noqa: SLF001 # its client
    assert [point.value for point in history] == [1.0, 0.5]


def test_a_crash_between_making_a_run_and_noting_it_makes_no_second_run(tmp_path: Path, uri: str) -> None:
    spool = Outbox(tmp_path / "spool")
    spool.append([run("study"), run("0000", "study")])
    first = sender(spool, uri)
    send_all(first)
    for file in spool.root.glob("sent-*.json"):
        file.unlink()

    second = sender(spool, uri)
    send_all(second)

    assert second.state.run_ids == first.state.run_ids


def test_more_metrics_than_one_request_may_hold_are_all_sent_once(tmp_path: Path, uri: str) -> None:
    spool = Outbox(tmp_path / "spool")
    spool.append([run("study"), *(metrics("study", step, a=step, b=-step) for step in range(1200))])

    one = sender(spool, uri)
    send_all(one)

    client = one._connect()  # noqa: SLF001 # its client
    assert len(client.get_metric_history(one.state.run_ids["study"], "a")) == 1200
    assert len(client.get_metric_history(one.state.run_ids["study"], "b")) == 1200


def test_a_long_log_is_kept_by_its_end(tmp_path: Path, uri: str) -> None:
    (tmp_path / "train.log").write_text("first line\n" + "x" * 99 + "\n" + "y\n" * 50_000 + "last line\n")
    spool = Outbox(tmp_path / "spool")
    spool.append([run("study"), Upload(UploadKind.ARTIFACT, "study", {"path": "train.log", "folder": ""})])

    one = sender(spool, uri)
    send_all(one)

    folder = one._connect().download_artifacts(one.state.run_ids["study"], "train.log")  # noqa: SLF001 # its client
    with open(folder, encoding="utf-8") as stream:  # noqa: PTH123 # MLflow gives text
        text = stream.read()
    assert text.startswith("[... the last 64 KiB ...]\n")
    assert text.endswith("last line\n")
    assert "first line" not in text


def test_a_file_that_is_gone_is_set_aside(tmp_path: Path, uri: str) -> None:
    spool = Outbox(tmp_path / "spool")
    spool.append([run("study"), Upload(UploadKind.ARTIFACT, "study", {"path": "gone.yaml", "folder": ""})])

    send_all(sender(spool, uri))

    assert "the file is gone" in (spool.root / "rejected.jsonl").read_text(encoding="utf-8")
