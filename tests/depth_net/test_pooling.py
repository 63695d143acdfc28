from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn

from depth_net.model.family import ModelType
from depth_net.pooling import count_processes, pool
from depth_net.scoring import DepthMetrics
from depth_net.training.baseline import ConstantBaseline, OutputSpread

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = 5


def measure(images: range) -> dict[str, float]:
    """Every pooled value over some of five images."""
    generator = torch.Generator().manual_seed(0)
    predicted, target = (torch.rand(IMAGES, 4, 6, generator=generator) + 1 for _ in range(2))
    metrics = DepthMetrics(ModelType.METRIC, min_depth_m=0.001, max_depth_m=10.0)
    baseline = ConstantBaseline(ModelType.METRIC, min_depth_m=0.001, max_depth_m=10.0)
    spread = OutputSpread()
    for index in images:
        metrics.update(predicted[index : index + 1], target[index : index + 1], target[index : index + 1] > 0)
        baseline.update(target[index], target[index] > 0)
        spread.update(predicted[index : index + 1])
    values = {name: float(value) for name, value in metrics.compute().items()}
    return values | {"baseline": float(baseline.compute()), "spread": float(spread.compute())}


def measure_share(rank: int, folder: Path) -> None:
    store = f"file://{folder}/store"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    shares = (range(3), range(3, IMAGES))
    (folder / f"{rank}.json").write_text(json.dumps(measure(shares[rank])), encoding="utf-8")
    distributed.destroy_process_group()


def test_one_process_pools_alone() -> None:
    values = torch.rand(3)

    assert pool(values) is values
    assert count_processes() == 1


@pytest.mark.slow
def test_values_do_not_depend_on_how_images_are_shared_out(tmp_path: Path) -> None:
    start: Any = spawn  # torch does not type it

    start(measure_share, args=(tmp_path,), nprocs=2)

    found = [json.loads((tmp_path / f"{rank}.json").read_text(encoding="utf-8")) for rank in range(2)]
    assert found[0] == found[1]
    assert found[0] == pytest.approx(measure(range(IMAGES)), rel=1e-12)
