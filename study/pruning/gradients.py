"""Gradients for scoring, taken on a copy of the network so that the network stays as it is."""

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own habit
from torch.nn.attention import SDPBackend, sdpa_kernel

from study.errors import TrialError
from study.pruning.mask import named_weights
from study.pruning.scoring import ScoringContext

NamedTensors = dict[str, Tensor]
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]
MiniBatch = tuple[Tensor, Tensor]


@contextmanager
def isolated_rng(device: torch.device, generator: torch.Generator) -> Iterator[None]:
    """Torch's global random state seeded from ``generator`` within, and as before afterwards."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        seed = int(torch.randint(2**62, (1,), generator=generator))
        torch.default_generator.manual_seed(seed)
        for index in cuda:
            with torch.cuda.device(index):
                torch.cuda.manual_seed(seed)
        yield


@contextmanager
def scoring_copy(context: ScoringContext, *, training: bool) -> Iterator[nn.Module]:
    """A copy of the network on which only the weights to be scored require gradients.

    Within, gradients are on, autocast is off, and chance comes from the context's generator.

    Args:
        context: What is scored.
        training: Whether the copy is in training mode or in evaluation mode.
    """
    device = next(iter(context.mask.tensors.values())).device
    with (
        isolated_rng(device, context.generator),
        torch.enable_grad(),
        torch.autocast(device.type, enabled=False),
        # The fused kernels of attention have no second derivative and no batching over weights.
        sdpa_kernel(SDPBackend.MATH),
    ):
        network = copy.deepcopy(context.model).train(training).requires_grad_(False)
        network.zero_grad(set_to_none=True)
        for weight in named_weights(network, context.mask.tensors).values():
            weight.requires_grad_(True)
        yield network


def cross_entropy(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The mean cross-entropy of a mini-batch."""
    return F.cross_entropy(network(images), labels)


def gradients_of(
    value: Tensor, weights: dict[str, nn.Parameter], *, create_graph: bool = False
) -> NamedTensors:
    """∂value/∂w by name; zero for a weight that ``value`` does not depend on."""
    gradients = torch.autograd.grad(
        value,
        list(weights.values()),
        create_graph=create_graph,
        allow_unused=True,
        materialize_grads=True,
    )
    return dict(zip(weights, gradients, strict=True))


def summed_gradients(
    context: ScoringContext, term: Callable[[NamedTensors], NamedTensors] | None = None
) -> NamedTensors:
    """Σ_b term(g_b), g_b the gradient of mini-batch b's mean cross-entropy, in training mode.

    Args:
        context: What is scored.
        term: What is summed; g_b itself by default.

    Raises:
        TrialError: There are no mini-batches.
    """
    with scoring_copy(context, training=True) as network:
        weights = named_weights(network, context.mask.tensors)
        gradients = (
            gradients_of(cross_entropy(network, images, labels), weights)
            for images, labels in filled(context.minibatches())
        )
        return summed(gradients if term is None else map(term, gradients))


def summed(gradients: Iterable[NamedTensors]) -> NamedTensors:
    """Σ over ``gradients``, by name; they are not changed."""
    total: NamedTensors = {}
    for gradient in gradients:
        total = {
            name: total[name] + tensor if total else tensor for name, tensor in gradient.items()
        }
    return total


def filled(minibatches: Iterable[MiniBatch]) -> Iterator[MiniBatch]:
    """The mini-batches, of which there must be at least one.

    Raises:
        TrialError: There are none.
    """
    is_empty = True
    for minibatch in minibatches:
        is_empty = False
        yield minibatch
    if is_empty:
        raise TrialError(
            "the saliency set is empty, so no weight can be scored; raise saliency.fraction or "
            "use fewer, larger megabatches"
        )


def class_balanced(minibatches: Callable[[], Iterable[MiniBatch]]) -> Iterator[MiniBatch]:
    """The first n examples of each class that is there, n the size of the rarest of them.

    Cut into mini-batches as large as the first of ``minibatches``; none has a single example
    unless it is all there is, since batch normalisation cannot take it.
    """
    counts = torch.bincount(torch.cat([labels.cpu() for _, labels in filled(minibatches())]))
    wanted = torch.where(counts > 0, counts[counts > 0].min(), 0)
    held: MiniBatch | None = None
    size = 0
    for images, labels in minibatches():
        size = size or len(labels)
        picked, wanted = _first_of_each_class(labels.cpu(), wanted)
        picked = picked.to(labels.device)
        fresh = (images[picked], labels[picked])
        held = fresh if held is None else (torch.cat((held[0], fresh[0])), _cat(held, fresh))
        if len(held[1]) >= size + 2:
            yield held[0][:size], held[1][:size]
            held = (held[0][size:], held[1][size:])
    if held is not None and len(held[1]):
        yield held


def _cat(held: MiniBatch, fresh: MiniBatch) -> Tensor:
    return torch.cat((held[1], fresh[1]))


def _first_of_each_class(labels: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Indices of the first ``wanted[c]`` examples of each class c, and how many are left to find.

    Args:
        labels: CPU labels ``[B]``.
        wanted: Number of examples by class.
    """
    one_hot = F.one_hot(labels, len(wanted))
    # 1-based number of each example within its class.
    rank = one_hot.cumsum(0).gather(1, labels[:, None]).squeeze(1)
    picked = rank <= wanted[labels]
    return picked.nonzero().flatten(), wanted - one_hot[picked].sum(0)
