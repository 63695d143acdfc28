import pytest
import torch
from torch.nn import functional

from depth_net.model.resize import Resize, enlarge, enlarge_by_products


@pytest.mark.parametrize(("source", "target"), [((5, 7), (10, 14)), ((19, 19), (37, 37)), ((1, 2), (3, 5))])
def test_products_give_the_values_and_the_gradients_of_the_kernel(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    features = torch.randn(2, 3, *source, requires_grad=True)
    upstream = torch.randn(2, 3, *target)

    by_products = enlarge_by_products(features, target)
    by_kernel = functional.interpolate(features, target, mode="bilinear", align_corners=True)

    torch.testing.assert_close(by_products, by_kernel, atol=1e-6, rtol=1e-5)
    gradients = [torch.autograd.grad(output, features, upstream)[0] for output in (by_products, by_kernel)]
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-5, rtol=1e-5)


def test_products_are_used_only_in_training_at_reduced_precision() -> None:
    features = torch.randn(1, 2, 3, 3)
    kernel = functional.interpolate(features, (9, 9), mode="bilinear", align_corners=True)

    assert torch.equal(enlarge(features, (9, 9), how=Resize.PRODUCT, training=True), kernel)
    half = features.bfloat16()
    kernel_half = functional.interpolate(half, (9, 9), mode="bilinear", align_corners=True)
    assert torch.equal(enlarge(half, (9, 9), how=Resize.PRODUCT, training=False), kernel_half)
    in_training = enlarge(half, (9, 9), how=Resize.PRODUCT, training=True)
    assert in_training.dtype == torch.bfloat16
    torch.testing.assert_close(in_training.float(), kernel, atol=0.05, rtol=0.02)
