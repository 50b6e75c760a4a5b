import dataclasses
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from study.data.dataset import DataError, ImageDataset
from study.data.splits import floor_fraction, make_splits, stratified_counts

FRACTIONS = st.floats(0.05, 0.6) | st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5])
SEEDS = st.integers(0, 2**31)


def toy(labels: list[int], num_test: int = 0) -> ImageDataset:
    num_classes = max(labels) + 1
    return ImageDataset(
        train_images=np.zeros((len(labels), 1, 4, 4), dtype=np.uint8),
        train_labels=np.array(labels, dtype=np.int64),
        test_images=np.zeros((num_test, 1, 4, 4), dtype=np.uint8) if num_test else None,
        test_labels=np.arange(num_test) % num_classes if num_test else None,
        class_names=tuple(str(label) for label in range(num_classes)),
        mean=(0.5,),
        std=(0.25,),
        crop_and_flip=False,
    )


LABELS = st.lists(st.integers(0, 4), min_size=20, max_size=120)


@given(LABELS, st.integers(0, 9), SEEDS, FRACTIONS, st.floats(0.05, 0.4))
@example([0] * 20, 0, 0, 0.5, 0.125)  # 2.5 test images are three
def test_stream_holdout_and_test_are_disjoint_and_cover_the_data(
    labels, num_test, seed, fraction, test_fraction
):
    dataset = toy(labels, num_test)
    splits = make_splits(
        dataset, seed=seed, holdout_fraction=fraction, test_fraction=test_fraction
    )
    parts = [splits.stream, splits.holdout]
    assert splits.test_is_separate == (num_test > 0)
    if splits.test_is_separate:
        assert splits.test.tolist() == list(range(num_test))
    else:
        parts.append(splits.test)
        assert len(splits.test) == math.floor(test_fraction * len(labels) + 0.5 + 1e-9)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12), st.floats(0, 0.99))
def test_stratified_counts_sum_exactly_and_each_class_is_within_one_of_its_share(sizes, fraction):
    class_sizes = np.array(sizes, dtype=np.int64)
    counts = stratified_counts(class_sizes, fraction)
    assert abs(counts.sum() - fraction * sum(sizes)) <= 0.5 + 1e-6
    assert np.all(np.abs(counts - fraction * class_sizes) <= 1 + 1e-6)
    assert np.all((counts >= 0) & (counts <= class_sizes))


@given(LABELS, SEEDS, FRACTIONS)
def test_equal_seeds_give_equal_splits_and_the_holdout_fraction_leaves_test_alone(
    labels, seed, fraction
):
    dataset = toy(labels)
    once = make_splits(dataset, seed=seed, holdout_fraction=fraction)
    again = make_splits(dataset, seed=seed, holdout_fraction=fraction)
    none = make_splits(dataset, seed=seed, holdout_fraction=0)
    for field in dataclasses.fields(once):
        assert np.array_equal(getattr(once, field.name), getattr(again, field.name))
    assert np.array_equal(once.test, none.test)
    assert len(none.holdout) == 0


def test_another_seed_gives_another_stream_holdout_and_test():
    dataset = toy([0, 1] * 100)
    one = make_splits(dataset, seed=1, holdout_fraction=0.2)
    other = make_splits(dataset, seed=2, holdout_fraction=0.2)
    for name in ("stream", "holdout", "test"):
        assert not np.array_equal(getattr(one, name), getattr(other, name))


@given(st.integers(1, 6), SEEDS)
def test_shots_keep_as_many_of_each_class_and_leave_the_holdout_alone(shots, seed):
    dataset = toy([0, 1, 2] * 20, num_test=6)
    splits = make_splits(dataset, seed=seed, holdout_fraction=0.2, shots_per_class=shots)
    whole = make_splits(dataset, seed=seed, holdout_fraction=0.2)
    assert np.bincount(dataset.train_labels[splits.stream]).tolist() == [shots] * 3
    assert np.array_equal(splits.holdout, whole.holdout)
    assert set(splits.stream.tolist()) <= set(whole.stream.tolist())


def test_too_many_shots_are_refused_with_the_class_and_the_most_there_can_be():
    dataset = toy([0] * 10 + [1] * 4, num_test=2)
    with pytest.raises(DataError, match=r"'1' has 4 examples; it may be at most 4"):
        make_splits(dataset, seed=0, holdout_fraction=0, shots_per_class=5)


@pytest.mark.parametrize(
    ("holdout", "test", "words"),
    [
        (1.0, 0.2, "data.holdout_fraction must be"),
        (-0.1, 0.2, "data.holdout_fraction must be"),
        (0.1, 0.0, "data.test_fraction must be"),
        (0.001, 0.2, "holdout split would be empty"),
        (0.1, 0.001, "test split would be empty"),
    ],
)
def test_fractions_that_make_no_split_are_refused(holdout, test, words):
    with pytest.raises(DataError, match=words):
        make_splits(toy([0, 1] * 10), seed=0, holdout_fraction=holdout, test_fraction=test)


@given(st.integers(0, 1000), st.integers(1, 10))
def test_floor_fraction_of_tenths_is_integer_division(num_examples, tenths):
    assert floor_fraction(tenths / 10, num_examples) == num_examples * tenths // 10


def test_the_class_that_is_named_for_too_many_shots_is_the_one_that_has_the_fewest():
    dataset = toy([0] * 9 + [1] * 3 + [2] * 50, num_test=3)
    said = r"class '1' has 3 examples \(and 1 more .*\); it may be at most 3"
    with pytest.raises(DataError, match=said):
        make_splits(dataset, seed=0, holdout_fraction=0, shots_per_class=10)
