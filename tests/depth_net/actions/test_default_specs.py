from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from depth_net.actions.default_specs import ACTIONS, default_spec, run
from depth_net.spec import load_spec

if TYPE_CHECKING:
    from pathlib import Path


def test_every_action_has_a_file_that_loads(tmp_path: Path) -> None:
    files = run(tmp_path)

    assert [path.stem for path in files] == list(ACTIONS)
    for path in files:
        if path.stem != "convert":
            load_spec(path)


def test_a_file_that_exists_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "export.yaml").write_text("mine", encoding="utf-8")

    with pytest.raises(FileExistsError, match=r"export\.yaml"):
        run(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["export.yaml"]


def test_each_spec_has_what_is_shared_and_the_section_of_its_action() -> None:
    assert {"dataset", "model", "export"} <= default_spec("export").keys()
    assert "train" not in default_spec("export")
