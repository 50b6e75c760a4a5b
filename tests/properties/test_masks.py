import io
import pickle
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from study.pruning.allocation import ALLOCATIONS, AllocationContext
from study.pruning.mask import Mask
from study.pruning.prune import num_kept
from study.pruning.top_k import largest, largest_of_all, ranked_counts

DTYPES = [torch.float32, torch.float64]
SHAPES = st.lists(
    st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple), min_size=1, max_size=5
)
LAWS = settings(deadline=None, max_examples=60)


@st.composite
def layers(draw: st.DrawFn) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Scores with many ties, and what survives, by layer."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    dtype = draw(st.sampled_from(DTYPES))
    num_values = draw(st.sampled_from([1, 3, 1000]))
    survival = draw(st.sampled_from([0.3, 0.9, 1.0]))
    scores, survivors = {}, {}
    for index, shape in enumerate(draw(SHAPES)):
        values = torch.randint(num_values, shape, generator=generator)
        scores[f"layer{index}"] = values.to(dtype) / 7
        survivors[f"layer{index}"] = torch.rand(shape, generator=generator) < survival
    return scores, survivors


def by_full_sort(scores: Tensor, survivors: Tensor, total: int) -> Tensor:
    """The definition: a stable sort of the survivors, highest first."""
    indices = survivors.flatten().nonzero().flatten()
    order = scores.flatten()[indices].sort(descending=True, stable=True).indices
    kept = torch.zeros(scores.numel(), dtype=torch.bool)
    kept[indices[order[:total]]] = True
    return kept


@LAWS
@given(layers(), st.floats(0, 1))
def test_the_selection_is_that_of_a_stable_sort_over_all_layers(
    drawn: tuple[dict[str, Tensor], dict[str, Tensor]], fraction: float
) -> None:
    scores, survivors = drawn
    total = round(fraction * sum(int(s.sum()) for s in survivors.values()))
    mask = largest_of_all(scores, survivors, total)
    expected = by_full_sort(
        torch.cat([s.flatten() for s in scores.values()]),
        torch.cat([s.flatten() for s in survivors.values()]),
        total,
    )
    assert torch.equal(torch.cat([m.flatten() for m in mask.tensors.values()]), expected)
    assert sum(ranked_counts(scores, survivors, total).values()) == total == mask.num_kept


@LAWS
@given(layers(), st.integers(0, 700))
def test_a_layer_keeps_exactly_as_many_as_asked_for_or_all_there_are(
    drawn: tuple[dict[str, Tensor], dict[str, Tensor]], count: int
) -> None:
    for name, scores in drawn[0].items():
        survivors = drawn[1][name]
        kept = largest(scores, survivors, count)
        assert int(kept.sum()) == min(count, int(survivors.sum()))
        assert torch.equal(kept.flatten(), by_full_sort(scores, survivors, count))
        assert torch.equal(largest(scores, kept, count), kept), "idempotent at equal count"


@pytest.mark.parametrize("name", ALLOCATIONS.names())
@LAWS
@given(drawn=layers(), densities=st.lists(st.floats(0.001, 1), min_size=1, max_size=5))
def test_an_allocation_keeps_k_weights_at_every_event_of_a_falling_sequence(
    name: str,
    drawn: tuple[dict[str, Tensor], dict[str, Tensor]],
    densities: list[float],
) -> None:
    scores, _ = drawn
    mask = Mask.dense(scores)
    weights = {layer: score - 0.3 for layer, score in scores.items()}
    allocation = ALLOCATIONS.get(name)()
    for density in sorted(densities, reverse=True):
        total = num_kept(density, mask.num_weights)
        counts = allocation.counts(AllocationContext(scores, mask, total, density, weights))
        assert list(counts) == list(scores)
        assert sum(counts.values()) == total
        assert all(0 <= count <= mask.kept_counts[layer] for layer, count in counts.items())
        later = Mask({n: largest(scores[n], m, counts[n]) for n, m in mask.tensors.items()})
        assert later.num_kept == total
        assert later.is_nested_in(mask)
        assert later.density + later.sparsity == pytest.approx(1.0)
        assert set(later.overlap(mask).values()) <= {1.0}
        mask = later


@LAWS
@given(layers())
def test_a_mask_survives_pickle_and_a_checkpoint_of_plain_tensors(
    drawn: tuple[dict[str, Tensor], dict[str, Tensor]],
) -> None:
    mask = Mask(drawn[1])
    assert pickle.loads(pickle.dumps(mask)) == mask
    file = io.BytesIO()
    torch.save(dict(mask.tensors), file)
    file.seek(0)
    assert Mask(torch.load(file, weights_only=True)) == mask
    assert mask.to("cpu") == mask


@LAWS
@given(layers())
def test_masks_differ_when_one_weight_a_layer_or_the_order_differs(
    drawn: tuple[dict[str, Tensor], dict[str, Tensor]],
) -> None:
    mask = Mask(drawn[1])
    name = next(iter(mask.tensors))
    flipped = mask.tensors[name].clone()
    flipped.view(-1)[0] ^= True
    assert mask != replace(mask, tensors={**mask.tensors, name: flipped})
    assert mask != Mask({**mask.tensors, "another": flipped})
    assert mask != "a mask"
    assert (mask & mask) == mask == (mask | mask)


def test_applying_a_mask_zeroes_what_it_prunes_and_nothing_else() -> None:
    model = nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, torch.nan, -3.0], [torch.inf, 5.0, 6.0]]))
    mask = Mask({"weight": torch.tensor([[True, False, False], [False, True, True]])})
    mask.apply_(model)
    assert model.weight.tolist() == [[1.0, 0.0, 0.0], [0.0, 5.0, 6.0]]


def test_a_mask_has_the_memory_format_of_its_weight() -> None:
    weight = torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last)
    kept = largest(weight.abs(), torch.ones_like(weight, dtype=torch.bool), 11)
    assert kept.stride() == weight.stride()
    assert torch.equal(kept, largest(weight.abs().contiguous(), torch.ones(4, 3, 2, 2) > 0, 11))


def test_a_mask_of_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="booleans only, not so: a"):
        Mask({"a": torch.ones(2)})
