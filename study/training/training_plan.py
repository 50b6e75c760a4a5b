"""What each megabatch trains on, and for how long."""

from collections.abc import Sequence

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
            sizes = num_examples(replay, [m.train for m in megabatches], seed=seed)
            num_scheduled = len(sizes) - num_arrivals
            self._samples = megabatch_samples(
                sizes, training.total_samples, num_scheduled=num_scheduled
            )

    def examples(self, megabatch_index: int) -> tuple[IndexArray, IndexArray]:
        """Training and validation examples, replayed ones among them; validation may be empty."""
        arrived = self._megabatches[: megabatch_index + 1]
        train = self._select([m.train for m in arrived])
        if len(train) == 0:
            raise TrialError(f"megabatch {megabatch_index} has no training examples")
        return train, self._select([m.validation for m in arrived])

    def epoch_sizes(self, megabatch_index: int, num_train: int) -> list[int]:
        """Examples through SGD in each epoch, of ``num_train`` to train on."""
        if self._samples is not None:
            return epoch_sizes(num_train, self._samples[megabatch_index])
        assert self._epochs is not None
        return [num_train] * self._epochs

    def _select(self, arrived: Sequence[IndexArray]) -> IndexArray:
        return _selected(self._replay, arrived, self._seed)


def num_examples(replay: ReplayPolicy, parts: Sequence[IndexArray], *, seed: int) -> list[int]:
    """How many examples each megabatch has with what is replayed.

    Args:
        replay: Which of what has arrived it has.
        parts: The examples that arrive with each.
        seed: The trial's.
    """
    return [len(_selected(replay, parts[: k + 1], seed)) for k in range(len(parts))]


def _selected(replay: ReplayPolicy, arrived: Sequence[IndexArray], seed: int) -> IndexArray:
    return replay.select(arrived, seed=derive_seed(seed, "replay"))
