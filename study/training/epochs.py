"""How long a megabatch is trained, one pass over it, and evaluation."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from study.data.augmentation import Augmentation
from study.data.batches import ImagePool, num_minibatches
from study.data.dataset import IndexArray
from study.errors import TrialError
from study.pruning.mask import Mask, named_weights
from study.training.generators import global_seed, numpy_generator, torch_generator
from study.training.kernels import PORTABLE, Kernels, convolutions
from study.training.optimiser import OptimiserSpec
from study.training.precision import autocast

# A mean loss over an epoch so many times that of a guess, ln C, is divergence. Learning rates 0.1
# to 1000 on mlp, convnet and resnet20: trials that came back to a useful error had peaks up to 10⁵
# times ln C; of those past 10⁶ none ended below 0.46 where a good rate reaches 0.
LOSS_EXPLOSION = 1e6

EVALUATION_BATCH_SIZE = 128  # larger ones are slower on CPU


def epoch_sizes(num_examples: int, num_samples: int) -> list[int]:
    """Examples of each epoch when ``num_samples`` go through SGD out of ``num_examples``.

    The last epoch is cut short where they do not divide. One that would hold a single example
    gives it to the epoch before: batch normalisation cannot take it.
    """
    full, rest = divmod(num_samples, num_examples)
    sizes = [num_examples] * full
    if rest == 1 and full and num_examples > 1:
        sizes[-1] += 1
    elif rest:
        sizes.append(rest)
    return sizes


def epoch_order(
    pool: IndexArray, size: int, *, seed: int, position: tuple[int, int]
) -> IndexArray:
    """``size`` examples of ``pool`` in random order, each once before any comes twice."""
    rng = numpy_generator(seed, "order", *position)
    order = pool[rng.permutation(len(pool))]
    while len(order) < size:
        order = np.concatenate([order, pool[rng.permutation(len(pool))]])
    return order[:size]


@dataclass(frozen=True)
class EpochTraining:
    """What one epoch of a megabatch is trained with.

    Attributes:
        position: 0-based megabatch and epoch.
        first_step, num_steps: Steps of the megabatch before this epoch, and in all.
        forward: That of whole mini-batches where it is compiled; else None.
    """

    optimiser: OptimiserSpec
    batch_size: int
    augment: Augmentation
    precision: Literal["fp32", "bf16"]
    seed: int
    position: tuple[int, int]
    first_step: int
    num_steps: int
    forward: Callable[[Tensor], Tensor] | None = None
    kernels: Kernels = PORTABLE


def train_epoch_(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    mask: Mask,
    images: ImagePool,
    order: IndexArray,
    settings: EpochTraining,
) -> tuple[float, float]:
    """Train ``model`` in place on ``images`` in the given order.

    Returns:
        Mean loss and accuracy over the epoch as trained.

    Raises:
        TrialError: The loss or a weight is not finite, or the loss has exploded (more than
            ``LOSS_EXPLOSION`` times that of a guess): training diverged.
    """
    device = next(model.parameters()).device
    augmentation = torch_generator(settings.seed, "augmentation", *settings.position)
    masked = _masked_parameters(model, mask)
    forward = model if settings.forward is None else settings.forward
    loss_sum = torch.zeros((), dtype=torch.float64, device=device)
    num_correct = torch.zeros((), dtype=torch.int64, device=device)
    by_kernels = convolutions(settings.kernels, model)
    model.train()
    step = settings.first_step
    with global_seed(device, settings.seed, "dropout", *settings.position):
        for inputs, labels in images.minibatches(
            order, batch_size=settings.batch_size, augment=settings.augment, generator=augmentation
        ):
            for group in optimiser.param_groups:
                group["lr"] = settings.optimiser.lr_at(step, num_steps=settings.num_steps)
            with autocast(settings.precision, device), by_kernels:
                # A mini-batch of another size would have all compiled anew.
                is_whole = len(labels) == settings.batch_size
                logits = forward(inputs) if is_whole else model(inputs)
                loss = functional.cross_entropy(
                    logits, labels, label_smoothing=settings.optimiser.label_smoothing
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch's
            if settings.optimiser.clip_norm is not None:
                _clip_(model, masked, settings.optimiser.clip_norm)
            optimiser.step()
            with torch.no_grad():
                for parameter, kept in masked:
                    parameter.mul_(kept)
                loss_sum += loss.detach() * len(labels)
                num_correct += (logits.detach().argmax(1) == labels).sum()
            step += 1
    mean_loss = float(loss_sum) / len(order)
    # The last step comes after the last loss.
    broken = sum(int((~p.detach().isfinite()).sum()) for p in model.parameters())
    if broken or not np.isfinite(mean_loss):
        megabatch, epoch = settings.position
        raise TrialError(
            f"training diverged: loss is {mean_loss} and {broken} weights are not finite after "
            f"epoch {epoch} of megabatch {megabatch}; try a smaller training.lr"
        )
    if mean_loss > LOSS_EXPLOSION * math.log(logits.shape[1]):
        megabatch, epoch = settings.position
        raise TrialError(
            f"training diverged: the loss exploded, to {mean_loss:.3g} (a guess has "
            f"{math.log(logits.shape[1]):.3g}) in epoch {epoch} of megabatch {megabatch}; try a "
            f"smaller training.lr"
        )
    return mean_loss, int(num_correct) / len(order)


def num_steps(sizes: Sequence[int], batch_size: int) -> int:
    """Steps of SGD in epochs of these sizes."""
    return sum(num_minibatches(size, batch_size) for size in sizes)


def steps_of(sizes: Sequence[int], epoch_index: int, *, batch_size: int) -> range:
    """The 0-based steps of one epoch among those of its megabatch."""
    first = num_steps(sizes[:epoch_index], batch_size)
    return range(first, first + num_steps(sizes[epoch_index : epoch_index + 1], batch_size))


def _masked_parameters(model: nn.Module, mask: Mask) -> list[tuple[nn.Parameter, Tensor]]:
    parameters = named_weights(model, mask.tensors)
    return [
        # Laid out in memory as the weights are: otherwise the product takes twice as long.
        (parameters[name], torch.empty_like(parameters[name]).copy_(tensor))
        for name, tensor in mask.tensors.items()
        if mask.kept_counts[name] < mask.sizes[name]
    ]


def _clip_(model: nn.Module, masked: list[tuple[nn.Parameter, Tensor]], max_norm: float) -> None:
    """Scale all gradients to at most ``max_norm``; those of pruned weights count nothing."""
    for parameter, kept in masked:
        if parameter.grad is not None:
            parameter.grad.mul_(kept)
    nn.utils.clip_grad_norm_(model.parameters(), max_norm)


def wrong_examples(
    model: nn.Module,
    images: ImagePool,
    order: IndexArray,
    *,
    precision: Literal["fp32", "bf16"],
    kernels: Kernels = PORTABLE,
) -> Tensor:
    """Which of ``order`` are misclassified, in evaluation mode, without augmentation.

    Returns:
        Booleans ``[examples]`` in the order given, on the network's device.
    """
    device = next(model.parameters()).device
    by_kernels = convolutions(kernels, model)
    model.eval()
    wrong = [torch.zeros(0, dtype=torch.bool, device=device)]
    with torch.inference_mode():
        for inputs, labels in images.minibatches(order, batch_size=EVALUATION_BATCH_SIZE):
            with autocast(precision, device), by_kernels:
                wrong.append(model(inputs).argmax(1) != labels)
    return torch.cat(wrong)
