"""Every image classifier of torchvision, under torchvision's name for it.

A linear layer that torchvision starts at zero (the classifier of its vision transformers, for
fine-tuning) starts from a normal distribution of standard deviation 0.02, cut off at two of them:
zeros let no gradient through to the layers before, and no criterion that looks at gradients could
prune the network at the first event.
"""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from torch import nn
from torchvision import models

from study.models.architecture import ARCHITECTURES, Architecture
from study.models.shapes import check_image_shape, unsuitable_images
from study.models.torchvision_networks.small_stems import (
    SMALL_IMAGE_CONSTRUCTORS,
    Request,
    as_published,
)

_LARGEST_SMALL_SIDE = 64


@dataclass(frozen=True)
class TorchvisionNetwork(Architecture):
    """A network of torchvision, freshly initialised.

    Attributes:
        small_image_stem: Whether the network starts with the form of its family for small
            images, which keeps their resolution; null: if there is one and the longer side of
            the images is at most 64.
    """

    small_image_stem: bool | None = None

    torchvision_name: ClassVar[str]

    def build(self, image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        """See the base class; images that the layers cannot take are found without computing.

        Raises:
            ValueError: The images are too small or not square, or ``small_image_stem`` is asked
                of a family that has none.
        """
        name = self.torchvision_name
        request = Request(models.get_model_builder(name), image_shape, num_classes)
        small = self._wants_small_stem(request)
        construct = SMALL_IMAGE_CONSTRUCTORS[request.family] if small else as_published
        try:
            model = construct(request)
        except (ValueError, AssertionError) as error:
            raise unsuitable_images(name, image_shape, error) from error
        check_image_shape(name, model, image_shape)
        _start_zeros_(model)
        return model

    def _wants_small_stem(self, request: Request) -> bool:
        has_one = request.family in SMALL_IMAGE_CONSTRUCTORS
        if self.small_image_stem is None:
            return has_one and max(request.image_shape[1:]) <= _LARGEST_SMALL_SIDE
        if self.small_image_stem and not has_one:
            raise ValueError(
                f"model.small_image_stem: {self.torchvision_name!r} has no form for small images; "
                "leave the setting out"
            )
        return self.small_image_stem


def _start_zeros_(model: nn.Module) -> None:
    for module in model.modules():
        if not isinstance(module, nn.Linear) or module.weight.is_meta:
            continue
        if not module.weight.any():
            nn.init.trunc_normal_(module.weight, std=0.02, a=-0.04, b=0.04)


def _register(name: str) -> type[Architecture]:
    cls = dataclasses.make_dataclass(
        f"Torchvision_{name}",
        [],
        bases=(TorchvisionNetwork,),
        namespace={
            "__doc__": f"{name} as torchvision defines it, freshly initialised.",
            "__module__": __name__,
            "torchvision_name": name,
        },
        frozen=True,
    )
    return ARCHITECTURES.register(name)(cls)


for _name in models.list_models(module=models):
    _cls = _register(_name)
    globals()[_cls.__name__] = _cls  # pickle finds a class as an attribute of its module
