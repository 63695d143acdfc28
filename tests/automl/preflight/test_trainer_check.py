"""What `depth_net check` prints becomes rows."""

from __future__ import annotations

from automl.preflight.findings import Level
from automl.preflight.trainer_check import check_depth_data, read_check
from tests.automl.study.examples import make_plan

PRINTED = """dataset.train_dataset.data_sources[0]  NYUDV2  100 samples  120x160
error: dataset.val_dataset.data_sources[0].data_file
  found     annotation file v.txt: 2 of 9 lines cannot be used
  line 3: image not found: x.png
  expected  lines whose files exist
  fix       correct the lines
warning: dataset
  found     8 images are in both splits
  expected  none
  fix       remove them
2 findings, 1 of them errors
"""


def test_errors_and_warnings_keep_place_words_and_fix() -> None:
    fact, error, warning = read_check(PRINTED)

    assert (fact.check, fact.found) == (
        "depth data: dataset.train_dataset.data_sources[0]",
        "NYUDV2 100 samples 120x160",
    )
    assert (fact.level, error.level, warning.level) == (Level.OK, Level.FAIL, Level.WARN)
    assert error.check == "depth data: dataset.val_dataset.data_sources[0].data_file"
    assert error.found == "annotation file v.txt: 2 of 9 lines cannot be used; line 3: image not found: x.png"
    assert (error.expected, error.fix) == ("lines whose files exist", "correct the lines")


def test_every_source_is_shown() -> None:
    train, val = read_check("train  NYUDV2  100 samples\nval  KITTI  7 samples\n0 findings, 0 of them errors\n")

    assert (train.level, train.found) == (Level.OK, "NYUDV2 100 samples")
    assert (val.level, val.found) == (Level.OK, "KITTI 7 samples")


def test_a_check_that_ended_in_a_traceback_stops_a_run() -> None:
    (row,) = read_check("", "Traceback (most recent call last):\nMemoryError: 40000 x 40000\n")

    assert (row.level, row.found) == (Level.FAIL, "not checked: MemoryError: 40000 x 40000")


def test_a_check_that_refuses_the_spec_has_a_row_for_each_problem() -> None:
    refused = (
        "20:25:14 ERROR   2 problems in the spec spec.yaml\n\n"
        "dataset.max_depth\n  found     -4\n  expected  a number greater than 0\n  fix       use such a number\n\n"
        "train.optim.lr\n  found     'x'\n  expected  a number\n  fix       write a number\n"
    )

    first, second = read_check("", refused)

    assert (first.check, first.level, first.found) == ("depth data: dataset.max_depth", Level.FAIL, "-4")
    assert (first.expected, first.fix) == ("a number greater than 0", "use such a number")
    assert (second.check, second.found, second.fix) == ("depth data: train.optim.lr", "'x'", "write a number")


def test_a_trainer_that_knows_no_check_is_only_doubted() -> None:
    (row,) = read_check("", "depth_net: error: argument ACTION: invalid choice: 'check'\n")

    assert row.level is Level.WARN
    assert "invalid choice" in row.found


def test_trainers_of_other_models_are_not_asked() -> None:
    assert check_depth_data(make_plan()) == []
