from __future__ import annotations

from typing import TYPE_CHECKING

from depth_net.actions.check_weights import weights_findings
from depth_net.cli import main
from depth_net.spec import load_spec
from tests.depth_net.specs import write_spec

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_start_from_random_weights_is_a_warning(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)

    (finding,) = weights_findings(load_spec(spec, ["model.encoder=vits"]))

    assert (finding.severity, finding.where) == ("warning", "weights")
    assert "starts from random weights" in finding.found
    assert "train.pretrained_model_path" in finding.fix
    assert not weights_findings(load_spec(spec, ["model.mono_backbone.pretrained_path=dinov2.pth"]))


def test_the_spec_is_checked_without_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = write_spec(tmp_path)

    assert (
        main(["check", "-e", str(spec), "dataset.train_dataset.data_sources[0].data_file=none.txt", "--no-data"]) == 0
    )

    assert "1 findings, 0 of them errors" in capsys.readouterr().out
