"""A console script names the extra that it needs; what of it is not installed is known without starting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.launch.extras import MissingExtra, missing_extra

if TYPE_CHECKING:
    from pathlib import Path

METADATA = """\
Metadata-Version: 2.4
Name: some-trainer
Version: 1.0
Requires-Dist: click
Provides-Extra: gpu
Requires-Dist: pytest; extra == 'gpu'
Requires-Dist: no-such-library>=2; extra == 'gpu'
"""


@pytest.mark.parametrize(
    ("extra", "missing"),
    [(" [gpu]", MissingExtra("some-trainer[gpu]", ("no-such-library",))), ("", None)],
)
def test_only_what_the_script_names_and_is_not_there_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: str, missing: MissingExtra | None
) -> None:
    folder = tmp_path / "some_trainer-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(METADATA, encoding="utf-8")
    text = f"[console_scripts]\nsome-trainer = some_trainer:main{extra}\n"
    (folder / "entry_points.txt").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert missing_extra("some-trainer") == missing


def test_a_program_that_is_no_console_script_needs_no_extra() -> None:
    assert missing_extra("python3") is None
