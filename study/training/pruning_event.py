"""The pruning event that opens a megabatch."""

from collections.abc import Sequence
from dataclasses import dataclass

from study.data.dataset import IndexArray
from study.data.stream import Megabatch
from study.pruning.granularity.granularity import NetworkPruner
from study.pruning.ledger import layer_densities
from study.pruning.mask import Mask
from study.pruning.prune import num_swapped
from study.pruning.regrow import regrow
from study.pruning.schedules import PruningEvent
from study.pruning.scoring import ScoringContext
from study.results import LayerDensity, TrialHistory
from study.training.generators import numpy_generator
from study.training.specs import PruningSpec


def saliency_order(
    spec: PruningSpec, train: IndexArray, newest: IndexArray, *, seed: int, megabatch_index: int
) -> IndexArray:
    """The examples that scores are computed on, drawn at random from what has arrived.

    ``saliency_fraction`` of them, and at least one mini-batch where there are so many.
    """
    source = train if spec.saliency_source == "replayed" else newest
    rng = numpy_generator(seed, "saliency", megabatch_index)
    return source[rng.permutation(len(source))[: saliency_size(spec, len(source))]]


def saliency_size(spec: PruningSpec, num_source: int) -> int:
    """Of how many examples of ``num_source`` scores are computed."""
    return min(
        max(round(spec.saliency_fraction * num_source), spec.saliency_batch_size), num_source
    )


def opening(
    megabatches: Sequence[Megabatch],
    megabatch_index: int,
    *,
    num_scheduled: int,
    target_density: float | None,
    previous_density: float,
    history: TrialHistory,
) -> PruningEvent:
    """The opening of a megabatch of the stream, as a schedule sees it.

    Args:
        megabatches: The whole stream, and what arrives after it.
        megabatch_index: 0-based; the one that opens.
        num_scheduled: T.
        target_density: Density at the end, for schedules that take one.
        previous_density: Of what the event finds.
        history: Of the megabatches before.
    """
    arrived = megabatches[: megabatch_index + 1]
    return PruningEvent(
        k=megabatch_index + 1,
        num_megabatches=num_scheduled,
        target_density=target_density,
        previous_density=previous_density,
        samples_arrived=sum(len(m.train) + len(m.validation) for m in arrived),
        validation_errors=tuple(
            m.metrics["validation_error_rate"]
            for m in history.megabatches
            if m.is_trained and "validation_error_rate" in m.metrics
        ),
    )


@dataclass(frozen=True)
class PreviousEvent:
    """What the event before left.

    Attributes:
        mask: Of the network in service, which the ledger compares with.
        asked_density: What the event before asked for; 1 at the first, and where the network is
            complete again.
    """

    mask: Mask
    asked_density: float


@dataclass(frozen=True)
class EventResult:
    """What a pruning event comes to.

    Attributes:
        mask: What is kept.
        layers: Its ledger.
        asked_density: What the schedule asked for.
        num_scored: Examples that weights were scored on, forward and backward.
    """

    mask: Mask
    layers: tuple[LayerDensity, ...]
    asked_density: float
    num_scored: int


def pruning_event(
    spec: PruningSpec,
    event: PruningEvent,
    context: ScoringContext,
    pruner: NetworkPruner,
    *,
    previous_event: PreviousEvent,
    num_saliency: int,
) -> EventResult:
    """What is left after the event; the network stays as it is.

    Args:
        spec: What is pruned.
        event: The opening of the megabatch.
        context: The network, its mask, and what to score it on.
        pruner: Of the network.
        previous_event: What stood before this one.
        num_saliency: Examples of the saliency set.

    Raises:
        TrialError: A count or the nesting is broken.
        ValueError: The criterion does not apply to the network.
    """
    previous = context.mask
    density = spec.schedule.density_at(event)
    decision = pruner.decide(
        context, method=spec.method, density=density, asked_before=previous_event.asked_density
    )
    mask = decision.mask
    scored = decision.num_rounds * spec.method.criterion.num_scored(num_saliency)
    if num_swapped(spec.regrow, num_kept=mask.num_kept, num_weights=mask.num_weights):
        mask = regrow(context, mask, fraction=spec.regrow)
        scored += num_saliency
    if not spec.method.reference_compat:  # which is wrong on purpose
        pruner.check_mask(mask, previous=previous, density=density, nested=spec.regrow == 0)
    layers = layer_densities(
        mask,
        previous=previous_event.mask,
        intended=decision.intended_density,
        effective=pruner.effective_counts(mask),
    )
    return EventResult(mask, layers, density, scored)
