"""Any network of timm as a plug-in: ``plugins: [examples.timm_networks]``.

Needs timm (``pip install timm``). docs/timm_and_hugging_face.md says how it is used.
"""

import difflib
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from study.models.architecture import ARCHITECTURES, Architecture
from study.models.shapes import ImageShape, check_image_shape, unsuitable_images


@ARCHITECTURES.register("timm")
@dataclass(frozen=True)
class TimmNetwork(Architecture):
    """A network of timm, freshly initialised; ``model.weights`` starts it from a file.

    Attributes:
        network: timm's name for it, as ``timm.list_models()`` has it.
        drop_rate: Dropout before the classifier, in training.
        drop_path_rate: Fraction of residual branches that are left out, in training; the last
            block's where timm lets it rise with depth.
    """

    network: str = "resnet18"
    drop_rate: float = 0.0
    drop_path_rate: float = 0.0

    def __post_init__(self) -> None:
        for name in ("drop_rate", "drop_path_rate"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 0 and below 1, got {getattr(self, name)}"
                )

    def build(self, image_shape: ImageShape, num_classes: int) -> nn.Module:
        """See the base class; nothing is downloaded.

        What timm starts at zero, so that a residual branch or the classifier adds nothing at
        first, starts as PyTorch's layer does: through zeros no gradient comes back, and a
        criterion that looks at gradients would take the whole branch for useless.

        Raises:
            ValueError: timm is not installed or has no such network, the network has not got a
                setting, or the images are too small or too large for it.
        """
        timm = _timm()
        if not timm.is_model(self.network):
            raise ValueError(f"network {self.network!r} is none of timm's{_nearest(self.network)}")
        options: dict[str, Any] = {"drop_rate": self.drop_rate}
        if self.drop_path_rate:
            options["drop_path_rate"] = self.drop_path_rate
        config = timm.models.get_pretrained_cfg(self.network, allow_unregistered=True)
        if config is not None and config.fixed_input_size:
            options["img_size"] = image_shape[1:]
        try:
            model: nn.Module = timm.create_model(
                self.network,
                pretrained=False,
                in_chans=image_shape[0],
                num_classes=num_classes,
                **options,
            )
        except TypeError as error:
            raise ValueError(f"network {self.network!r} takes no such setting: {error}") from error
        except (ArithmeticError, AssertionError, RuntimeError, ValueError) as error:
            raise unsuitable_images(self.network, image_shape, error) from error
        check_image_shape(self.network, model, image_shape)
        _start_zeros_(model)
        return model


def _timm() -> Any:
    try:
        import timm  # takes seconds
    except ImportError as error:
        raise ValueError(f"timm cannot be imported ({error}): pip install timm") from error
    return timm


def _nearest(name: str) -> str:
    import timm

    alike = difflib.get_close_matches(name, timm.list_models(), n=3)
    return f"; did you mean {' or '.join(map(repr, alike))}?" if alike else ""


def _start_zeros_(model: nn.Module) -> None:
    for module in model.modules():
        if not isinstance(module, nn.Linear | _BatchNorm) or module.weight is None:
            continue
        if not module.weight.is_meta and not module.weight.any():
            module.reset_parameters()
