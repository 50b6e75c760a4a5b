"""Criteria from first-order gradients of mini-batches or of single examples."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F  # noqa: N812  # torch's own habit
from torch.nn.modules.batchnorm import _BatchNorm

from study.pruning.gradients import (
    NamedTensors,
    filled,
    scoring_copy,
    summed,
    summed_gradients,
)
from study.pruning.mask import named_weights
from study.pruning.scoring import (
    CRITERIA,
    Criterion,
    IterativeCriterion,
    MiniBatches,
    ScoringContext,
)

# Numbers that the gradients of single examples may take up at once (fp32: 256 MB).
_MAX_GRADIENT_NUMBERS = 2**26


@CRITERIA.register("snip")
@dataclass(frozen=True)
class Snip(IterativeCriterion):
    """|w · Σ_b g_b|: how fast the loss changes as a weight goes (Lee et al., arXiv 1810.02340).

    Training mode; g_b is the gradient of mini-batch b.

    Attributes:
        rounds: Rounds of scoring and pruning in one event, densities falling geometrically
            (iterative SNIP, de Jorge et al., arXiv 2006.09081).
    """

    def scores(self, context: ScoringContext) -> dict[str, Tensor]:
        """|w · Σ_b g_b|."""
        weights = named_weights(context.model, context.mask.tensors)
        gradients = summed_gradients(context)
        return {name: (weights[name].detach() * g).abs() for name, g in gradients.items()}


@CRITERIA.register("taylor")
@dataclass(frozen=True)
class Taylor(Criterion):
    """Mean over mini-batches of |w · g_b| (first order, Molchanov et al., arXiv 1611.06440).

    Training mode. Unlike SNIP's, the signs of different mini-batches do not cancel.
    """

    def scores(self, context: ScoringContext) -> dict[str, Tensor]:
        """Mean over b of |w · g_b|."""
        weights = named_weights(context.model, context.mask.tensors)

        def changes(gradients: NamedTensors) -> NamedTensors:
            return {n: (weights[n].detach() * g).abs() for n, g in gradients.items()}

        total = summed_gradients(context, changes)
        num_minibatches = sum(1 for _ in context.minibatches())
        return {name: change / num_minibatches for name, change in total.items()}


@CRITERIA.register("fisher")
@dataclass(frozen=True)
class Fisher(Criterion):
    """½ · w² · E[g²], g of single examples: the diagonal form of optimal brain damage.

    A single example has no batch statistics, so the copy that is scored is in evaluation mode.
    Its batch normalisation first takes the mean statistics of the saliency mini-batches, since
    the running ones of a network that was not trained yet mean nothing.
    """

    num_passes: ClassVar[int] = 2  # batch statistics, and the gradients of single examples

    def scores(self, context: ScoringContext) -> dict[str, Tensor]:
        """½ · w² · E[g²]."""
        with scoring_copy(context, training=False) as network:
            _take_statistics(network, context.minibatches)
            weights = named_weights(network, context.mask.tensors)
            num_weights = sum(weight.numel() for weight in weights.values())
            chunk = max(1, _MAX_GRADIENT_NUMBERS // num_weights)
            values = {name: weight.detach() for name, weight in weights.items()}
            with warnings.catch_warnings():
                # Some operations (permuted layouts) are taken one example at a time: no matter.
                warnings.filterwarnings("ignore", message="There is a performance drop")
                squares = summed(_squared_gradients(network, values, context.minibatches, chunk))
            num_examples = sum(len(labels) for _, labels in context.minibatches())
            return {
                name: 0.5 * values[name].square() * square / num_examples
                for name, square in squares.items()
            }


def _take_statistics(network: nn.Module, minibatches: MiniBatches) -> None:
    layers = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean over mini-batches, each alike
        layer.train()
    if layers:
        with torch.no_grad():
            for images, _ in minibatches():
                network(images)
    for layer in layers:
        layer.eval()


def _squared_gradients(
    network: nn.Module, values: NamedTensors, minibatches: MiniBatches, chunk: int
) -> Iterator[NamedTensors]:
    """Σ g² over the examples of each chunk."""

    def loss(weights: NamedTensors, image: Tensor, label: Tensor) -> Tensor:
        logits: Tensor = functional_call(network, weights, (image[None],))
        return F.cross_entropy(logits, label[None])

    single_gradients = vmap(grad(loss), in_dims=(None, 0, 0), randomness="different")
    for images, labels in filled(minibatches()):
        for some, theirs in zip(
            torch.split(images, chunk), torch.split(labels, chunk), strict=True
        ):
            gradients = single_gradients(values, some, theirs)
            yield {name: gradient.square().sum(0) for name, gradient in gradients.items()}
