"""A study on a Ray cluster of two nodes of one CPU each: both nodes work, and the status is read from the outside."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.acceptance.command_line import automl
from tests.automl.executor.ray.local_cluster import local_cluster

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


def most_at_once(events: Path) -> int:
    running = most = 0
    for line in events.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)["event"]
        running += {"trial_started": 1, "trial_ended": -1}.get(event, 0)
        most = max(most, running)
    return most


def test_trials_fill_both_nodes_and_the_doctor_knows_them(tmp_path: Path) -> None:
    study = tmp_path / "slow.yaml"
    document = {
        "name": "slow",
        "skill": "toy",
        "scheduler": "none",
        "budget": {"trials": 4},
        "set": {"train.seconds_per_epoch": 0.2, "train.optim.lr": 0.01},
    }
    study.write_text(yaml.safe_dump(document), encoding="utf-8")
    for name in ("random", "numpy", "types", "ray", "automl"):  # where the nodes and the user stand
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a module of the working folder')\n", encoding="utf-8")
    with local_cluster(tmp_path, cpus=(1, 1)) as address:
        looked = automl("doctor", str(study), "--ray-address", address, "--json", results=tmp_path)
        done = automl("run", str(study), "--ray-address", address, "--json", results=tmp_path)
        status = automl("status", str(tmp_path / "slow"), "--json", results=tmp_path)
        log = automl("logs", str(tmp_path / "slow"), "3", results=tmp_path)

    assert looked.status == 0, looked.out
    assert any(row["check"] == "node" for row in looked.document["rows"])
    assert done.status == 0, done.err
    assert [trial["state"] for trial in status.document["trials"]] == ["COMPLETED"] * 4
    assert (log.status, "epoch" in log.out) == (0, True), log.out
    # Each node has one CPU, so two trials at once are on two nodes.
    assert most_at_once(tmp_path / "slow" / "events.jsonl") == 2


@pytest.mark.skipif(os.getuid() != 0, reason="only root may hide a folder from a process")
def test_what_one_of_two_equal_nodes_does_not_see_ends_a_run_before_anything_is_made(tmp_path: Path) -> None:
    here = tmp_path / "only-here"
    here.mkdir()
    data = here / "weights.pth"
    data.write_bytes(b"\x80\x02" + bytes(2000))
    words = ("toy/quick", "--set", f"train.resume_training_checkpoint_path={data}")
    with local_cluster(tmp_path, cpus=(1, 1), hidden=here) as address:
        done = automl("run", *words, "--ray-address", address, "--yes", results=here)

    said = " ".join(done.err.split())
    assert done.status == 2, done.err
    assert f"{here} is another folder there than here" in said
    assert f"{data}: No such file or directory" in said
    assert [file.name for file in here.iterdir()] == ["weights.pth"]


def test_an_address_where_nothing_listens_ends_before_anything_is_made(tmp_path: Path) -> None:
    done = automl("run", "toy/quick", "--ray-address", "127.0.0.1:1", results=tmp_path)

    assert done.status == 2, done.err
    assert "ray start --head" in done.err
    assert list(tmp_path.iterdir()) == []
