"""What each megabatch trains on, and for how long."""

from collections.abc import Sequence

import numpy as np

from study.data.dataset import IndexArray
from study.data.replay import ReplayPolicy
from study.data.stream import Megabatch
from study.errors import TrialError
from study.pruning.prune import num_kept, num_scored
from study.results import TrialHistory
from study.seeding import derive_seed
from study.training.epochs import after_scoring, epoch_sizes, megabatch_samples
from study.training.pruning_event import opening, saliency_size
from study.training.specs import PruningSpec, TrainingSpec


class TrainingPlan:
    """Examples and epoch lengths of each megabatch: a pure function of stream and settings.

    Args:
        megabatches: The stream, and what arrives after it.
        replay: Which of what has arrived is trained on.
        training: ``epochs`` a megabatch, or ``total_samples`` a trial.
        seed: The trial's.
        num_arrivals: How many of the megabatches arrive after the stream.

    Raises:
        ValueError: ``total_samples`` is too small for the stream.
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
        self._epochs = training.epochs
        self._seed = seed
        self._samples: list[int] | None = None
        if training.total_samples is not None:
            sizes, _ = num_examples(replay, megabatches, seed=seed)
            num_scheduled = len(sizes) - num_arrivals
            self._samples = megabatch_samples(
                sizes, training.total_samples, num_scheduled=num_scheduled
            )

    def _left(self, megabatch_index: int, num_scored: int) -> int:
        assert self._samples is not None
        try:
            return after_scoring(self._samples, {megabatch_index: num_scored})[megabatch_index]
        except ValueError as error:
            raise TrialError(str(error)) from None

    def examples(self, megabatch_index: int) -> tuple[IndexArray, IndexArray]:
        """Training and validation examples, replayed ones among them; validation may be empty."""
        arrived = self._megabatches[: megabatch_index + 1]
        train, validation = replayed(self._replay, arrived, seed=self._seed)
        if len(train) == 0:
            raise TrialError(f"megabatch {megabatch_index} has no training examples")
        return train, validation

    def epoch_sizes(
        self, megabatch_index: int, num_train: int, *, num_scored: int = 0
    ) -> list[int]:
        """Examples through SGD in each epoch, of ``num_train`` to train on.

        Of a budget of ``total_samples`` the megabatch has its share less ``num_scored``, the
        examples that weights were scored on.

        Raises:
            TrialError: Scoring leaves less than two examples of the share.
        """
        if self._samples is not None:
            return epoch_sizes(num_train, self._left(megabatch_index, num_scored))
        assert self._epochs is not None
        return [num_train] * self._epochs


def replayed(
    replay: ReplayPolicy, arrived: Sequence[Megabatch], *, seed: int
) -> tuple[IndexArray, IndexArray]:
    """Training and validation examples of the newest megabatch and of what is replayed with it.

    The policy chooses among both together, so that its capacity holds for both together; what
    arrived for training is trained on, and the rest validates.

    Args:
        replay: Which of what has arrived it has.
        arrived: The megabatches so far, the newest last.
        seed: The trial's.
    """
    everything = [np.concatenate([m.train, m.validation]) for m in arrived]
    chosen = replay.select(everything, seed=derive_seed(seed, "replay"))
    is_train = np.isin(chosen, np.concatenate([m.train for m in arrived]))
    return chosen[is_train], chosen[~is_train]


def num_examples(
    replay: ReplayPolicy, megabatches: Sequence[Megabatch], *, seed: int
) -> tuple[list[int], list[int]]:
    """How many training and validation examples each megabatch has with what is replayed."""
    both = [replayed(replay, megabatches[: k + 1], seed=seed) for k in range(len(megabatches))]
    return [len(train) for train, _ in both], [len(validation) for _, validation in both]


def planned_scoring(
    pruning: PruningSpec,
    megabatches: Sequence[Megabatch],
    sizes: Sequence[int],
    *,
    num_weights: int,
    num_arrivals: int = 0,
) -> list[int]:
    """Examples that each megabatch will score, as far as the configuration tells.

    A schedule that follows the validation error is taken as if it had none to follow.

    Args:
        pruning: What is pruned, and scored on what.
        megabatches: The stream, and what arrives after it.
        sizes: How many each trains on, replay included.
        num_weights: N, the prunable ones.
        num_arrivals: How many of the megabatches arrive after the stream.
    """
    scored, kept = [], num_weights
    for k, size in enumerate(sizes):
        event = opening(
            megabatches,
            k,
            num_scheduled=len(sizes) - num_arrivals,
            target_density=pruning.target_density,
            previous_density=kept / num_weights,
            history=TrialHistory(),
        )
        density = pruning.schedule.density_at(event)
        source = size if pruning.saliency_source == "replayed" else len(megabatches[k].train)
        scored.append(
            num_scored(
                pruning.method,
                num_weights=num_weights,
                kept_before=kept,
                density=density,
                num_saliency=saliency_size(pruning, source),
                regrow=pruning.regrow,
            )
        )
        kept = num_kept(density, num_weights)
    return scored
