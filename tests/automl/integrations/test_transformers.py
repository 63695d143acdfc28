"""The callback for Transformers, with the real library and a tiny model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from automl.architectures.model import CheckpointNaming
from automl.trial.checkpoints import checkpoint_of_epoch, list_checkpoints

torch = pytest.importorskip("torch", reason="torch is not here")
pytest.importorskip("accelerate", reason="accelerate is not here")
transformers = pytest.importorskip("transformers", reason="Transformers is not here")

from automl.integrations.transformers import ReportCallback  # noqa: E402 # where Transformers is

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")  # of the library


class Line(torch.nn.Module):  # type: ignore[misc,name-defined] # imported where it is
    def __init__(self, stop: Path | None = None, factor: float = 1.0) -> None:
        super().__init__()
        self.layer, self.stop, self.factor, self.seen = torch.nn.Linear(1, 1), stop, factor, 0

    def forward(self, x: Any, labels: Any) -> dict[str, Any]:  # noqa: ANN401 # tensors
        predicted = self.layer(x)
        self.seen += self.training
        if self.stop is not None and self.seen == 3:
            self.stop.write_text("enough", encoding="utf-8")
        return {"loss": self.factor * (predicted - labels).pow(2).mean(), "logits": predicted}


def fit(folder: Path, model: Line, *, epochs: int = 2) -> None:
    data = [{"x": torch.ones(1), "labels": torch.zeros(1)} for _ in range(8)]
    arguments = transformers.TrainingArguments(
        output_dir=str(folder / "out"),
        num_train_epochs=epochs,
        per_device_train_batch_size=4,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_steps=1,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
    )
    transformers.Trainer(model, arguments, train_dataset=data, eval_dataset=data, callbacks=[ReportCallback()]).train()


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_each_evaluation_and_each_checkpoint_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_TRIAL_DIR", str(tmp_path))

    fit(tmp_path, Line())

    reported = lines(tmp_path / "status.json")
    assert [line["epoch"] for line in reported if "eval_loss" in line["kpi"]] == [0, 1]
    assert [line["step"] for line in reported if "loss" in line["kpi"]] == [1, 2, 3, 4]
    found = [checkpoint_of_epoch(tmp_path, CheckpointNaming(), epoch) for epoch in range(2)]
    assert [path and path.name for path in found] == ["checkpoint-2", "checkpoint-4"]


def test_a_checkpoint_that_is_not_reported_has_the_epoch_of_its_state(tmp_path: Path) -> None:
    fit(tmp_path, Line())

    naming = CheckpointNaming(state_folders=(r"checkpoint-(?P<step>\d+)",))
    found = [(c.epoch, c.step, c.path.name) for c in list_checkpoints(tmp_path, naming)]
    assert found == [(0, 2, "checkpoint-2"), (1, 4, "checkpoint-4")]
    assert not (tmp_path / "status.json").exists()  # outside a study it does nothing


def test_a_training_ends_when_the_study_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_TRIAL_DIR", str(tmp_path))

    fit(tmp_path, Line(tmp_path / "stop"), epochs=50)

    assert max(line["step"] for line in lines(tmp_path / "status.json")) == 3


def test_a_loss_that_is_not_finite_is_reported_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_TRIAL_DIR", str(tmp_path))

    fit(tmp_path, Line(factor=float("nan")), epochs=1)

    losses = [line["kpi"]["loss"] for line in lines(tmp_path / "status.json") if "loss" in line["kpi"]]
    assert all(loss != loss for loss in losses)  # noqa: PLR0124 # NaN
    assert losses
