"""A channel that no logit needs is removed, and no other."""

import copy
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from study.pruning.channels.dead import remove_, without_dead_channels
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from tests.helpers.pruning_networks import Attention

SHAPE = (2, 5, 5)


def pruned(model: nn.Module, **cuts: Tensor) -> tuple[nn.Module, Mask]:
    """The network without the weights that are True in ``cuts``, by name with ``__`` for dots."""
    mask = Mask.dense(prunable_parameters(model))
    for name, cut in cuts.items():
        mask.tensors[name.replace("__", ".")][cut] = False
    mask.apply_(model)
    return model.eval(), mask


def removed(model: nn.Module, mask: Mask) -> Mapping[str, tuple[int, ...]]:
    """What falls, once all that must hold has been checked."""
    original = copy.deepcopy(model.state_dict())
    images = torch.randn(16, *SHAPE, generator=torch.Generator().manual_seed(3)) * 3
    alive = without_dead_channels(model, mask, SHAPE)
    with torch.inference_mode():
        expected, logits = model(images), alive.network(images)
    scale = expected.abs().max().clamp(min=1.0)
    assert (logits - expected).abs().max() <= 1e-5 * scale
    assert all(torch.equal(tensor, original[n]) for n, tensor in model.state_dict().items())

    left = alive.mask(mask)
    weights = dict(alive.network.named_parameters())
    assert all(t.shape == weights[n].shape for n, t in left.tensors.items())
    assert all(bool((weights[n][~t] == 0).all()) for n, t in left.tensors.items())
    twin = copy.deepcopy(model)
    remove_(twin, SHAPE, alive.removed)
    twin.load_state_dict(alive.network.state_dict(), strict=True)
    with torch.inference_mode():
        assert torch.equal(twin(images), logits)
    return alive.removed


def rows(size: tuple[int, ...], *indices: int) -> Tensor:
    flags = torch.zeros(size, dtype=torch.bool)
    flags[list(indices)] = True
    return flags


def columns(size: tuple[int, ...], *indices: int) -> Tensor:
    flags = torch.zeros(size, dtype=torch.bool)
    flags[:, list(indices)] = True
    return flags


def perceptron() -> nn.Module:
    torch.manual_seed(0)
    hidden = [nn.Linear(50, 6), nn.ReLU(), nn.Linear(6, 5), nn.Sigmoid(), nn.Linear(5, 3)]
    return nn.Sequential(nn.Flatten(), *hidden)


def test_a_dense_network_loses_nothing() -> None:
    assert removed(*pruned(perceptron())) == {}
    assert removed(*pruned(Convolutions(padding=1, norm_shift=0.5))) == {}


def test_a_unit_that_leads_nowhere_goes() -> None:
    model, mask = pruned(perceptron(), **{"3__weight": columns((5, 6), 2, 4)})
    assert removed(model, mask) == {"1.weight": (2, 4)}


def test_a_unit_without_inputs_goes_into_the_next_bias() -> None:
    # After a sigmoid it is one half and more, not zero.
    model, mask = pruned(perceptron(), **{"3__weight": rows((5, 6), 1)})
    assert removed(model, mask) == {"3.weight": (1,)}


def test_what_was_wanted_only_by_what_falls_falls_too() -> None:
    cut = torch.zeros(5, 6, dtype=torch.bool)
    cut[[0, 1, 2, 4], 5] = True  # unit 5 of the first layer leads to unit 3 of the second alone
    model, mask = pruned(perceptron(), **{"3__weight": cut, "5__weight": columns((3, 5), 3)})
    assert removed(model, mask) == {"1.weight": (5,), "3.weight": (3,)}


def test_a_layer_that_is_cut_off_altogether_keeps_one_unit() -> None:
    model, mask = pruned(perceptron(), **{"5__weight": torch.ones(3, 5, dtype=torch.bool)})
    assert removed(model, mask) == {"1.weight": (1, 2, 3, 4, 5), "3.weight": (1, 2, 3, 4)}


class Convolutions(nn.Module):
    """The channels of the first convolution are normalised, shifted and read by the second."""

    def __init__(self, *, padding: int, norm_shift: float, bias: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 3, 3, padding=padding, bias=bias)
        self.second_norm = nn.BatchNorm2d(3)
        self.fc = nn.Linear(3, 2)
        with torch.no_grad():
            self.norm.bias.fill_(norm_shift)
            self.norm.running_var.uniform_(0.5, 2.0)
            self.second_norm.running_mean.uniform_(-0.3, 0.3)

    def forward(self, images: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.first(images)))
        x = torch.relu(self.second_norm(self.second(x)))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


FIRST = rows((4, 2, 3, 3), 1, 2)


def test_a_constant_channel_goes_where_it_is_zero() -> None:
    for padding in (0, 1):
        model, mask = pruned(Convolutions(padding=padding, norm_shift=-0.5), first__weight=FIRST)
        assert removed(model, mask) == {"first.weight": (1, 2)}


def test_a_constant_channel_goes_into_the_bias_of_a_convolution_without_padding() -> None:
    model, mask = pruned(Convolutions(padding=0, norm_shift=0.5), first__weight=FIRST)
    assert removed(model, mask) == {"first.weight": (1, 2)}


def test_a_constant_channel_stays_where_padding_or_no_bias_is_in_the_way() -> None:
    padded = Convolutions(padding=1, norm_shift=0.5)
    assert removed(*pruned(padded, first__weight=FIRST)) == {}
    without_bias = Convolutions(padding=0, norm_shift=0.5, bias=False)
    assert removed(*pruned(without_bias, first__weight=FIRST)) == {}


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.branch = nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(4, 2)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        x = functional.relu(x + self.branch(x))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def test_channels_of_a_sum_go_only_where_no_reader_needs_them() -> None:
    by_branch, by_fc = columns((4, 4, 3, 3), 1, 2), columns((2, 4), 1, 3)
    model, mask = pruned(Residual(), branch__weight=by_branch, fc__weight=by_fc)
    assert removed(model, mask) == {"stem.weight": (1,)}


def test_a_layer_that_two_places_use_takes_up_nothing() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first, self.shared = nn.Linear(50, 4), nn.Linear(4, 4)
            self.fc = nn.Linear(4, 2)

        def forward(self, images: Tensor) -> Tensor:
            x = torch.sigmoid(self.first(images.flatten(1)))
            logits: Tensor = self.fc(torch.sigmoid(self.shared(torch.sigmoid(self.shared(x)))))
            return logits

    model, mask = pruned(Twice(), first__weight=rows((4, 50), 1), shared__weight=rows((4, 4), 1))
    assert removed(model, mask) == {}


class Called(nn.Linear):
    """A linear layer of a user's own, which is traced as a call of torch's function."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight, self.bias)


def test_channels_that_a_function_reads_go_only_where_it_needs_none() -> None:
    def network() -> nn.Sequential:
        torch.manual_seed(0)
        hidden = [Called(50, 6), nn.Sigmoid(), Called(6, 5), nn.ReLU(), nn.Linear(5, 3)]
        return nn.Sequential(nn.Flatten(), *hidden)

    assert removed(*pruned(network())) == {}
    model, mask = pruned(network(), **{"3__weight": columns((5, 6), 2, 4)})
    assert removed(model, mask) == {"1.weight": (2, 4)}
    # What is constant there is not known, so that it stays.
    model, mask = pruned(network(), **{"1__weight": rows((6, 50), 1)})
    assert removed(model, mask) == {}


def test_a_bias_that_a_function_uses_too_takes_up_nothing() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first, self.second = nn.Linear(50, 4), nn.Linear(4, 4)
            self.weight = nn.Parameter(torch.randn(4, 4))
            self.fc = nn.Linear(4, 2)

        def forward(self, images: Tensor) -> Tensor:
            x = torch.sigmoid(self.second(torch.sigmoid(self.first(images.flatten(1)))))
            logits: Tensor = self.fc(functional.linear(x, self.weight, self.second.bias))
            return logits

    model, mask = pruned(Shared(), first__weight=rows((4, 50), 1))
    assert removed(model, mask) == {}


def test_what_is_not_understood_and_channels_that_are_not_there_are_told() -> None:
    with pytest.raises(ValueError, match="MultiheadAttention"):
        without_dead_channels(*pruned(Attention()), (3, 6, 6))
    for name, which in (("1.weight", 6), ("1.weight", -1), ("9.weight", 0), ("5.weight", 0)):
        with pytest.raises(ValueError, match=name):
            remove_(perceptron(), SHAPE, {name: (which,)})
