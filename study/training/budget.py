"""What the training of a trial may cost in all, and what each megabatch has of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple


class Cost(NamedTuple):
    """Examples forward and backward through a network, and the FLOPs that these took."""

    samples: int
    flops: int

    def times(self, num_examples: int) -> "Cost":
        """The cost of so many examples, where this is that of one."""
        return Cost(self.samples * num_examples, self.flops * num_examples)

    def plus(self, other: "Cost") -> "Cost":
        """Both together."""
        return Cost(self.samples + other.samples, self.flops + other.flops)


@dataclass(frozen=True)
class Budget:
    """So many examples or FLOPs for a stream, training and the scoring of weights together.

    Up to the end of megabatch k the trial may spend total · (n_1 + … + n_k) / Σ n_j. What it has
    left of that, or has overspent, is carried on to the next: as a megabatch trains on whole
    examples, that is half of one at most, and the whole misses the total by no more. What arrives
    after the stream gets as many passes as the stream, on top.

    Attributes:
        unit: What is counted.
        total: Of the stream.
        sizes: n_1 … n_T, what each megabatch trains on, 0 where it waits, and after them those of
            what arrives after the stream.
        num_scheduled: T.
    """

    unit: Literal["samples", "flops"]
    total: int
    sizes: tuple[int, ...]
    num_scheduled: int

    @property
    def setting(self) -> str:
        """Its path in a study file."""
        return f"training.total_{self.unit}"

    def num_samples(self, megabatch_index: int, *, spent: Cost, scoring: Cost, each: Cost) -> int:
        """How many examples a megabatch trains on, once its weights are scored.

        Args:
            megabatch_index: 0-based.
            spent: By the megabatches before it.
            scoring: What scoring its weights took, on the network before its pruning event.
            each: Of training on one example, on the network after its pruning event.

        Raises:
            ValueError: They are fewer than two.
        """
        arrived, everything = sum(self.sizes[: megabatch_index + 1]), self._everything
        gone, price = self._amount(spent.plus(scoring)), self._amount(each)
        left = self.total * arrived - gone * everything
        # To the nearest in whole numbers, so that no example is lost to floating point.
        found = (2 * left + price * everything) // (2 * price * everything)
        if found < 2:
            raise ValueError(self._too_little(megabatch_index, max(found, 0), scoring, each))
        return found

    def planned_samples(self, scored: Sequence[int], each: Cost) -> list[int]:
        """How many examples each megabatch trains on, if the network stays as it is.

        One that gets smaller along the stream trains on more, where FLOPs are counted.

        Args:
            scored: Examples that each scores its weights on.
            each: The cost of one example.

        Returns:
            One number each, 0 where it waits.

        Raises:
            ValueError: A megabatch gets fewer than two.
        """
        found: list[int] = []
        spent = Cost(0, 0)
        for k, num_scored in enumerate(scored):
            if not self.sizes[k]:
                found.append(0)
                continue
            scoring = each.times(num_scored)
            found.append(self.num_samples(k, spent=spent, scoring=scoring, each=each))
            spent = spent.plus(scoring).plus(each.times(found[-1]))
        return found

    @property
    def _everything(self) -> int:
        return sum(self.sizes[: self.num_scheduled])

    def _amount(self, cost: Cost) -> int:
        return cost.samples if self.unit == "samples" else cost.flops

    def _too_little(self, megabatch_index: int, found: int, scoring: Cost, each: Cost) -> str:
        size, paid, price = (
            self.sizes[megabatch_index], self._amount(scoring), self._amount(each)
        )  # fmt: skip
        smallest = size if paid else min(filter(None, self.sizes))
        enough = -(-(paid + 2 * price) * self._everything // smallest)
        share = self.total * size // self._everything
        what = "examples" if self.unit == "samples" else "FLOPs"
        examples = "" if self.unit == "samples" else f", and an example takes {price:,}"
        scores = f", of which scoring its weights takes {paid:,}" if paid else ""
        remedy = (
            ", lower saliency.fraction, or take fewer megabatches or a pruning.criterion without "
            "data"
            if paid
            else ", or take fewer megabatches"
        )
        return (
            f"{self.setting} = {self.total:,} leaves megabatch {megabatch_index} with {found} "
            f"examples to train on: its share is {share:,} {what}{scores}{examples}. At least "
            f"{enough:,} are needed for stream.num_megabatches = {self.num_scheduled}; raise it"
            f"{remedy}"
        )


def budget_of(
    sizes: Sequence[int],
    *,
    num_scheduled: int,
    total_samples: int | None,
    total_flops: int | None,
) -> Budget | None:
    """What a trial may spend; None where neither total is given, and it trains by epochs."""
    if total_samples is not None:
        return Budget("samples", total_samples, tuple(sizes), num_scheduled)
    if total_flops is not None:
        return Budget("flops", total_flops, tuple(sizes), num_scheduled)
    return None
