import pytest
import torch
from torch import nn

from study.errors import TrialError
from study.pruning.ledger import check_mask, check_weights, collapsed_layers, layer_densities
from study.pruning.mask import Mask
from tests.helpers.pruning_networks import build


def mask_of(**kept: str) -> Mask:
    """A mask from strings, ``a="110"``."""
    return Mask({n: torch.tensor([c == "1" for c in bits]) for n, bits in kept.items()})


PREVIOUS = mask_of(a="1111", b="1100")


def test_a_line_holds_counts_densities_and_overlap_of_its_layer() -> None:
    mask = mask_of(a="1100", b="1010")
    lines = layer_densities(
        mask,
        previous=PREVIOUS,
        intended={"a": 0.5, "b": 0.25},
        effective={"a": 1, "b": 2},
    )
    assert [line.layer for line in lines] == ["a", "b"]
    assert [line.num_kept for line in lines] == [2, 2]
    assert [line.num_weights for line in lines] == [4, 4]
    assert [line.density for line in lines] == [0.5, 0.5]
    assert [line.intended_density for line in lines] == [0.5, 0.25]
    assert [line.mask_overlap for line in lines] == [1.0, 0.5]
    assert [line.effective_density for line in lines] == [0.25, 0.5]


def test_without_a_traced_network_the_effective_density_is_unknown_not_zero() -> None:
    lines = layer_densities(
        PREVIOUS, previous=PREVIOUS, intended=PREVIOUS.layer_densities, effective=None
    )
    assert all(line.effective_density is None for line in lines)
    assert collapsed_layers(lines) == ()


def test_a_layer_without_kept_or_without_effective_weights_is_cut() -> None:
    mask = mask_of(a="0000", b="1100", c="1000")
    lines = layer_densities(
        mask,
        previous=mask,
        intended=mask.layer_densities,
        effective={"a": 0, "b": 0, "c": 1},
    )
    assert collapsed_layers(lines) == ("a", "b")
    unknown = layer_densities(mask, previous=mask, intended=mask.layer_densities, effective=None)
    assert collapsed_layers(unknown) == ("a",)


def test_a_mask_with_the_right_count_and_nested_passes() -> None:
    check_mask(mask_of(a="1100", b="1000"), previous=PREVIOUS, density=3 / 8)


def test_a_wrong_count_fails_the_trial_with_both_numbers() -> None:
    with pytest.raises(TrialError, match=r"keeps 3 of 8 weights, but a density of 0\.5 means 4"):
        check_mask(mask_of(a="1100", b="1000"), previous=PREVIOUS, density=0.5)


def test_a_revived_weight_fails_the_trial_unless_nesting_is_not_asked_for() -> None:
    mask = mask_of(a="1100", b="1011")
    with pytest.raises(TrialError, match=r"revives pruned weights: b \(2\)"):
        check_mask(mask, previous=PREVIOUS, density=5 / 8)
    check_mask(mask, previous=PREVIOUS, density=5 / 8, nested=False)


@pytest.mark.parametrize("alive", [1e-30, float("nan"), float("inf")])
def test_a_pruned_weight_that_is_not_zero_fails_the_trial_naming_its_layer(alive: float) -> None:
    model = build("mlp")
    mask = Mask(
        {
            "3.weight": torch.ones(5, 5, dtype=torch.bool),
            "5.weight": torch.eye(4, 5, dtype=torch.bool),
        }
    )
    mask.apply_(model)
    check_weights(model, mask)
    with torch.no_grad():
        model.get_parameter("5.weight")[1, 0] = alive
    with pytest.raises(TrialError, match=r"not zero: 5\.weight \(1\);"):
        check_weights(model, mask)
    mask.apply_(model)
    check_weights(model, mask)


def test_pruned_weights_stay_zero_through_momentum_and_weight_decay() -> None:
    model = nn.Linear(6, 3)
    mask = Mask({"weight": torch.eye(3, 6, dtype=torch.bool)})
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        model(torch.ones(4, 6)).square().sum().backward()
        optimiser.step()
        mask.apply_(model)
        check_weights(model, mask)
    assert int((model.weight != 0).sum()) == 3
