"""The report is one page that needs nothing else."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from automl.errors import ConfigurationError
from automl.html_report.page import write_report
from automl.storage.event_log import EventLog, encode, read_log
from automl.storage.paths import StudyPaths
from automl.study.events import StudyEnded, TrialEnded, TrialProposed, TrialStarted
from automl.study.trial import TrialResult, TrialState
from tests.automl.tracking.synthetic import RESULTS
from tests.automl.tracking.written_study import write_study

if TYPE_CHECKING:
    from pathlib import Path

MEGABYTE = 1_000_000


def text_of(root: Path) -> str:
    return write_report(root).read_text(encoding="utf-8")


def script(text: str, identity: str) -> str:
    found = re.search(rf'<script type="[^"]+" id="{identity}">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return found[1]


def figures(text: str) -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = json.loads(script(text, "figures"), parse_constant=pytest.fail)
    return loaded


def titles(text: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", text)


def test_the_page_is_below_five_megabytes_and_asks_nothing_of_a_network(tmp_path: Path) -> None:
    text = text_of(write_study(tmp_path / "demo").root)

    assert len(text) < 5 * MEGABYTE
    without_library = text.replace(script(text, "plotly"), "")
    assert not re.search(r"(?:src|href)=[\"'](?!data:)|@import|url\(", without_library)


def test_the_plotting_library_is_in_the_page_once_and_whole(tmp_path: Path) -> None:
    text = text_of(write_study(tmp_path / "demo").root)

    library = gzip.decompress(base64.b64decode(script(text, "plotly")))
    assert b"plotly.js v" in library[:200]


def test_every_part_of_a_study_has_its_section(tmp_path: Path) -> None:
    text = text_of(write_study(tmp_path / "demo").root)

    assert titles(text) == [
        "Result",
        "Objective history",
        "What to try next",
        "Leaderboard",
        "Learning curves",
        "Parallel coordinates",
        "Importances",
        "Slices",
        "lr against sizes[1]",
        "Timeline of slots",
        "Failures by cause",
        "Predictions of trial 4",
    ]
    assert len(figures(text)) == 6


def test_a_study_without_any_value_still_gets_a_report(tmp_path: Path) -> None:
    text = text_of(write_study(tmp_path / "demo", RESULTS[2:4]).root)

    assert "No trial has a usable value" in text
    assert "out of GPU memory" in text


def test_a_study_that_has_just_started_gets_a_report(tmp_path: Path) -> None:
    text = text_of(write_study(tmp_path / "demo", ()).root)

    assert titles(text) == ["Result", "What to try next", "Leaderboard", "Failures by cause"]


def test_what_a_trainer_wrote_cannot_become_markup(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script>"
    failed = replace(RESULTS[3], reason=hostile, log_tail=(hostile,))
    curve = replace(RESULTS[1], reason=hostile)

    text = text_of(write_study(tmp_path / "demo", (RESULTS[0], curve, RESULTS[2], failed)).root)

    assert "<script>alert" not in text
    assert text.count("</script>") == 3


def test_what_a_trainer_wrote_hides_and_turns_nothing(tmp_path: Path) -> None:
    odd = replace(RESULTS[2], reason="boo \u202e\x1b[31m\x07 a\u200bb")

    text = text_of(write_study(tmp_path / "demo", (*RESULTS[:2], odd)).root)

    assert r"boo \u202e\x1b[31m\x07 a\u200bb" in text
    assert not {"\u202e", "\x1b", "\x07", "\u200b"} & {*text}


def test_importances_that_predict_nothing_are_not_shown(tmp_path: Path) -> None:
    values = [({"val/d1": 0.5 + (n * 7 % 5) / 100}, {"train.optim.lr": 1e-3 * n}) for n in range(1, 20)]
    trials = tuple(
        replace(RESULTS[0], number=number, values=measured, assignment=assignment)
        for number, (measured, assignment) in enumerate(values, 1)
    )

    text = text_of(write_study(tmp_path / "demo", (RESULTS[0], *trials)).root)

    assert "the model predicts nothing of trials that it has not seen (R squared -" in text
    assert "share of the importance" not in text


def test_a_hundred_trials_of_a_wide_space_stay_below_five_megabytes(tmp_path: Path) -> None:
    trials = tuple(
        TrialResult(
            number=number,
            state=TrialState.COMPLETED,
            assignment={"train.optim.lr": 1e-6 * (1 + number), "model.sizes[1]": 8 + number % 50},
            directory=f"trials/{number:04d}",
            values={"val/d1": 0.5 + number / 1000},
            best_epoch=99,
            epochs=100,
            curve=tuple((epoch, epoch / 200) for epoch in range(100)),
            elapsed_s=1.0,
        )
        for number in range(100)
    )

    text = text_of(write_study(tmp_path / "demo", trials).root)

    assert len(text) < 5 * MEGABYTE
    assert "Importances" in text
    assert text.count("<tr") > 100


def test_cells_are_escaped_and_numbers_have_four_digits(tmp_path: Path) -> None:
    failed = replace(RESULTS[3], reason="<b>no</b>", assignment={"train.optim.lr": 0.123456, "model.sizes[1]": 7})

    text = text_of(write_study(tmp_path / "demo", (RESULTS[0], *RESULTS[1:3], failed)).root)

    assert "<td>&lt;b&gt;no&lt;/b&gt;</td>" in text
    assert '<td class="number">0.1235</td><td class="number">7</td>' in text
    assert '<td class="number">-</td>' in text


def test_the_page_shows_the_front_only_with_several_objectives(tmp_path: Path) -> None:
    objectives = [{"metric": "val/d1", "direction": "maximize"}, {"metric": "latency_ms", "direction": "minimize"}]
    trials = tuple(replace(t, values={**t.values, "latency_ms": 9.0}) for t in RESULTS[:2])

    several = titles(text_of(write_study(tmp_path / "several", trials, objectives=objectives).root))

    assert several[1:4] == ["Objective history", "Pareto front", "val/d1 against latency_ms"]
    assert "Pareto front" not in titles(text_of(write_study(tmp_path / "one").root))


def test_a_front_without_a_trial_is_said_and_not_drawn(tmp_path: Path) -> None:
    objectives = [{"metric": "val/d1", "direction": "maximize"}, {"metric": "latency_ms", "direction": "minimize"}]

    text = text_of(write_study(tmp_path / "demo", RESULTS[:2], objectives=objectives).root)

    assert "No trial has a value of every objective." in text
    assert "val/d1 against latency_ms" not in titles(text)


def test_a_slot_that_never_ran_anything_counts_as_idle(tmp_path: Path) -> None:
    root = write_study(tmp_path / "demo", RESULTS[:1]).root
    file, start = StudyPaths(root).events_file, datetime(2026, 1, 1, tzinfo=UTC)
    kinds = (TrialProposed, TrialStarted, TrialEnded)
    events = [entry.event for entry in read_log(file) if isinstance(entry.event, kinds)]
    seconds = {TrialProposed: 0, TrialStarted: 0, TrialEnded: 10}
    lines = [encode(event, start + timedelta(seconds=seconds[type(event)])) for event in events]
    file.write_bytes(b"".join(lines))

    assert "2 slots, 10.0 s, busy 50% of the time, idle 50%." in text_of(root)


def test_the_predictions_are_those_of_the_best_epoch(tmp_path: Path) -> None:
    directory = write_study(tmp_path / "demo")
    folder = directory.root / RESULTS[4].directory / "train/panels"
    folder.mkdir(parents=True)
    for epoch in range(3):
        (folder / f"epoch_{epoch:03d}_step_00012.png").write_bytes(b"png")

    text = text_of(directory.root)

    assert re.findall(r"<figcaption>(.*?)</figcaption>", text) == ["epoch_001_step_00012"]


def test_the_page_says_why_the_study_has_ended(tmp_path: Path) -> None:
    root = write_study(tmp_path / "study").root
    end = StudyEnded(trials=5, best_trial=0, best_value=0.5, reason="the target is reached")
    EventLog(StudyPaths(root).events_file).append(end)

    assert "<dt>ended because</dt><dd>the target is reached</dd>" in text_of(root)


def test_a_report_is_written_over_an_earlier_one_and_over_no_other_page(tmp_path: Path) -> None:
    root, page = write_study(tmp_path / "demo").root, tmp_path / "page.html"
    write_report(root, output=page)
    write_report(root, output=page)
    page.write_text("<!doctype html>", encoding="utf-8")

    with pytest.raises(ConfigurationError, match="a file that is not a report"):
        write_report(root, output=page)


def test_others_may_read_the_report(tmp_path: Path) -> None:
    assert write_report(write_study(tmp_path / "demo").root).stat().st_mode & 0o777 == 0o644


def test_a_folder_that_is_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no readable plan\.json"):
        write_report(tmp_path)


@pytest.mark.parametrize("kind", ["a named pipe", "a link to a file outside the folder of its trial"])
def test_a_picture_that_is_no_file_of_the_trial_is_left_out_and_named(tmp_path: Path, kind: str) -> None:
    directory = write_study(tmp_path / "demo")
    folder = directory.root / RESULTS[4].directory / "train/panels"
    folder.mkdir(parents=True, exist_ok=True)
    (tmp_path / "secret").write_bytes(b"the secret of this machine")
    picture = folder / "epoch_001_hostile.png"
    if kind == "a named pipe":
        os.mkfifo(picture)
    else:
        picture.symlink_to(tmp_path / "secret")

    text = text_of(directory.root)

    assert f"0004.2/train/panels/epoch_001_hostile.png was not read: it is {kind}" in text
    assert base64.b64encode(b"the secret of this machine").decode() not in text
