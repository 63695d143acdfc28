import torch

from depth_net.model.native_size import restore_native_size


def test_padding_is_cut_off_before_a_prediction_is_enlarged() -> None:
    padded = torch.zeros(6, 8)
    padded[:4, :6] = torch.arange(6.0)

    native = restore_native_size(padded, [4, 6], [7, 11])

    assert native.shape == (7, 11)
    torch.testing.assert_close(native, torch.arange(0, 5.5, 0.5).expand(7, 11))
