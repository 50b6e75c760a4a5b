import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from study.models.matrix_convolution import (
    ConvolutionShape,
    MatrixConvolutions,
    Products,
    matrix_convolution,
    may_have_products,
    products_for,
)

BF16 = torch.bfloat16
ALL = Products(output=True, input_gradient=True, weight_gradient=True)
VGG_LAST = ConvolutionShape(
    examples=64, in_channels=512, out_channels=512, kernel=3, stride=1, padding=1, positions=4
)
# in channels, out channels, side of the image, kernel, stride, padding
SHAPES = [
    (5, 7, 4, 3, 1, 1),
    (5, 7, 1, 3, 1, 1),
    (6, 4, 5, 3, 1, 0),
    (6, 4, 3, 1, 1, 0),
    (3, 2, 6, 5, 1, 2),
]
STRIDED = [(5, 7, 8, 3, 2, 1), (5, 7, 7, 3, 2, 1), (6, 4, 8, 1, 2, 0)]


def drawn(*shape: int, seed: int) -> Tensor:
    made = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(BF16)
    if len(shape) == 4:
        made = made.contiguous(memory_format=torch.channels_last)
    return made


def gradients_of(made: Tensor, tensors: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(made, tensors, drawn(*made.shape, seed=9).to(made.dtype))


def both(
    shape: tuple[int, ...], parts: Products, *, has_bias: bool = True
) -> tuple[list[Tensor], list[Tensor]]:
    """Output and gradients as products, and as torch's convolution has them in fp64."""
    ins, outs, side, kernel, stride, padding = shape
    tensors = [drawn(3, ins, side, side, seed=0), drawn(outs, ins, kernel, kernel, seed=1)]
    tensors += [drawn(outs, seed=2)] * has_bias
    sides = (side + 2 * padding - kernel) // stride + 1
    facts = ConvolutionShape(3, ins, outs, kernel, stride, padding, sides**2)

    given = [t.clone().requires_grad_() for t in tensors]
    bias = given[2] if has_bias else None
    made = matrix_convolution(given[0], given[1], bias, facts, parts)
    plain = [t.double().requires_grad_() for t in tensors]
    expected = functional.conv2d(*plain, stride=stride, padding=padding)
    return [made, *gradients_of(made, given)], [expected, *gradients_of(expected, plain)]


def assert_rounded(found: list[Tensor], exact: list[Tensor]) -> None:
    """Each value is the exact one to within bf16's half unit in the last place, 2⁻⁸ of it.

    And to within what accumulating in fp32 may lose where large terms cancel.
    """
    for some, right in zip(found, exact, strict=True):
        assert some.dtype == BF16
        assert some.shape == right.shape
        torch.testing.assert_close(some.double(), right, rtol=2**-8, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("has_bias", [True, False])
def test_products_are_the_convolution_and_its_gradients_rounded_once(
    shape: tuple[int, ...], has_bias: bool
) -> None:
    assert_rounded(*both(shape, ALL, has_bias=has_bias))


@pytest.mark.parametrize("shape", STRIDED)
def test_so_are_strided_ones_whose_gradient_of_images_is_left_to_torch(
    shape: tuple[int, ...],
) -> None:
    assert_rounded(*both(shape, replace(ALL, input_gradient=False)))


@pytest.mark.parametrize("part", ["output", "input_gradient", "weight_gradient"])
def test_each_part_may_be_a_product_by_itself(part: str) -> None:
    alone = replace(Products(False, False, False), **{part: True})
    assert_rounded(*both(SHAPES[0], alone))


def test_the_bits_are_the_same_each_time() -> None:
    first, second = (both(SHAPES[0], ALL)[0] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_small_and_deep_convolutions_are_products_and_others_are_not() -> None:
    assert products_for(VGG_LAST) == ALL
    assert products_for(replace(VGG_LAST, stride=2)) == replace(ALL, input_gradient=False)
    of_weights = Products(output=False, input_gradient=False, weight_gradient=True)
    assert products_for(replace(VGG_LAST, positions=64)) == of_weights
    assert not products_for(replace(VGG_LAST, positions=64, examples=1024))
    assert not products_for(replace(VGG_LAST, positions=65))
    assert not products_for(replace(VGG_LAST, in_channels=3))
    assert not products_for(replace(VGG_LAST, in_channels=64, out_channels=64))


@given(
    st.sampled_from([1, 3, 64, 127, 128, 129, 512]),
    st.sampled_from([1, 64, 127, 128, 129, 512]),
    st.sampled_from([1, 3]),
    st.sampled_from([1, 4, 16, 64, 65]),
    st.sampled_from([1, 64, 256]),
)
def test_a_network_is_looked_at_for_the_channels_that_any_image_needs(
    ins: int, outs: int, kernel: int, positions: int, examples: int
) -> None:
    shape = ConvolutionShape(examples, ins, outs, kernel, 1, 0, positions)
    with torch.device("meta"):
        network = nn.Conv2d(ins, outs, kernel)
    assert may_have_products(network) or not products_for(shape)


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(512, 512, 3, padding=1),
            nn.BatchNorm2d(512),
            nn.Flatten(),
            nn.Linear(2048, 3),
        )

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.layers(images)
        return made


def trained(network: nn.Module, *, by_products: bool) -> tuple[Tensor, dict[str, Tensor]]:
    images = drawn(4, 512, 2, 2, seed=3).float()
    with torch.autocast("cpu", dtype=BF16):
        if by_products:
            with MatrixConvolutions():
                loss = network(images).square().mean()
        else:
            loss = network(images).square().mean()
    loss.backward()
    found = {n: p.grad for n, p in network.named_parameters() if p.grad is not None}
    return loss, found


def test_a_network_in_the_context_trains_as_outside_it_and_stays_what_it_is() -> None:
    network = Small()
    names, before = list(network.state_dict()), repr(network)
    other = copy.deepcopy(network)
    loss, gradients = trained(network, by_products=True)
    usual, expected = trained(other, by_products=False)
    assert loss.item() == pytest.approx(usual.item(), rel=0.01)
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        assert gradient.dtype == torch.float32
        size = expected[name].abs().max()
        # Before batch normalisation a bias has no gradient but rounding.
        torch.testing.assert_close(
            gradient, expected[name], rtol=0, atol=float(size * 0.05 + 1e-4)
        )
    assert (list(network.state_dict()), repr(network)) == (names, before)


def test_what_is_no_plain_convolution_passes_through() -> None:
    images, weight = drawn(2, 512, 2, 2, seed=0), drawn(512, 256, 3, 3, seed=1)
    square = drawn(512, 512, 3, 3, seed=2)
    calls = [
        lambda: functional.conv2d(images, weight, padding=1, groups=2),
        lambda: functional.conv2d(images, square, padding="same"),
        lambda: functional.conv2d(images, square, padding=2, dilation=2),
        lambda: functional.conv2d(images, square, padding=(1, 2)),
    ]
    outside = [call() for call in calls]
    with MatrixConvolutions():
        inside = [call() for call in calls]
    assert all(torch.equal(a, b) for a, b in zip(inside, outside, strict=True))
