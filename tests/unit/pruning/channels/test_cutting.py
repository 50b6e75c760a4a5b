"""Cutting channels off: shapes, memory formats, momentum, and what is refused."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from study.models.cifar_resnet import ResNet20
from study.models.convnet import Convnet
from study.pruning.channels.cutting import cut_, silenced
from study.pruning.channels.graph import channel_groups
from study.pruning.channels.groups import ChannelGroups
from tests.helpers.pruning_networks import IMAGE_SHAPE, Tied

SHAPE = (3, 8, 8)


def small() -> tuple[nn.Module, ChannelGroups]:
    torch.manual_seed(0)
    model = Convnet(width=4).build(SHAPE, 2)
    return model, channel_groups(model, SHAPE)


def kept_but(groups: ChannelGroups, *fallen: int) -> Tensor:
    kept = groups.everything()
    kept[list(fallen)] = False
    return kept


def test_layers_say_the_sizes_that_they_have_and_what_loses_nothing_stays_the_same_object() -> (
    None
):
    model, groups = small()
    before = dict(model.named_parameters())
    cut_(model, groups, groups.everything(), kept_but(groups, 0, 2))  # of the first block
    first, norm, _, _, second, *_ = model
    assert (first.out_channels, norm.num_features, second.in_channels) == (2, 2, 2)
    assert torch.equal(first.weight, before["0.weight"][[1, 3]])
    assert torch.equal(second.weight, before["4.weight"][:, [1, 3]])
    after = dict(model.named_parameters())
    same = {name for name, parameter in after.items() if parameter is before[name]}
    assert same == {"5.weight", "5.bias", "9.weight", "9.bias"}
    assert isinstance(first.weight, nn.Parameter)


def test_frozen_parameters_stay_frozen_and_tied_ones_tied() -> None:
    model = Tied()
    groups = channel_groups(model, IMAGE_SHAPE)
    cut_(model, groups, groups.everything(), kept_but(groups, 1))
    assert model.second.weight is model.first.weight
    assert model.second.weight.shape == (5, 5, 3, 3)
    assert model.second.in_channels == model.second.out_channels == 5
    assert model.frozen.weight.shape == (6, 5)
    assert not model.frozen.weight.requires_grad
    assert model(torch.randn(2, *IMAGE_SHAPE)).shape == (2, 4)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_weights_keep_their_memory_format_also_with_one_channel(
    layout: torch.memory_format,
) -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(32, 2))
    model = model.to(memory_format=layout)
    groups = channel_groups(model, SHAPE)
    cut_(model, groups, groups.everything(), kept_but(groups, 0, 1))
    expected = torch.empty(2, 1, 3, 3, device="meta", memory_format=layout)
    assert model[1].weight.stride() == expected.stride()


def train_(model: nn.Module, optimiser: torch.optim.Optimizer, num_steps: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(num_steps):
        images = torch.randn(6, *SHAPE, generator=generator, dtype=torch.double)
        loss = functional.cross_entropy(model(images), torch.arange(6) % 2)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(
        model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3, nesterov=True, fused=True
    )


def test_a_cut_network_trains_on_as_the_silenced_one_with_its_momentum() -> None:
    """Channels that are zero, momentum and all, have no gradients and stay zero."""
    torch.manual_seed(1)
    model = ResNet20(width=4).build(SHAPE, 2).double()
    groups = channel_groups(model, SHAPE)
    optimiser = sgd(model)
    train_(model, optimiser, 2, seed=0)
    kept = kept_but(groups, *range(0, groups.num_groups, 3))

    whole = silenced(model, groups, kept)
    of_whole = sgd(whole)
    of_whole.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    for name, parameter in whole.named_parameters():
        momentum = of_whole.state[parameter]["momentum_buffer"]
        rows, columns = groups.slices(name, kept)
        keep = torch.zeros_like(momentum, dtype=torch.bool)
        rows = torch.arange(len(momentum)) if rows is None else rows
        if columns is None:
            keep[rows] = True
        else:
            keep[rows[:, None], columns] = True
        momentum.mul_(keep)
    cut_(model, groups, groups.everything(), kept, optimiser=optimiser)
    assert len(optimiser.state) == len(list(model.parameters()))
    train_(model, optimiser, 3, seed=1)
    train_(whole, of_whole, 3, seed=1)

    images = torch.randn(4, *SHAPE, dtype=torch.double)
    assert torch.allclose(model.eval()(images), whole.eval()(images), atol=1e-9)


def test_channels_never_come_back_and_another_network_is_not_cut() -> None:
    model, groups = small()
    with pytest.raises(ValueError, match="cannot come back"):
        cut_(model, groups, kept_but(groups, 0), groups.everything())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match="not of the network that is to be cut"):
        cut_(model, groups, kept_but(groups, 0), kept_but(groups, 0, 1))
    with pytest.raises(ValueError, match=r"0\.weight of shape"):
        cut_(nn.Sequential(), groups, groups.everything(), kept_but(groups, 0))
    after = model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_an_index_map_is_renumbered_for_what_is_left_on_both_sides() -> None:
    model = ResNet20(width=2).build(SHAPE, 2)
    groups = channel_groups(model, SHAPE)
    shortcut = model.get_submodule("layer2.0.shortcut.channels")
    assert shortcut.sources == (-1, 0, 1, -1)
    axes = groups.axes["layer2.0.shortcut.channels.sources"]
    assert axes.rows is not None
    assert axes.columns is not None
    fallen_input, fallen_output = int(axes.columns[0]), int(axes.rows[3])
    cut_(model, groups, groups.everything(), kept_but(groups, fallen_input, fallen_output))
    assert shortcut.sources == (-1, -1, 0)
    assert model(torch.randn(2, *SHAPE)).shape == (2, 2)
