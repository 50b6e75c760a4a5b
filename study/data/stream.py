"""The stream cut into megabatches."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from study.data.dataset import DataError, IndexArray
from study.data.splits import floor_fraction


@dataclass(frozen=True)
class Megabatch:
    """One arrival: disjoint indices into the training arrays, in order of arrival.

    Attributes:
        index: 0-based position in the stream.
        train: Examples for SGD and saliency; never empty.
        validation: Examples for choosing the best epoch; may be empty.
        waits: Whether no model is trained when it arrives: its examples wait for the next.
    """

    index: int
    train: IndexArray
    validation: IndexArray
    waits: bool = False


def cut_stream(
    stream: IndexArray, num_megabatches: int, *, validation_fraction: float
) -> tuple[Megabatch, ...]:
    """Cut the stream into T parts in order, whose sizes differ by one at most.

    Args:
        stream: Indices in order of arrival.
        num_megabatches: T, from 1 to the number of examples.
        validation_fraction: Share of each part in [0, 1), rounded down: the last of it to arrive.

    Raises:
        DataError: A value out of range.
    """
    if not 0 <= validation_fraction < 1:
        raise DataError(
            f"stream.validation_fraction must be at least 0 and below 1, got {validation_fraction}"
        )
    if not 1 <= num_megabatches <= len(stream):
        raise DataError(
            f"stream.num_megabatches must be between 1 and the {len(stream)} examples of the "
            f"stream, got {num_megabatches}"
        )
    megabatches = []
    for index, part in enumerate(np.array_split(stream, num_megabatches)):
        num_validation = min(floor_fraction(validation_fraction, len(part)), len(part) - 1)
        num_train = len(part) - num_validation
        megabatches.append(Megabatch(index, part[:num_train].copy(), part[num_train:].copy()))
    return tuple(megabatches)


def with_arrivals(
    megabatches: tuple[Megabatch, ...],
    arrivals: Iterable[IndexArray],
    *,
    validation_fraction: float,
) -> tuple[Megabatch, ...]:
    """The megabatches of a stream, and each arrival as one more after them."""
    longer = list(megabatches)
    for part in arrivals:
        (alone,) = cut_stream(part, 1, validation_fraction=validation_fraction)
        longer.append(replace(alone, index=len(longer)))
    return tuple(longer)


def with_waiting(
    megabatches: tuple[Megabatch, ...], trained: Collection[int]
) -> tuple[Megabatch, ...]:
    """The same arrivals, of which all wait but those whose indices are in ``trained``."""
    return tuple(replace(m, waits=m.index not in trained) for m in megabatches)


def with_what_waited(arrived: Sequence[Megabatch]) -> list[Megabatch]:
    """Each arrival that a model is trained after, and with it those that had waited for it.

    Args:
        arrived: The megabatches so far; the newest one waits no longer.
    """
    joined: list[Megabatch] = []
    group: list[Megabatch] = []
    for megabatch in arrived:
        group.append(megabatch)
        if not megabatch.waits or megabatch is arrived[-1]:
            train = np.concatenate([m.train for m in group])
            validation = np.concatenate([m.validation for m in group])
            joined.append(Megabatch(megabatch.index, train, validation))
            group = []
    return joined
