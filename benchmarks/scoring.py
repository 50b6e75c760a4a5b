"""One pruning event at 11 and 23 million weights: ours against the form of public code.

The naive form scores by the gradient of an explicit mask that multiplies each weight, then sorts
all scores to find the threshold.
"""

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from benchmarks.table import Figure
from benchmarks.timing import interleaved, median_ratio
from benchmarks.training import CPU, IMAGE_SHAPE, images_of, network
from study.data.batches import ImagePool
from study.pruning.allocation import Global, Lamp
from study.pruning.gradient_criteria import Snip
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from study.pruning.prune import PruningMethod, num_kept, prune
from study.pruning.scoring import ScoringContext
from study.pruning.top_k import largest_of_all

NETWORKS = ("resnet18", "resnet50")
NUM_IMAGES = 100
DENSITY = 0.3664


def pool_of(num_images: int) -> ImagePool:
    """Images of noise, as a trial has them."""
    images, labels = images_of(num_images)
    return ImagePool(images, labels, mean=(0.5,) * 3, std=(0.25,) * 3, device=CPU)


def context_of(model: nn.Module) -> ScoringContext:
    """One mini-batch of 100 to score on, nothing pruned yet."""
    pool = pool_of(NUM_IMAGES)
    return ScoringContext(
        model=model,
        mask=Mask.dense(prunable_parameters(model)),
        minibatches=lambda: pool.minibatches(np.arange(NUM_IMAGES), batch_size=NUM_IMAGES),
        image_shape=IMAGE_SHAPE,
        num_classes=10,
        generator=torch.Generator().manual_seed(0),
    )


def naive_scores(context: ScoringContext) -> dict[str, Tensor]:
    """|∂L/∂m| with a mask m of ones that multiplies the weights."""
    weights = dict(context.model.named_parameters())
    masks = {n: torch.ones_like(weights[n], requires_grad=True) for n in context.mask.tensors}
    masked = {name: weights[name].detach() * mask for name, mask in masks.items()}
    loss = torch.zeros(())
    for images, labels in context.minibatches():
        logits = functional_call(context.model, masked, (images,))
        loss = loss + functional.cross_entropy(logits, labels)
    gradients = torch.autograd.grad(loss, list(masks.values()))
    return {name: g.abs() for name, g in zip(masks, gradients, strict=True)}


def naive_selection(scores: dict[str, Tensor], total: int) -> dict[str, Tensor]:
    """Everything at or above the ``total``-th of all sorted scores."""
    everything = torch.cat([score.flatten() for score in scores.values()])
    threshold = torch.sort(everything, descending=True).values[total - 1]
    return {name: score >= threshold for name, score in scores.items()}


def measure(*, full: bool = False) -> list[Figure]:
    """All figures of this suite; ``full``: medians of 11 rounds instead of 5."""
    repeats = 11 if full else 5
    figures = []
    for name in NETWORKS:
        model = network(name).to(memory_format=torch.channels_last).train()
        context = context_of(model)
        total = num_kept(DENSITY, context.mask.num_weights)
        scores = naive_scores(context)
        candidates = context.mask.tensors
        contests: dict[str, dict[str, Callable[[], object]]] = {
            "scores": {
                "naive": functools.partial(naive_scores, context),
                "ours": functools.partial(Snip().scores, context),
            },
            "selection": {
                "naive": functools.partial(naive_selection, scores, total),
                "ours": functools.partial(largest_of_all, scores, candidates, total),
            },
        }
        size = f"{name} ({context.mask.num_weights / 1e6:.0f}M)"
        for what, contest in contests.items():
            taken = interleaved(contest, repeats=repeats)
            figures += [
                Figure("scoring", f"{size} {what}", taken["ours"].median, "s"),
                Figure(
                    "scoring",
                    f"{size} {what} / naive",
                    median_ratio(taken["naive"], taken["ours"]),
                    "×",
                ),
            ]
        for allocation in (Global(), Lamp()):
            method = PruningMethod(Snip(), allocation)
            event = functools.partial(prune, context, method=method, density=DENSITY)
            seconds = interleaved({"event": event}, repeats=repeats)["event"].median
            kind = type(allocation).__name__.lower()
            figures.append(Figure("scoring", f"{size} whole event, {kind}", seconds, "s"))
    return figures
