"""Effective weights: those on some path from the images to the logits."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, fx, nn

from study.pruning.channels.links import Link, NotUnderstoodError, Weighted
from study.pruning.channels.tracing import TracedNetwork, trace


def effective_counts(
    model: nn.Module, tensors: Mapping[str, Tensor], image_shape: tuple[int, int, int]
) -> dict[str, int] | None:
    """Weights per layer that are kept and on some path from the input to the output.

    A weight is effective if its input channel depends on the image and its output channel reaches
    the logits, through kept weights alone. A bias or a normalisation makes a channel without
    inputs constant; a constant does not count as coming from the input. A kernel's positions are
    not distinguished, so that the count is an upper bound, above all on small images. Layers
    without a mask are dense.

    Args:
        model: The network; left as it was.
        tensors: bool, by parameter name, True for kept weights (``Mask.tensors``).
        image_shape: Channels, height and width.

    Returns:
        A count for each name of ``tensors``; None where the network cannot be traced, or has an
        operation that is not understood, as attention: never a guess.
    """
    try:
        used = _used_joins(with_masks(trace(model, image_shape), tensors))
    except NotUnderstoodError:
        return None
    counts = {}
    for name, tensor in tensors.items():
        counts[name] = 0
        if name in used:
            joins = used[name].to(tensor.device)
            passed = joins.reshape(*joins.shape, *[1] * (tensor.dim() - 2))
            counts[name] = int(torch.count_nonzero(tensor & passed))
    return counts


def with_masks(network: TracedNetwork, tensors: Mapping[str, Tensor]) -> TracedNetwork:
    """The network whose weighted layers join what the masks keep."""
    steps = {}
    for node, step in network.steps.items():
        sources = [(argument, _masked(link, tensors)) for argument, link in step.sources]
        steps[node] = replace(step, sources=sources)
    return replace(network, steps=steps)


def _masked(link: Link, tensors: Mapping[str, Tensor]) -> Link:
    if not isinstance(link, Weighted) or link.name not in tensors:
        return link
    mask = tensors[link.name]
    return replace(link, joins=(mask if mask.dim() == 2 else mask.flatten(2).any(2)).cpu())


@dataclass(frozen=True)
class Flow:
    """What flows through a network, by value and channel, bool ``[channels]``.

    Attributes:
        reached: Whether a path of kept weights leads to it from the images.
        wanted: Whether one leads from it to the logits.
    """

    reached: Mapping[fx.Node, Tensor]
    wanted: Mapping[fx.Node, Tensor]


def flow_through(network: TracedNetwork) -> Flow:
    """What flows through a network whose weighted layers join what they do."""
    reached: dict[fx.Node, Tensor] = {}
    for node, step in network.steps.items():
        flags = [link.forward(reached[argument]) for argument, link in step.sources]
        every = torch.ones(network.values[node].channels, dtype=torch.bool)
        reached[node] = torch.stack(flags).any(0) if flags else every

    wanted = {node: torch.zeros_like(flags) for node, flags in reached.items()}
    wanted[network.logits].fill_(True)
    for node, step in reversed(network.steps.items()):
        for argument, link in step.sources:
            wanted[argument] |= link.backward(wanted[node])
    return Flow(reached, wanted)


def _used_joins(network: TracedNetwork) -> dict[str, Tensor]:
    """By layer, bool ``[out, in / groups]``: whether a path passes between the two channels."""
    flow = flow_through(network)
    used: dict[str, Tensor] = {}
    for node, step in network.steps.items():
        for argument, link in step.sources:
            if isinstance(link, Weighted):
                reached, wanted = link.by_input(flow.reached[argument]), flow.wanted[node]
                passed = link.joins & reached & wanted[:, None]
                used[link.name] = used.get(link.name, torch.zeros_like(passed)) | passed
    return used
