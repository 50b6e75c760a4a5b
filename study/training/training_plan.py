"""What each megabatch trains on, and for how long."""

from collections.abc import Sequence

import numpy as np

from study.data.dataset import IndexArray
from study.data.replay import ReplayPolicy
from study.data.stream import Megabatch, with_what_waited
from study.errors import TrialError
from study.pruning.prune import num_kept, num_scored
from study.results import TrialHistory
from study.seeding import derive_seed
from study.training.budget import Budget, Cost, budget_of
from study.training.pruning_event import opening, saliency_size
from study.training.specs import PruningSpec, TrainingSpec


class TrainingPlan:
    """Examples of each megabatch, and how many of them go through SGD, at what they cost.

    Args:
        megabatches: The stream, and what arrives after it.
        replay: Which of what has arrived is trained on.
        training: ``epochs`` or ``samples_per_model`` a megabatch, or a budget of
            ``total_samples`` or ``total_flops``.
        seed: The trial's.
        num_arrivals: How many of the megabatches arrive after the stream.
    """

    def __init__(
        self,
        megabatches: Sequence[Megabatch],
        replay: ReplayPolicy,
        training: TrainingSpec,
        *,
        seed: int,
        num_arrivals: int = 0,
    ) -> None:
        self._megabatches = megabatches
        self._replay = replay
        self._training = training
        self._seed = seed
        self._budget: Budget | None = None
        if training.is_by_budget:
            sizes, _ = num_examples(replay, megabatches, seed=seed)
            self._budget = budget_of(
                sizes,
                num_scheduled=len(sizes) - num_arrivals,
                total_samples=training.total_samples,
                total_flops=training.total_flops,
            )

    def examples(self, megabatch_index: int) -> tuple[IndexArray, IndexArray]:
        """Training and validation examples, replayed ones among them; validation may be empty."""
        arrived = self._megabatches[: megabatch_index + 1]
        train, validation = replayed(self._replay, arrived, seed=self._seed)
        if len(train) == 0:
            raise TrialError(f"megabatch {megabatch_index} has no training examples")
        return train, validation

    def num_samples(
        self, megabatch_index: int, num_train: int, *, spent: Cost, scoring: Cost, each: Cost
    ) -> int:
        """Examples through SGD in a megabatch, of ``num_train`` to train on.

        Args:
            megabatch_index: 0-based.
            num_train: How many different ones there are.
            spent: By the megabatches before it.
            scoring: Of scoring its weights.
            each: Of training on one example with the network that its pruning event has left.

        Raises:
            TrialError: Scoring leaves less than two examples of a budget's share.
        """
        if self._budget is None:
            return samples_of_each(
                num_train,
                epochs=self._training.epochs,
                samples_per_model=self._training.samples_per_model,
            )
        try:
            return self._budget.num_samples(
                megabatch_index, spent=spent, scoring=scoring, each=each
            )
        except ValueError as error:
            raise TrialError(str(error)) from None


def replayed(
    replay: ReplayPolicy, arrived: Sequence[Megabatch], *, seed: int
) -> tuple[IndexArray, IndexArray]:
    """Training and validation examples of the newest megabatch and of what is replayed with it.

    The policy chooses among both together, so that its capacity holds for both together; what
    arrived for training is trained on, and the rest validates. What has waited belongs to the
    arrival that it waited for.

    Args:
        replay: Which of what has arrived it has.
        arrived: The megabatches so far, the newest last.
        seed: The trial's.
    """
    arrived = with_what_waited(arrived)
    everything = [np.concatenate([m.train, m.validation]) for m in arrived]
    chosen = replay.select(everything, seed=derive_seed(seed, "replay"))
    is_train = np.isin(chosen, np.concatenate([m.train for m in arrived]))
    return chosen[is_train], chosen[~is_train]


def num_examples(
    replay: ReplayPolicy, megabatches: Sequence[Megabatch], *, seed: int
) -> tuple[list[int], list[int]]:
    """How many training and validation examples each megabatch has with what is replayed.

    0 where it waits.
    """
    sizes = [
        (0, 0)
        if megabatch.waits
        else tuple(len(p) for p in replayed(replay, megabatches[: k + 1], seed=seed))
        for k, megabatch in enumerate(megabatches)
    ]
    return [train for train, _ in sizes], [validation for _, validation in sizes]


def samples_of_each(num_train: int, *, epochs: int | None, samples_per_model: int | None) -> int:
    """Examples through SGD in a megabatch without a budget; 0 where it waits.

    Args:
        num_train: How many different ones there are.
        epochs: Over them; or else
        samples_per_model: Examples, however many there are.
    """
    if samples_per_model is not None:
        return samples_per_model if num_train else 0
    assert epochs is not None
    return num_train * epochs


def saliency_sources(
    pruning: PruningSpec, megabatches: Sequence[Megabatch], sizes: Sequence[int]
) -> list[int]:
    """Of how many examples each megabatch draws those that it scores weights on.

    ``sizes`` are how many each trains on, replay included.
    """
    if pruning.saliency_source == "replayed":
        return list(sizes)
    return [len(with_what_waited(megabatches[: k + 1])[-1].train) for k in range(len(sizes))]


def planned_scoring(
    pruning: PruningSpec,
    megabatches: Sequence[Megabatch],
    sizes: Sequence[int],
    *,
    num_weights: int,
    restarts_mask: bool = False,
    num_arrivals: int = 0,
) -> list[int]:
    """Examples that each megabatch will score, as far as the configuration tells.

    A schedule that follows the validation error is taken as if it had none to follow.

    Args:
        pruning: What is pruned, and scored on what.
        megabatches: The stream, and what arrives after it.
        sizes: How many each trains on, replay included; those that wait count nothing.
        num_weights: N, the prunable ones.
        restarts_mask: Whether each event prunes a complete network.
        num_arrivals: How many of the megabatches arrive after the stream.
    """
    scored, kept = [], num_weights
    sources = saliency_sources(pruning, megabatches, sizes)
    for k in range(len(sizes)):
        if megabatches[k].waits:
            scored.append(0)
            continue
        event = opening(
            megabatches,
            k,
            num_scheduled=len(sizes) - num_arrivals,
            target_density=pruning.target_density,
            previous_density=1.0 if restarts_mask else kept / num_weights,
            history=TrialHistory(),
        )
        density = pruning.schedule.density_at(event)
        scored.append(
            num_scored(
                pruning.method,
                num_weights=num_weights,
                kept_before=num_weights if restarts_mask else kept,
                density=density,
                num_saliency=saliency_size(pruning, sources[k]),
                regrow=pruning.regrow,
            )
        )
        kept = num_kept(density, num_weights)
    return scored
