"""What each example adds to the errors of a network or of a configuration."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]


def service_losses(
    wrong: "BoolArray", *, chance_error: float, service_after: float = 1.0
) -> "FloatArray":
    """What each example adds to the service error; their mean is the service error.

    ((1/T)(e_0 + Σ_{k<T} w_k) + h·w_T) / (1 + h), with w_k whether the model after megabatch k was
    wrong.

    Args:
        wrong: ``[..., T, n]``, after megabatch 1 … T.
        chance_error: e_0, the error rate of a guess, in [0, 1].
        service_after: h, at least 0.

    Returns:
        ``[..., n]``, each in [0, 1].
    """
    num_megabatches = wrong.shape[-2]
    waiting = (chance_error + wrong[..., :-1, :].sum(axis=-2)) / num_megabatches
    losses: FloatArray = (waiting + service_after * wrong[..., -1, :]) / (1 + service_after)
    return losses


@dataclass(frozen=True)
class Losses:
    """Losses by example, of a configuration under some seeds or of one network.

    Attributes:
        service: ``[seeds, n]`` or, of one network, ``[n]``; in [0, 1]. Their mean is the service
            error (:func:`service_losses`).
        final: Of the same shape: 1 where the last model is wrong, else 0.

    Raises:
        ValueError: The shapes differ, or a loss is out of range or missing.
    """

    service: "FloatArray"
    final: "FloatArray"

    def __post_init__(self) -> None:
        if self.service.shape != self.final.shape or self.service.ndim not in (1, 2):
            raise ValueError(
                f"losses must both be [seeds, examples] or both [examples], got "
                f"{list(self.service.shape)} and {list(self.final.shape)}"
            )
        for losses in (self.service, self.final):
            if not ((losses >= 0) & (losses <= 1)).all():
                raise ValueError("losses must be in [0, 1], and none may be missing")

    def first_seeds(self, number: int) -> "Losses":
        """The same configuration under the first seeds alone."""
        return Losses(self.service[:number], self.final[:number])
