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
        self._seed = derive_seed(seed, "replay")
        self._samples: list[int] | None = None
        if training.total_samples is not None:
            parts = [m.train for m in megabatches]
            sizes = [len(self._select(parts[: k + 1])) for k in range(len(parts))]
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

    def epoch_sizes(self, megabatch_index: int, num_examples: int) -> list[int]:
        """Examples through SGD in each epoch, of ``num_examples`` to train on."""
        if self._samples is not None:
            return epoch_sizes(num_examples, self._samples[megabatch_index])
        assert self._epochs is not None
        return [num_examples] * self._epochs

    def _select(self, arrived: list[IndexArray]) -> IndexArray:
        return self._replay.select(arrived, seed=self._seed)
