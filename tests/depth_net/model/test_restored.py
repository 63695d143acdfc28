from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from depth_net.errors import SpecError, WeightsError
from depth_net.model.restored import restore_model
from depth_net.model.weights import METADATA_KEY, metadata_of
from depth_net.spec import load_spec
from tests.depth_net.model.tiny import make_model
from tests.depth_net.specs import write_spec

if TYPE_CHECKING:
    from pathlib import Path


def test_a_metric_model_takes_its_depth_range_from_the_checkpoint(tmp_path: Path) -> None:
    model = make_model()
    notes = metadata_of(model, min_depth_m=None)
    torch.save({"state_dict": model.state_dict(), METADATA_KEY: notes}, tmp_path / "ours.pth")
    torch.save(model.state_dict(), tmp_path / "public.pth")
    config = load_spec(write_spec(tmp_path), ["dataset.max_depth=null", "dataset.min_depth=null"])

    restored = restore_model(config, str(tmp_path / "ours.pth"))

    assert restored.max_depth_m == 10.0
    assert not restored.training
    with pytest.raises(SpecError, match=r"dataset\.max_depth: found nothing, and .*public\.pth does not name"):
        restore_model(config, str(tmp_path / "public.pth"))


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    config = load_spec(write_spec(tmp_path))

    with pytest.raises(WeightsError, match=r"absent\.pth: found no such file"):
        restore_model(config, str(tmp_path / "absent.pth"))
