"""What each megabatch trains on, and for how long."""

from collections.abc import Sequence

import numpy as np

from study.data.dataset import IndexArray
from study.data.replay import ReplayPolicy
from study.data.stream import Megabatch
from study.errors import TrialError
from study.seeding import derive_seed
from study.training.epochs import epoch_sizes, megabatch_samples
from study.training.specs import TrainingSpec


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

    def examples(self, megabatch_index: int) -> tuple[IndexArray, IndexArray]:
        """Training and validation examples, replayed ones among them; validation may be empty."""
        arrived = self._megabatches[: megabatch_index + 1]
        train, validation = replayed(self._replay, arrived, seed=self._seed)
        if len(train) == 0:
            raise TrialError(f"megabatch {megabatch_index} has no training examples")
        return train, validation

    def epoch_sizes(self, megabatch_index: int, num_train: int) -> list[int]:
        """Examples through SGD in each epoch, of ``num_train`` to train on."""
        if self._samples is not None:
            return epoch_sizes(num_train, self._samples[megabatch_index])
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
