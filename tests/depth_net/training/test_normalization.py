from __future__ import annotations

import numpy as np
import pytest
import torch

from depth_net.data.transforms import channels_first, normalize_image
from depth_net.training.normalization import Normalization
from tests.depth_net.data.builders import MEAN, STD

ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=ON_GPU)])
def test_images_of_8_bits_become_what_the_processor_makes_of_them_to_the_bit(device: str) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = np.dstack([levels, levels.T, levels[::-1]])

    found = Normalization(MEAN, STD).to(device)(torch.from_numpy(channels_first(image))[None].to(device))

    assert found.is_contiguous()
    assert torch.equal(found[0].cpu(), torch.from_numpy(normalize_image(image, MEAN, STD)))


def test_it_adds_nothing_to_a_checkpoint() -> None:
    assert not Normalization(MEAN, STD).state_dict()
