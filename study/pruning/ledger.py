"""The sparsity ledger: what a pruning event did to each layer, and what must hold after it."""

from collections.abc import Iterable, Mapping

from torch import nn

from study.errors import TrialError
from study.pruning.mask import Mask, named_weights
from study.pruning.prune import num_kept
from study.results import LayerDensity


def layer_densities(
    decision_mask: Mask,
    *,
    previous: Mask,
    intended: Mapping[str, float],
    effective: Mapping[str, int] | None,
) -> tuple[LayerDensity, ...]:
    """One line a layer, in the mask's order.

    Args:
        decision_mask: The mask after the event.
        previous: The mask before it.
        intended: Density by layer as the allocation meant it.
        effective: Number of weights on some path from input to output by layer; None for a
            network on which that cannot be found.
    """
    overlap = decision_mask.overlap(previous)
    return tuple(
        LayerDensity(
            layer=name,
            num_weights=size,
            num_kept=decision_mask.kept_counts[name],
            intended_density=intended[name],
            density=decision_mask.kept_counts[name] / size,
            mask_overlap=overlap[name],
            effective_density=None if effective is None else effective[name] / size,
        )
        for name, size in decision_mask.sizes.items()
    )


def check_mask(mask: Mask, *, previous: Mask, density: float, nested: bool = True) -> None:
    """Check that ``mask`` keeps ⌊density · N + ½⌋ weights, all of them kept in ``previous``.

    Args:
        mask: The mask after a pruning event.
        previous: The mask before it.
        density: What the schedule asked for.
        nested: Whether it must be nested (not so with ``pruning.regrow``).

    Raises:
        TrialError: With what is broken.
    """
    wanted = num_kept(density, mask.num_weights)
    if mask.num_kept != wanted:
        raise TrialError(
            f"the mask keeps {mask.num_kept} of {mask.num_weights} weights, but a density of "
            f"{density:g} means {wanted}; the allocation miscounted"
        )
    if nested:
        check_nested(mask, previous=previous)


def check_nested(mask: Mask, *, previous: Mask) -> None:
    """Check that every weight of ``mask`` is kept in ``previous``.

    Raises:
        TrialError: With the layers and how many are not.
    """
    revived = mask.revived(previous)
    if revived:
        layers = ", ".join(f"{name} ({count})" for name, count in revived.items())
        raise TrialError(f"the mask revives pruned weights: {layers}")


def check_weights(model: nn.Module, mask: Mask) -> None:
    """Check that every pruned weight of ``model`` is zero.

    Raises:
        TrialError: With the layers and how many of their pruned weights are not.
    """
    alive = {
        name: int((~mask.tensors[name] & (weight != 0)).sum())
        for name, weight in named_weights(model, mask.tensors).items()
    }
    layers = ", ".join(f"{name} ({count})" for name, count in alive.items() if count)
    if layers:
        raise TrialError(
            f"pruned weights are not zero: {layers}; the mask must be applied after every step"
        )


def collapsed_layers(layers: Iterable[LayerDensity]) -> tuple[str, ...]:
    """Names of the layers with no kept weight left, or none on any path: nothing gets through."""
    return tuple(
        layer.layer for layer in layers if layer.num_kept == 0 or layer.effective_density == 0
    )
