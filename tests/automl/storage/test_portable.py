"""What a plan says of paths inside the results folder is true wherever that folder lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.storage.portable import located, made_portable, record_of_moved, results_of_prepared

RESULTS = Path("/data/results")


@pytest.mark.parametrize("study", ["demo", "group/demo"])
def test_paths_inside_the_results_folder_move_along(study: str) -> None:
    document = {
        "spec": {"train": ["/data/results/data/train.txt", 3, None], "folder": "/data/results"},
        "uri": "sqlite:////data/results/mlflow.db",
    }

    written = made_portable(document, RESULTS / study, RESULTS)

    assert "/data" not in str(written).replace("../data", "")
    assert located(written, RESULTS / study) == document
    assert located(written, Path("/other place/b") / study) == {
        "spec": {"train": ["/other place/b/data/train.txt", 3, None], "folder": "/other place/b"},
        "uri": "sqlite:////other place/b/mlflow.db",
    }


@pytest.mark.parametrize(
    "text",
    [
        *("/data/results-2/train.txt", "/x/data/results/train.txt", "results/train.txt", "{study}s", "{study}/a/../b"),
        *("http://server/data/results/x", "python /data/results/x.py --url http://a//b", "", "sqlite:///relative.db"),
    ],
)
def test_every_other_text_stays_as_it_is(text: str) -> None:
    written = made_portable([text], RESULTS / "demo", RESULTS)

    assert written == [text]
    assert text.startswith("{study}/") or located(written, RESULTS / "demo") == [text]


def test_a_command_in_the_results_folder_keeps_every_character() -> None:
    command = "/data/results/bin/measure --url http://a//b/../c"

    written = made_portable(command, RESULTS / "demo", RESULTS)

    assert written == "{study}/../bin/measure --url http://a//b/../c"
    assert located(written, RESULTS / "demo") == command


def test_of_a_study_outside_of_the_results_folder_only_its_own_files_move_along() -> None:
    written = made_portable(["/data/results/mlflow.db", "/elsewhere/demo/x"], Path("/elsewhere/demo"), RESULTS)

    assert written == ["/data/results/mlflow.db", "{study}/x"]


def test_the_record_of_a_study_that_noted_its_absolute_path_is_found_beside_it_after_a_move(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        (folder / "demo").mkdir(parents=True)
    (old / "mlflow.db").touch()

    assert record_of_moved(f"sqlite:///{old}/mlflow.db", new / "demo") == f"sqlite:///{old}/mlflow.db"
    (old / "mlflow.db").rename(new / "mlflow.db")
    assert record_of_moved(f"sqlite:///{old}/mlflow.db", new / "demo") == f"sqlite:///{new}/mlflow.db"
    assert record_of_moved("http://server/mlflow.db", new / "demo") == "http://server/mlflow.db"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/old/results/data/rooms/a/train.txt", Path("/old/results")),
        ("/old/results/data/rooms/a/other.txt", None),
        ("/old/results/data/houses/a/train.txt", None),
        ("results/data/rooms/a/train.txt", None),
    ],
)
def test_the_results_folder_of_a_version_before_is_read_from_its_prepared_data(text: str, found: Path | None) -> None:
    data = {"train": "{prepared}/a/train.txt", "val": "/mine/val.txt"}

    assert results_of_prepared({"dataset": [{"train": text}], "val": "/mine/val.txt"}, data, "rooms") == found
