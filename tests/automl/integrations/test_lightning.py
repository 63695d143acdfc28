"""The callback for Lightning, with the real library."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from automl.architectures.model import CheckpointNaming
from automl.trial.checkpoints import checkpoint_of_epoch

torch = pytest.importorskip("torch", reason="torch is not here")
lightning = pytest.importorskip("lightning.pytorch", reason="Lightning is not here")

from automl.integrations.lightning import ReportCallback  # noqa: E402 # where Lightning is

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")  # of the library


class Line(lightning.LightningModule):  # type: ignore[misc,name-defined] # imported where it is
    def __init__(self, stop: Path | None = None) -> None:
        super().__init__()
        self.layer, self.stop = torch.nn.Linear(1, 1), stop

    def training_step(self, batch: Any, _: int) -> Any:  # noqa: ANN401 # a tensor
        loss = self.layer(batch).pow(2).mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, _: Any, number: int) -> None:  # noqa: ANN401 # a tensor
        del number
        self.log("val_acc", 0.5 + self.current_epoch / 10)
        if self.stop is not None and self.current_epoch == 1:
            self.stop.write_text("enough", encoding="utf-8")

    def configure_optimizers(self) -> Any:  # noqa: ANN401 # an optimiser
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(folder: Path, module: Line, *, epochs: int = 3, **saving: Any) -> None:  # noqa: ANN401 # settings of Lightning
    loader = torch.utils.data.DataLoader(torch.ones(4, 1), batch_size=2)
    checkpoints = lightning.callbacks.ModelCheckpoint(folder / "ckpt", filename="{epoch}", **saving)
    lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        callbacks=[ReportCallback(), checkpoints],
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(module, loader, loader)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_each_validation_and_each_checkpoint_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_TRIAL_DIR", str(tmp_path))

    fit(tmp_path, Line(), save_top_k=-1)

    reported = [line for line in lines(tmp_path / "status.json") if "val_acc" in line["kpi"]]
    assert {line["epoch"]: line["kpi"]["val_acc"] for line in reported} == pytest.approx({0: 0.5, 1: 0.6, 2: 0.7})
    assert {line["epoch"] for line in reported if "train_loss" in line["kpi"]} == {0, 1, 2}
    found = [checkpoint_of_epoch(tmp_path, CheckpointNaming(), epoch) for epoch in range(3)]
    assert [path and path.name for path in found] == ["epoch=0.ckpt", "epoch=1.ckpt", "epoch=2.ckpt"]


def test_a_file_that_replaces_another_counts_for_the_epoch_that_wrote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOML_TRIAL_DIR", str(tmp_path))

    fit(tmp_path, Line(), monitor="val_acc", mode="max", save_last=True)

    found = [checkpoint_of_epoch(tmp_path, CheckpointNaming(), epoch) for epoch in range(3)]
    assert [path and path.name for path in found] == [None, None, "epoch=2.ckpt"]


def test_a_training_ends_when_the_study_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_TRIAL_DIR", str(tmp_path))

    fit(tmp_path, Line(tmp_path / "stop"), epochs=9)

    assert max(line["epoch"] for line in lines(tmp_path / "status.json")) == 1


def test_outside_a_study_it_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTOML_TRIAL_DIR", raising=False)
    monkeypatch.chdir(tmp_path)

    fit(tmp_path, Line(tmp_path / "stop"), epochs=3)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["ckpt", "stop"]
