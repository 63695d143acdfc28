import torch

from depth_net.model.native_size import restore_native_size


def test_a_prediction_is_enlarged_with_aligned_corners() -> None:
    predicted = torch.arange(6.0).expand(4, 6)

    native = restore_native_size(predicted, [7, 11])

    assert native.shape == (7, 11)
    torch.testing.assert_close(native, torch.arange(0, 5.5, 0.5).expand(7, 11))


def test_a_prediction_of_the_right_size_is_left_alone() -> None:
    predicted = torch.rand(14, 14)

    assert torch.equal(restore_native_size(predicted, [14, 14]), predicted)
