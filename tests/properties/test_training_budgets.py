"""What a budget of examples or FLOPs gives each megabatch."""

from dataclasses import dataclass
from itertools import accumulate

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from study.training.budget import Budget, Cost

SIZES = st.lists(st.integers(1, 400), min_size=1, max_size=15).map(tuple)


@dataclass(frozen=True)
class Stream:
    """A stream along which a network shrinks: megabatch k scores at flops[k], trains at k + 1."""

    sizes: tuple[int, ...]
    flops: tuple[int, ...]
    scored: tuple[int, ...]

    @property
    def needed(self) -> int:
        """FLOPs that leave every megabatch two examples of the dense network."""
        return max(
            -(-(paid * self.flops[0] + 2 * self.flops[0]) * sum(self.sizes) // size)
            for paid, size in zip(self.scored, self.sizes, strict=True)
        )


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    sizes = draw(SIZES)
    prices = st.lists(st.integers(1, 10**9), min_size=len(sizes) + 1, max_size=len(sizes) + 1)
    scored = st.lists(st.integers(0, 500), min_size=len(sizes), max_size=len(sizes))
    return Stream(sizes, tuple(sorted(draw(prices), reverse=True)), tuple(draw(scored)))


def learned(stream: Stream, total: int) -> list[Cost]:
    """What was spent at the end of each megabatch."""
    budget = Budget("flops", total, stream.sizes, len(stream.sizes))
    spent = [Cost(0, 0)]
    for k, scored in enumerate(stream.scored):
        scoring = Cost(1, stream.flops[k]).times(scored)
        each = Cost(1, stream.flops[k + 1])
        num = budget.num_samples(k, spent=spent[-1], scoring=scoring, each=each)
        spent.append(spent[-1].plus(scoring).plus(each.times(num)))
    return spent[1:]


@given(streams(), st.integers(0, 10**15))
def test_a_stream_misses_its_flops_by_half_an_example_at_most_at_every_megabatch(
    stream: Stream, extra: int
) -> None:
    total = stream.needed + extra
    for k, spent in enumerate(learned(stream, total)):
        may = total * sum(stream.sizes[: k + 1]) / sum(stream.sizes)
        assert abs(spent.flops - may) <= 0.5 * stream.flops[k + 1] + 1e-9 * total
    assert abs(spent.flops - total) <= 0.5 * stream.flops[-1]


@given(streams(), st.integers(0, 10**15))
def test_a_network_that_gets_smaller_sees_no_fewer_examples(stream: Stream, extra: int) -> None:
    total = stream.needed + extra
    dense = Budget("flops", total, stream.sizes, len(stream.sizes))
    planned = dense.planned_samples(stream.scored, Cost(1, stream.flops[0]))
    assert learned(stream, total)[-1].samples >= sum(planned) + sum(stream.scored)


@given(SIZES, st.integers(1, 10**9), st.integers(0, 10**7), st.data())
def test_flops_of_a_network_that_stays_as_it_is_are_its_examples_in_another_unit(
    sizes: tuple[int, ...], price: int, extra: int, data: st.DataObject
) -> None:
    scored = data.draw(st.lists(st.integers(0, 50), min_size=len(sizes), max_size=len(sizes)))
    total = -(-52 * sum(sizes) // min(sizes)) + extra
    each = Cost(1, price)
    by_samples = Budget("samples", total, sizes, len(sizes)).planned_samples(scored, each)
    by_flops = Budget("flops", total * price, sizes, len(sizes)).planned_samples(scored, each)
    assert by_samples == by_flops


@given(SIZES, st.integers(0, 10**7))
def test_the_parts_of_the_megabatches_add_up_exactly_and_are_fair_to_one_example(
    sizes: tuple[int, ...], extra: int
) -> None:
    total = -(-2 * sum(sizes) // min(sizes)) + extra
    budget = Budget("samples", total, sizes, len(sizes))
    parts = budget.planned_samples([0] * len(sizes), Cost(1, 1))
    assert sum(parts) == total
    assert min(parts) >= 2
    for done, arrived in zip(accumulate(parts), accumulate(sizes), strict=True):
        assert abs(done - total * arrived / sum(sizes)) <= 0.5 + 1e-6


@given(SIZES, st.sampled_from(["samples", "flops"]), st.integers(1, 10**9), st.integers(0, 60))
def test_the_least_total_that_a_refusal_names_is_enough_for_the_megabatch_that_it_names(
    sizes: tuple[int, ...], unit: str, price: int, scored: int
) -> None:
    each = Cost(1, price)

    def planned(total: int) -> list[int]:
        budget = Budget(unit, total, sizes, len(sizes))  # type: ignore[arg-type]  # one of two
        return budget.planned_samples([scored] * len(sizes), each)

    total, named = 1, []
    for _ in range(len(sizes) + 1):
        try:
            assert min(planned(total)) >= 2
            return
        except ValueError as error:
            words = str(error)
            assert words.startswith(f"training.total_{unit} = {total:,} leaves megabatch ")
            total = int(words.split("At least ")[1].split(" are needed")[0].replace(",", ""))
            named.append(total)
    pytest.fail(f"{named} were named, and none is enough")


@given(SIZES, SIZES, st.integers(0, 10**7))
def test_what_arrives_after_the_stream_has_as_many_passes_and_changes_nothing_before(
    sizes: tuple[int, ...], later: tuple[int, ...], extra: int
) -> None:
    assume(min(later) >= min(sizes))
    total, price = 7 * (-(-2 * sum(sizes) // min(sizes)) + extra), Cost(1, 7)
    stream = Budget("flops", total, sizes, len(sizes))
    longer = Budget("flops", total, sizes + later, len(sizes))
    nothing = [0] * len(sizes + later)
    found = longer.planned_samples(nothing, price)
    assert found[: len(sizes)] == stream.planned_samples(nothing[: len(sizes)], price)
    passes = total / 7 / sum(sizes)
    for each, size in zip(found, sizes + later, strict=True):
        assert abs(each - passes * size) <= 1 + 1e-6
