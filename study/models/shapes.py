"""What a network does with shapes, found on torch's meta device: nothing is computed."""

import copy

import torch
from torch import nn

ImageShape = tuple[int, int, int]


def on_meta(model: nn.Module) -> nn.Module:
    """A copy of ``model`` without storage, in evaluation mode; ``model`` is left as it was.

    Tied weights stay tied. All parameters ask for gradients, so that attention takes the path
    that is built of countable operations.
    """
    memo: dict[int, object] = {}
    for parameter in model.parameters():
        twin = torch.empty_like(parameter, device="meta", requires_grad=False)
        memo[id(parameter)] = nn.Parameter(twin, requires_grad=twin.is_floating_point())
    for buffer in model.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
    return copy.deepcopy(model, memo).eval()


def check_image_shape(name: str, model: nn.Module, image_shape: ImageShape) -> None:
    """Check that ``model`` can take images of ``image_shape``.

    Raises:
        ValueError: It cannot, with the layer's own reason.
    """
    images = torch.empty(2, *image_shape, device="meta")
    try:
        with torch.no_grad():
            on_meta(model)(images)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise unsuitable_images(name, image_shape, error) from error


def unsuitable_images(name: str, image_shape: ImageShape, reason: Exception) -> ValueError:
    """The message for images that an architecture cannot take."""
    channels, height, width = image_shape
    return ValueError(
        f"model.architecture: {name!r} cannot take images of {height}×{width} pixels with "
        f"{channels} channel(s) ({reason}); use larger images or a network for small ones, such "
        "as convnet or resnet20"
    )
