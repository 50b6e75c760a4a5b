"""Who sees what: stream, holdout and test, as functions of ``data.seed`` alone."""

import math
from dataclasses import dataclass

import numpy as np

from study.data.dataset import DataError, ImageDataset, IndexArray
from study.seeding import derive_seed

# 0.1 · 30 is 3.0000000000000004 and 0.7 · 10 is 6.999999999999999: both are meant to be whole.
_FLOAT_SLACK = 1e-9


@dataclass(frozen=True)
class Splits:
    """Indices of the examples of each split. All are disjoint and together cover the data.

    Attributes:
        stream: Indices into the training arrays, in order of arrival.
        arrivals: Indices of each part that arrived after the data set was whole, shuffled.
        holdout: Indices into the training arrays, ascending; what a search optimises on.
        test: Indices, ascending: into the test arrays if ``test_is_separate``, else into the
            training arrays.
        test_is_separate: Whether the data set brought its own test split.
    """

    stream: IndexArray
    holdout: IndexArray
    test: IndexArray
    test_is_separate: bool
    arrivals: tuple[IndexArray, ...] = ()


def make_splits(
    dataset: ImageDataset,
    *,
    seed: int,
    holdout_fraction: float,
    test_fraction: float = 0.2,
    shots_per_class: int | None = None,
) -> Splits:
    """Draw test (where there is none), holdout and the order of the stream.

    Test does not depend on ``holdout_fraction``, nor either of them on ``shots_per_class``, and
    nothing on the number of megabatches or on what arrives later: so runs that differ in these
    are paired.

    Args:
        dataset: The images; only labels are looked at.
        seed: ``data.seed``.
        holdout_fraction: Class-stratified share of the training examples, in [0, 1).
        test_fraction: Share in (0, 1) that becomes test where the data set has no test split.
        shots_per_class: Examples that the stream keeps of each class; None keeps all.

    Raises:
        DataError: A fraction out of range, a split that would be empty, or too few examples
            for the shots.
    """
    _check_fractions(holdout_fraction, test_fraction)
    labels = dataset.train_labels[: dataset.num_before_arrivals]
    rest = np.arange(len(labels), dtype=np.int64)
    if dataset.test_labels is None:
        test, rest = _draw_stratified(rest, labels, test_fraction, derive_seed(seed, "test"))
        _check_not_empty(test, "test", f"data.test_fraction {test_fraction}", len(labels))
    else:
        test = np.arange(len(dataset.test_labels), dtype=np.int64)
    num_before_holdout = len(rest)
    holdout, rest = _draw_stratified(rest, labels, holdout_fraction, derive_seed(seed, "holdout"))
    if holdout_fraction > 0:
        wanted = f"data.holdout_fraction {holdout_fraction}"
        _check_not_empty(holdout, "holdout", wanted, num_before_holdout)
    if shots_per_class is not None:
        rest = _draw_shots(rest, dataset, shots_per_class, derive_seed(seed, "shots"))
    _check_not_empty(rest, "stream", "what test and holdout leave", len(labels))
    stream = np.random.default_rng(derive_seed(seed, "stream")).permutation(rest)
    arrivals = _shuffled_arrivals(dataset, seed)
    return Splits(stream, holdout, test, dataset.test_labels is not None, arrivals)


def _shuffled_arrivals(dataset: ImageDataset, seed: int) -> tuple[IndexArray, ...]:
    """Each arrival's indices in an order of its own: a folder comes class by class."""
    found, first = [], dataset.num_before_arrivals
    for number, size in enumerate(dataset.arrival_sizes):
        generator = np.random.default_rng(derive_seed(seed, "arrival", number))
        found.append(first + generator.permutation(size).astype(np.int64))
        first += size
    return tuple(found)


def stratified_counts(class_sizes: IndexArray, fraction: float) -> IndexArray:
    """How many to draw of each class: ⌊fraction · n + ½⌋ in all, each within one of its share.

    Largest remainder; equal remainders go to the lower class.
    """
    shares = fraction * class_sizes
    counts: IndexArray = np.floor(shares + _FLOAT_SLACK).astype(np.int64)
    missing = round(fraction * int(class_sizes.sum()) + _FLOAT_SLACK) - int(counts.sum())
    by_remainder = np.argsort(counts - shares, kind="stable")
    counts[by_remainder[:missing]] += 1
    return counts


def floor_fraction(fraction: float, num_examples: int) -> int:
    """⌊fraction · n⌋ in exact arithmetic, although 0.7 · 10 is a little less than 7 in floats."""
    return math.floor(fraction * num_examples + _FLOAT_SLACK)


def _draw_stratified(
    indices: IndexArray, labels: IndexArray, fraction: float, seed: int
) -> tuple[IndexArray, IndexArray]:
    """Split ``indices`` into a stratified sample and the rest, both ascending."""
    counts = stratified_counts(np.bincount(labels[indices]), fraction)
    generator = np.random.default_rng(seed)
    drawn = np.zeros(len(labels), dtype=bool)
    for label, count in enumerate(counts):
        members = indices[labels[indices] == label]
        drawn[generator.permutation(members)[:count]] = True
    return indices[drawn[indices]], indices[~drawn[indices]]


def _draw_shots(
    indices: IndexArray, dataset: ImageDataset, shots_per_class: int, seed: int
) -> IndexArray:
    if shots_per_class < 1:
        raise DataError(f"data.shots_per_class must be at least 1, got {shots_per_class}")
    labels = dataset.train_labels[indices]
    sizes = np.bincount(labels, minlength=dataset.num_classes)
    num_short = int(np.count_nonzero(sizes < shots_per_class))
    if num_short:
        raise DataError(
            f"data.shots_per_class is {shots_per_class}, but after holdout and test the class "
            f"{dataset.class_names[sizes.argmin()]!r} has {sizes.min()} examples"
            f"{f' (and {num_short - 1} more classes have too few)' if num_short > 1 else ''}; "
            f"it may be at most {sizes.min()}"
        )
    generator = np.random.default_rng(seed)
    kept = [
        generator.permutation(indices[labels == label])[:shots_per_class]
        for label in range(dataset.num_classes)
    ]
    return np.sort(np.concatenate(kept))


def _check_fractions(holdout_fraction: float, test_fraction: float) -> None:
    if not 0 <= holdout_fraction < 1:
        raise DataError(
            f"data.holdout_fraction must be at least 0 and below 1, got {holdout_fraction}; "
            "a tenth is 0.1"
        )
    if not 0 < test_fraction < 1:
        raise DataError(
            f"data.test_fraction must be above 0 and below 1, got {test_fraction}; a fifth is 0.2"
        )


def _check_not_empty(indices: IndexArray, split: str, reason: str, num_examples: int) -> None:
    if len(indices) == 0:
        raise DataError(
            f"the {split} split would be empty: {reason} of {num_examples} examples is none; "
            "change the fraction or bring more data"
        )
