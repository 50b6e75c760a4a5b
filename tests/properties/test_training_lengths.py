import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from study.training.epochs import epoch_order, epoch_sizes


@given(st.integers(1, 300), st.integers(2, 3000))
def test_epochs_cover_the_samples_and_none_but_the_last_is_cut(
    num_examples: int, num_samples: int
) -> None:
    sizes = epoch_sizes(num_examples, num_samples)
    assert sum(sizes) == num_samples
    assert all(size == num_examples for size in sizes[:-1])
    assert 1 <= sizes[-1] <= num_examples + 1
    if num_examples > 1:
        assert sizes[-1] >= 2


@given(st.integers(1, 60), st.integers(1, 130), st.integers(0, 3), st.integers(0, 3))
def test_an_order_takes_each_example_once_before_any_twice_and_depends_on_its_place(
    num_examples: int, size: int, megabatch: int, epoch: int
) -> None:
    pool = np.arange(1000, 1000 + num_examples)
    order = epoch_order(pool, size, seed=1, position=(megabatch, epoch))
    assert len(order) == size
    for start in range(0, size, num_examples):
        part = order[start : start + num_examples]
        assert len(set(part.tolist())) == len(part)
        assert set(part.tolist()) <= set(pool.tolist())
    again = epoch_order(pool, size, seed=1, position=(megabatch, epoch))
    assert np.array_equal(order, again)
    if size >= 30 and num_examples >= 30:
        later = epoch_order(pool, size, seed=1, position=(megabatch, epoch + 1))
        assert not np.array_equal(order, later)
