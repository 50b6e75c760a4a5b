import torch
from torch import nn

from study.pruning.granularity.weights import forget_pruned_
from study.pruning.mask import Mask


def stepped(model: nn.Module) -> torch.optim.SGD:
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    return optimiser


def test_pruned_weights_forget_their_momentum_even_if_infinite_and_the_others_keep_it() -> None:
    model = nn.Linear(3, 2)
    optimiser = stepped(model)
    momentum = optimiser.state[model.weight]["momentum_buffer"]
    momentum[0, 0] = float("inf")
    before = momentum.clone()
    kept = torch.tensor([[False, True, True], [True, False, True]])
    forget_pruned_(optimiser, model, Mask({"weight": kept}))
    assert torch.equal(momentum[kept], before[kept])
    assert torch.all(momentum[~kept] == 0)


def test_momentum_of_a_tied_weight_is_found_by_any_of_its_names() -> None:
    first, second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    optimiser = stepped(model)
    forget_pruned_(optimiser, model, Mask({"1.weight": torch.zeros(3, 3, dtype=torch.bool)}))
    assert torch.all(optimiser.state[first.weight]["momentum_buffer"] == 0)


def test_a_new_optimiser_has_no_momentum_to_forget() -> None:
    model = nn.Linear(3, 2)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    forget_pruned_(optimiser, model, Mask.dense({"weight": model.weight}))
    assert not optimiser.state
