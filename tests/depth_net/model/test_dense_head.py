import torch

from depth_net.model.dense_head import DenseHead
from depth_net.model.encoders import ENCODERS

SHAPE = ENCODERS["vit_tiny"]


def make_taps(rows: int, columns: int) -> list[torch.Tensor]:
    return [torch.randn(2, rows * columns, SHAPE.width) for _ in SHAPE.taps]


def test_the_map_has_fourteen_pixels_per_patch_for_odd_and_even_grids() -> None:
    head = DenseHead(SHAPE)

    for rows, columns in ((2, 3), (5, 4), (1, 1)):
        assert head(make_taps(rows, columns), rows, columns).shape == (2, 14 * rows, 14 * columns)


def test_the_last_layer_stays_in_float32_under_autocast() -> None:
    head = DenseHead(SHAPE)

    with torch.autocast("cpu", torch.bfloat16):
        raw = head(make_taps(2, 3), 2, 3)

    assert raw.dtype == torch.float32
    assert len(raw.unique()) > 256  # a bfloat16 result of one sign and magnitude has far fewer levels


def test_only_the_unit_that_never_runs_is_frozen() -> None:
    head = DenseHead(SHAPE)

    frozen = {name for name, parameter in head.named_parameters() if not parameter.requires_grad}

    assert {name.rsplit(".", 2)[0] for name in frozen} == {"scratch.refinenet4.resConfUnit1"}
    assert len(frozen) == 4
