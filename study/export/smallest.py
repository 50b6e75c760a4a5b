"""The network as it is exported: without channels that are gone, or that pruning has cut off."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from torch import nn

from study.export.card import Removal
from study.export.network import NetworkSpec, allowed_difference, drawn_images, logits_of
from study.pruning.channels.dead import Alive, of_mask, without_dead_channels
from study.pruning.granularity.granularity import GRANULARITIES
from study.pruning.mask import Mask

_NUM_COMPARED = 8  # images


@dataclass(frozen=True)
class Smallest:
    """A network in shapes that its spec tells.

    Attributes:
        network: In evaluation mode, on the CPU.
        mask: In its shapes.
        spec: With the channels that it has no more.
        removal: Of channels that pruning of single weights had cut off; None for a network that
            was pruned by channels, which has none of these left.
    """

    network: nn.Module
    mask: Mask
    spec: NetworkSpec
    removal: Removal | None


def smallest(network: nn.Module, mask: Mask, spec: NetworkSpec) -> Smallest:
    """The network as small as it can be without another logit, which is seen on a few images.

    Args:
        network: In evaluation mode, on the CPU; its pruned weights are zero, or gone.
        mask: In the shapes that it was built with.
        spec: Of the trial.
    """
    if not GRANULARITIES.get(spec.granularity).keeps_shapes:
        alive = of_mask(spec.build(), network, mask, spec.image_shape)
        return _described(alive, mask, spec, None)
    try:
        alive = without_dead_channels(network, mask, spec.image_shape)
    except ValueError as error:  # the rest of its message is a remedy for pruning
        removal = Removal(reason=str(error).partition(";")[0])
        return Smallest(network, mask, spec, removal)
    groups, num_gone = alive.groups, int((~alive.kept).sum())
    if not num_gone:
        return Smallest(network, mask, spec, Removal(of_channels=groups.num_groups))
    if not _gives_the_logits_of(network, alive.network, spec):
        removal = Removal(reason="without them the logits of drawn images are others")
        return Smallest(network, mask, spec, removal)
    removal = Removal(
        num_channels=num_gone,
        of_channels=groups.num_groups,
        num_weights=groups.count(groups.everything()) - groups.count(alive.kept),
        of_them_kept=mask.num_kept - alive.mask(mask).num_kept,
    )
    return _described(alive, mask, spec, removal)


def _gives_the_logits_of(network: nn.Module, small: nn.Module, spec: NetworkSpec) -> bool:
    images = drawn_images(_NUM_COMPARED, spec)
    wanted = logits_of(network, spec, images)
    difference = float(np.abs(logits_of(small, spec, images) - wanted).max())
    return difference <= allowed_difference(wanted)


def with_removed(spec: NetworkSpec, mask: Mask) -> NetworkSpec:
    """The spec of a network whose weights were written in the shapes that it had in training.

    Args:
        spec: Of the trial.
        mask: In the shapes that the network was built with.
    """
    if GRANULARITIES.get(spec.granularity).keeps_shapes:
        return spec
    network = spec.build()
    return _described(of_mask(network, network, mask, spec.image_shape), mask, spec, None).spec


def _described(alive: Alive, mask: Mask, spec: NetworkSpec, removal: Removal | None) -> Smallest:
    described = dataclasses.replace(spec, removed=alive.removed)
    return Smallest(alive.network, alive.mask(mask), described, removal)
