"""Convolution as matrix products, for small images of many channels in bf16.

The usual kernels of a convolution work on tiles of an image, of which a small one has few; there
the rate is that of moving weights. One matrix product on gathered patches (im2col; Chellapilla et
al. 2006) keeps a processor's matrix unit busy, and gathering costs little where images are small.
Each value is one product accumulated in fp32 and rounded once, as in the usual kernels.
"""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_BF16 = torch.bfloat16


# Weights of a pixel of the kernel, pixels of an output, and values gathered at once, from which or
# up to which something is a product: see :func:`products_for`.
_DEEP, _VERY_DEEP = 128 * 128, 256 * 512
_SMALL, _TINY = 8 * 8, 4 * 4
_MOST_GATHERED = 25_000_000


@dataclass(frozen=True)
class ConvolutionShape:
    """What a 2-D convolution without groups and dilation works on.

    Attributes:
        examples: Of the mini-batch.
        in_channels, out_channels: Of one image.
        kernel, stride, padding: The same in height and width, in pixels.
        positions: Pixels of one image of the output.
    """

    examples: int
    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    padding: int
    positions: int


@dataclass(frozen=True)
class Products:
    """Which parts of a convolution are matrix products: its output and its two gradients."""

    output: bool
    input_gradient: bool
    weight_gradient: bool

    def __bool__(self) -> bool:
        return self.output or self.input_gradient or self.weight_gradient


def products_for(shape: ConvolutionShape) -> Products:
    """Which parts of a convolution are matrix products, by its shape alone.

    The limits are those of shapes that gained, part by part, on an Intel Xeon with AMX, torch
    2.14, in mini-batches of 16 to 256: outputs and gradients of inputs up to 4 × 4 pixels and from
    256 × 512 channels on; gradients of weights, at which the usual kernels are slowest, up to
    8 × 8 and from 128 × 128 on, as long as the gathered patches take no more than 50 MB.
    """
    size = shape.in_channels * shape.out_channels
    gathered = shape.examples * shape.positions * shape.kernel**2 * shape.in_channels
    is_tiny = shape.positions <= _TINY
    is_small = shape.positions <= _SMALL and shape.kernel > 1 and gathered <= _MOST_GATHERED
    return Products(
        output=is_tiny and size >= _VERY_DEEP,
        # A larger stride would leave gaps between the gradients.
        input_gradient=(
            is_tiny and size >= _VERY_DEEP and shape.stride == 1 and shape.padding < shape.kernel
        ),
        weight_gradient=(is_tiny or is_small) and size >= _DEEP,
    )


def may_have_products(model: nn.Module) -> bool:
    """Whether any convolution of the network has the channels for it, whatever the image."""
    kernels = (weight.shape for weight in model.parameters() if weight.dim() == 4)
    return any(outs * ins >= _DEEP for outs, ins, *_ in kernels)


class MatrixConvolutions(TorchFunctionMode):
    """A context in which small, deep convolutions are matrix products in bf16, and differentiable.

    It takes calls of :func:`torch.nn.functional.conv2d` and changes no module, so that names,
    hooks, copies and exports of a network stay what they are. Weights and images are cast to bf16
    where the convolution is taken, as autocast does it; all others pass through.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Torch's hook: ``func`` is called with ``args`` and ``kwargs``, or is taken over."""
        if func is functional.conv2d:
            call = _Call(*args, **(kwargs or {}))
            if (shape := call.shape()) and (products := products_for(shape)):
                return matrix_convolution(call.input, call.weight, call.bias, shape, products)
        return func(*args, **(kwargs or {}))


def matrix_convolution(
    images: Tensor, weight: Tensor, bias: Tensor | None, shape: ConvolutionShape, parts: Products
) -> Tensor:
    """The convolution of ``images`` in bf16, of which ``parts`` are matrix products.

    Args:
        images: ``[examples, in_channels, height, width]``.
        weight: ``[out_channels, in_channels, kernel, kernel]``.
        bias: ``[out_channels]``.
        shape: Of this call.
        parts: The others are left to torch.

    Returns:
        ``[examples, out_channels, height, width]`` in bf16, channels last.
    """
    biased = None if bias is None else bias.to(_BF16)
    made = _MatrixConvolution.apply(images.to(_BF16), weight.to(_BF16), biased, shape, parts)
    return cast("Tensor", made)


@dataclass(frozen=True)
class _Call:
    """The arguments of ``conv2d``, by torch's own names and defaults."""

    input: Tensor
    weight: Tensor
    bias: Tensor | None = None
    stride: int | tuple[int, ...] = 1
    padding: int | tuple[int, ...] | str = 0
    dilation: int | tuple[int, ...] = 1
    groups: int = 1

    def shape(self) -> ConvolutionShape | None:
        """None where the two sides of something differ, or the convolution is another kind."""
        stride, padding = _side(self.stride), _side(self.padding)
        out_channels, in_channels, kernel, width = self.weight.shape
        is_plain = self.groups == 1 and _side(self.dilation) == 1 and kernel == width
        if not is_plain or stride is None or padding is None or self.input.dim() != 4:
            return None
        sides = [(n + 2 * padding - kernel) // stride + 1 for n in self.input.shape[2:]]
        positions = sides[0] * sides[1]
        return ConvolutionShape(
            len(self.input), in_channels, out_channels, kernel, stride, padding, positions
        )


def _side(value: int | tuple[int, ...] | str) -> int | None:
    if isinstance(value, str):
        return None
    sides = {value} if isinstance(value, int) else set(value)
    return sides.pop() if len(sides) == 1 else None


class _MatrixConvolution(torch.autograd.Function):
    """Of images, weights and bias in bf16."""

    @staticmethod
    def forward(  # torch calls it
        ctx: Any,
        images: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        shape: ConvolutionShape,
        parts: Products,
    ) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.shape, ctx.parts = shape, parts
        if not parts.output:
            return functional.conv2d(images, weight, bias, shape.stride, shape.padding)
        patches = _patches(images, shape.kernel, shape.stride, shape.padding)
        made = functional.linear(patches.flatten(3).flatten(0, 2), _rows(weight), bias)
        return made.view(*patches.shape[:3], -1).permute(0, 3, 1, 2)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        shape, parts = ctx.shape, ctx.parts
        of_images, of_weight, of_bias, *_ = ctx.needs_input_grad
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        usual = [
            of_images and not parts.input_gradient,
            of_weight and not parts.weight_gradient,
            # Torch would compute the gradient of the weights for it.
            of_bias and not parts.weight_gradient,
        ]
        found = _usual_gradients(gradient, images, weight, shape, usual)
        if of_images and parts.input_gradient:
            found[0] = _input_gradient(gradient, weight, shape)
        if of_weight and parts.weight_gradient:
            found[1] = _weight_gradient(gradient, images, shape)
        if of_bias and parts.weight_gradient:
            found[2] = gradient.sum((0, 2, 3))
        return (*found, None, None)


def _patches(images: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """What the kernel sees at each position: ``[examples, height, width, k, k, channels]``.

    A view, in which patches overlap; to flatten it is to gather them.
    """
    padded = images.permute(0, 2, 3, 1).contiguous()
    if padding:
        padded = functional.pad(padded, (0, 0, *[padding] * 4))
    examples, height, width, channels = padded.shape
    sides = [(n - kernel) // stride + 1 for n in (height, width)]
    example, row, column, channel = padded.stride()
    return padded.as_strided(
        (examples, *sides, kernel, kernel, channels),
        (example, stride * row, stride * column, row, column, channel),
    )


def _rows(weight: Tensor) -> Tensor:
    """``[out_channels, kernel · kernel · in_channels]``: a view where channels lie last."""
    return weight.permute(0, 2, 3, 1).flatten(1)


def _input_gradient(gradient: Tensor, weight: Tensor, shape: ConvolutionShape) -> Tensor:
    """The convolution of the gradient with the kernels turned round."""
    patches = _patches(gradient, shape.kernel, 1, shape.kernel - 1 - shape.padding)
    turned = weight.flip(2, 3).permute(2, 3, 0, 1).flatten(0, 2)
    made = patches.flatten(3).flatten(0, 2) @ turned
    return made.view(*patches.shape[:3], -1).permute(0, 3, 1, 2)


def _weight_gradient(gradient: Tensor, images: Tensor, shape: ConvolutionShape) -> Tensor:
    """The product of the gradient and the patches over all examples and positions."""
    patches = _patches(images, shape.kernel, shape.stride, shape.padding)
    # Transposed in memory first: the product is faster by more than that takes.
    by_channel = gradient.permute(0, 2, 3, 1).flatten(0, 2).t().contiguous()
    made = by_channel @ patches.flatten(3).flatten(0, 2)
    kernel = (shape.out_channels, shape.kernel, shape.kernel, shape.in_channels)
    return made.view(kernel).permute(0, 3, 1, 2)


def _usual_gradients(
    gradient: Tensor, images: Tensor, weight: Tensor, shape: ConvolutionShape, asked: list[bool]
) -> list[Tensor | None]:
    """By torch: those of images, weights and bias that are asked for; None of the others."""
    if not any(asked):
        return [None, None, None]
    made = torch.ops.aten.convolution_backward(
        gradient, images, weight, [shape.out_channels],
        [shape.stride] * 2, [shape.padding] * 2, [1, 1], False, [0, 0], 1, asked,
    )  # fmt: skip
    return [tensor if is_asked else None for tensor, is_asked in zip(made, asked, strict=True)]
