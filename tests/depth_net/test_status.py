from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from depth_net.status import StatusWriter
from tests.depth_net.specs import read_status

if TYPE_CHECKING:
    from pathlib import Path


def test_a_line_has_the_fields_of_the_reference_in_its_order(tmp_path: Path) -> None:
    writer = StatusWriter(tmp_path / "status.json")

    writer.running("Eval metrics generated.", kpi={"val/d1": 0.5}, data={"epoch": 0})

    line = read_status(tmp_path)[0]
    assert list(line) == ["epoch", "date", "time", "status", "verbosity", "message", "kpi"]
    assert re.fullmatch(r"[1-9]\d?/[1-9]\d?/\d{4}", line["date"])
    assert re.fullmatch(r"\d{1,2}:\d{1,2}:\d{1,2}", line["time"])
    assert (line["status"], line["verbosity"]) == ("RUNNING", "INFO")


def test_values_stay_until_others_replace_them(tmp_path: Path) -> None:
    writer = StatusWriter(tmp_path / "status.json")

    writer.started("a")
    writer.running("b", kpi={"x": 1})
    writer.running("c")
    writer.running("d", kpi={"y": 2})

    assert [line.get("kpi") for line in read_status(tmp_path)] == [None, {"x": 1.0}, {"x": 1.0}, {"y": 2.0}]


def test_values_that_are_not_finite_leave_strict_json(tmp_path: Path) -> None:
    writer = StatusWriter(tmp_path / "status.json")

    writer.running("a", kpi={"x": math.nan, "y": math.inf, "z": 1})

    line = read_status(tmp_path)[0]
    assert line["kpi"] == {"x": None, "y": None, "z": 1.0}
    assert line["kpi_nonfinite"] == {"x": "nan", "y": "inf"}


def test_warnings_and_failures_have_a_code(tmp_path: Path) -> None:
    writer = StatusWriter(tmp_path / "deep" / "status.json")

    writer.warning("careful", code="notice")
    writer.failure("it broke", code="data", data={"epoch": 3})

    warning, failure = read_status(tmp_path / "deep")
    assert (warning["status"], warning["verbosity"], warning["code"]) == ("RUNNING", "WARNING", "notice")
    assert (failure["status"], failure["verbosity"], failure["code"], failure["epoch"]) == (
        "FAILURE",
        "ERROR",
        "data",
        3,
    )


def test_each_line_can_be_read_as_soon_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_text('{"old": 1}\n', encoding="utf-8")
    writer = StatusWriter(path)

    writer.running("done")

    lines = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {"old": 1}
    assert json.loads(lines[1])["status"] == "RUNNING"


def test_later_ranks_write_nothing() -> None:
    writer = StatusWriter(None)

    writer.running("a", kpi={"x": 1})

    assert writer.path is None
