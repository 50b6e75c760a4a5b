"""Criteria that look after the flow of gradients or of signal through the network."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from study.pruning.gradients import (
    Loss,
    NamedTensors,
    class_balanced,
    gradients_of,
    scoring_copy,
    summed,
)
from study.pruning.mask import named_weights
from study.pruning.scoring import CRITERIA, Criterion, IterativeCriterion, ScoringContext


@CRITERIA.register("grasp")
@dataclass(frozen=True)
class Grasp(Criterion):
    """w · (Hg): keep what the norm of the gradient lives on (Wang et al., arXiv 2002.07376).

    g and H are gradient and Hessian of the loss of logits / ``temperature``, summed over the
    mini-batches of a class-balanced part of the saliency set, with respect to the weights that
    are still there; training mode. The paper removes the highest −w · (Hg).

    Attributes:
        temperature: Divides the logits, above 0; the paper's is 200.
    """

    signed: ClassVar[bool] = True
    num_passes: ClassVar[int] = 2  # the gradient, and its product with the Hessian

    temperature: float = 200.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise ValueError(
                f"temperature must be a number above 0, got {self.temperature}; 200 is usual"
            )

    def scores(self, context: ScoringContext) -> dict[str, Tensor]:
        """W · (Hg)."""
        loss = self._loss()
        with scoring_copy(context, training=True) as network:
            weights = named_weights(network, context.mask.tensors)
            gradient = summed(
                gradients_of(loss(network, images, labels), weights)
                for images, labels in class_balanced(context.minibatches)
            )
            # A pruned weight is no parameter any more: its gradient takes no part.
            gradient = {n: g * context.mask.tensors[n] for n, g in gradient.items()}
            products = []
            for images, labels in class_balanced(context.minibatches):
                value = loss(network, images, labels)
                products.append(_hessian_product(value, weights, gradient))
            hessian_gradient = summed(products)
            return {n: w.detach() * hessian_gradient[n] for n, w in weights.items()}

    def _loss(self) -> Loss:
        def loss(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
            return nn.functional.cross_entropy(network(images) / self.temperature, labels)

        return loss


def _hessian_product(
    value: Tensor, weights: dict[str, nn.Parameter], direction: NamedTensors
) -> NamedTensors:
    """H·v of ``value``: the derivative of the inner product of its gradient with v.

    Raises:
        ValueError: An operation of the network has no second derivative in torch.
    """
    try:
        slopes = gradients_of(value, weights, create_graph=True)
        along = torch.stack([(slopes[n] * v).sum() for n, v in direction.items()]).sum()
        return gradients_of(along, weights)
    except RuntimeError as error:
        if "derivative for" not in str(error):
            raise
        raise ValueError(
            f"criterion grasp needs second derivatives, and this network has none: {error}; "
            "choose another pruning.criterion"
        ) from error


@CRITERIA.register("synflow")
@dataclass(frozen=True)
class SynFlow(IterativeCriterion):
    """|w · ∂R/∂w|, R the summed output of the network with |w| (Tanaka et al., arXiv 2006.05467).

    Needs no data: the input is one image of ones. Every parameter is replaced by its absolute
    value, fp64, in evaluation mode with the running means of batch normalisation at 0, as in a
    network that has seen nothing: subtracting a mean would cut paths that exist.

    Attributes:
        rounds: Rounds of scoring and pruning in one event, densities falling geometrically; the
            paper's 100 keep layers from collapsing.
    """

    needs_data: ClassVar[bool] = False

    rounds: int = 100

    def scores(self, context: ScoringContext) -> dict[str, Tensor]:
        """|w · ∂R/∂w|."""
        with scoring_copy(context, training=False) as network:
            network.double()
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter.abs_()
                for module in network.modules():
                    if isinstance(module, _BatchNorm) and module.running_mean is not None:
                        module.running_mean.zero_()
            weights = named_weights(network, context.mask.tensors)
            device = next(iter(weights.values())).device
            ones = torch.ones((1, *context.image_shape), dtype=torch.float64, device=device)
            gradients = gradients_of(network(ones).sum(), weights)
            return {name: (w.detach() * gradients[name]).abs() for name, w in weights.items()}
