import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.data.dataset import DataError
from study.data.stream import cut_stream


@st.composite
def streams(draw):
    num_examples = draw(st.integers(1, 200))
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(num_examples)
    return order, draw(st.integers(1, num_examples))


@given(streams(), st.floats(0, 0.99))
def test_megabatches_are_disjoint_cover_the_stream_in_order_and_differ_by_one(case, fraction):
    stream, num_megabatches = case
    megabatches = cut_stream(stream, num_megabatches, validation_fraction=fraction)
    parts = [np.concatenate([part.train, part.validation]) for part in megabatches]
    sizes = [len(part) for part in parts]
    assert [part.index for part in megabatches] == list(range(num_megabatches))
    assert np.array_equal(np.concatenate(parts), stream)
    assert max(sizes) - min(sizes) <= 1
    assert all(len(part.train) > 0 for part in megabatches)


@given(streams(), st.integers(0, 9))
def test_validation_is_the_floor_of_its_fraction_of_every_megabatch(case, tenths):
    stream, num_megabatches = case
    for part in cut_stream(stream, num_megabatches, validation_fraction=tenths / 10):
        num_examples = len(part.train) + len(part.validation)
        assert len(part.validation) == num_examples * tenths // 10


def test_one_example_a_megabatch_has_no_validation():
    megabatches = cut_stream(np.arange(5), 5, validation_fraction=0.5)
    assert [len(part.validation) for part in megabatches] == [0] * 5


def test_megabatches_are_copies_so_that_the_stream_cannot_be_written_through_them():
    stream = np.arange(6)
    cut_stream(stream, 2, validation_fraction=0.5)[0].train[:] = 99
    assert stream.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("num_megabatches", [0, -1, 6])
def test_more_megabatches_than_examples_or_none_are_refused_by_name(num_megabatches):
    with pytest.raises(DataError, match=r"stream\.num_megabatches must be between 1 and the 5"):
        cut_stream(np.arange(5), num_megabatches, validation_fraction=0.1)


@pytest.mark.parametrize("fraction", [-0.1, 1.0])
def test_a_validation_fraction_out_of_range_is_refused_by_name(fraction):
    with pytest.raises(DataError, match=r"stream\.validation_fraction"):
        cut_stream(np.arange(5), 2, validation_fraction=fraction)
