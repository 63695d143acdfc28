"""A study with a language model that stops making sense: a visible error, and no draw in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.command_line import automl
from tests.automl.samplers.fake_endpoint import KEY, FakeEndpoint

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

pytestmark = pytest.mark.acceptance


@pytest.mark.slow
def test_a_model_that_answers_nonsense_ends_the_study_visibly_and_its_key_is_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(prompt: dict[str, Any]) -> dict[str, Any] | str:
        if prompt["next_trial"] == 1:
            return {p["path"]: p["default"] for p in prompt["parameters"]} | {"train.optim.lr": 0.02}
        return "I would rather not say."

    with FakeEndpoint(monkeypatch) as fake:
        fake.answer = answer
        done = automl(
            *("run", "--skill", "toy", "--policy", "on", "--sampler", "llm", "--trials", "3", "--jobs", "1", "--yes"),
            *("--search", "train.optim.lr", "--search", "train.optim.momentum", "--set", "train.num_epochs=2"),
            results=tmp_path,
        )

    assert done.status == 4, done.err
    assert "4 answers that cannot be tried; nothing was drawn in their place" in done.err
    assert "automl resume" in done.err
    assert sorted(folder.name for folder in (tmp_path / "toy" / "trials").iterdir()) == ["0000", "0001"]
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert not [file for file in written if KEY.encode() in file.read_bytes()]
    assert KEY not in done.out + done.err
