"""Which channels fall together, on networks whose answer is known, and what is refused."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from study.models.channel_map import ChannelMap
from study.models.cifar_resnet import ResNet20
from study.pruning.channels.graph import channel_groups
from study.pruning.channels.groups import ChannelGroups
from tests.helpers.pruning_networks import IMAGE_SHAPE, Tied


class Network(nn.Module):
    """Two convolutions, what ``between`` makes of their results, and a classifier."""

    def __init__(
        self, between: Callable[[Tensor, Tensor], Tensor], *, features: int, **layers: nn.Module
    ) -> None:
        super().__init__()
        self.left = nn.Conv2d(3, 4, 1)
        self.right = nn.Conv2d(3, 4, 1)
        self.scale = nn.Parameter(torch.ones(4, 1, 1))
        self.fc = nn.Linear(features, 2)
        self.between = between
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, images: Tensor) -> Tensor:
        x = self.between(self.left(images), self.right(images))
        logits: Tensor = self.fc(x.flatten(1))
        return logits


def axis(groups: ChannelGroups, name: str, which: str = "rows") -> list[int]:
    """The groups of a tensor's rows or columns; nothing where none ever falls."""
    found = getattr(groups.axes[name], which) if name in groups.axes else None
    return [] if found is None else found.tolist()


def test_a_channel_falls_with_its_bias_its_normalisation_and_its_readers_columns() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.PReLU(2), nn.Flatten(), nn.Linear(8, 3)
    )
    groups = channel_groups(model, (1, 2, 2))
    entries = ["weight", "bias", "running_mean", "running_var"]
    names = ["0.weight", "0.bias", *(f"1.{name}" for name in entries), "2.weight"]
    assert set(groups.axes) == {*names, "4.weight"}
    assert all(axis(groups, name) == [0, 1] for name in names)
    assert axis(groups, "4.weight", "columns") == [0, 0, 0, 0, 1, 1, 1, 1]
    # Neither the images' channels nor the logits.
    assert axis(groups, "0.weight", "columns") == axis(groups, "4.weight") == []
    assert groups.sets.tolist() == [0, 0]


@pytest.mark.parametrize(
    "between",
    [lambda a, b: functional.relu(a + b), lambda a, b: a * b.mean((2, 3), keepdim=True).sigmoid()],
    ids=["sum", "product"],
)
def test_sums_and_products_make_channels_fall_together(
    between: Callable[[Tensor, Tensor], Tensor],
) -> None:
    groups = channel_groups(Network(between, features=16), (3, 2, 2))
    assert axis(groups, "left.weight") == axis(groups, "right.weight") == [0, 1, 2, 3]


def test_concatenated_channels_fall_alone() -> None:
    model = Network(lambda a, b: torch.cat([b, a], 1), features=8)
    groups = channel_groups(model, (3, 1, 1))
    assert axis(groups, "left.weight") == [0, 1, 2, 3]
    assert axis(groups, "right.weight") == [4, 5, 6, 7]
    assert axis(groups, "fc.weight", "columns") == [4, 5, 6, 7, 0, 1, 2, 3]
    assert groups.sets.tolist() == [0] * 4 + [1] * 4


def test_grouped_convolutions_lose_whole_groups_and_depthwise_ones_single_channels() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 1),
        nn.Conv2d(4, 8, 1, groups=2),
        nn.Conv2d(8, 8, 1, groups=8),
        nn.Flatten(),
        nn.Linear(8, 2),
    )
    groups = channel_groups(model, (1, 1, 1))
    assert axis(groups, "0.weight") == [0, 0, 1, 1]
    assert axis(groups, "1.weight") == [0] * 4 + [1] * 4 == axis(groups, "2.weight")
    assert axis(groups, "1.weight", "columns") == axis(groups, "2.weight", "columns") == []
    assert axis(groups, "4.weight", "columns") == [0] * 4 + [1] * 4


def test_option_a_does_not_bind_the_channels_that_it_joins() -> None:
    groups = channel_groups(ResNet20(width=2).build((3, 8, 8), 2), (3, 8, 8))
    stem, wide = axis(groups, "conv1.weight"), axis(groups, "layer2.0.conv2.weight")
    assert not set(stem) & set(wide)
    assert axis(groups, "layer2.0.shortcut.channels.sources") == wide
    assert axis(groups, "layer2.0.shortcut.channels.sources", "columns") == stem
    # Three trunks, and the inner channels of nine blocks.
    assert groups.num_sets == 12


def test_channels_that_are_normalised_together_or_told_by_number_never_fall() -> None:
    class Parts(Network):
        def forward(self, images: Tensor) -> Tensor:
            left, right = self.left(images), self.right(images)
            x = torch.cat([self.norm(left), functional.pad(right[:, :3], [0] * 5 + [1])], 1)
            logits: Tensor = self.fc(functional.relu(self.inner(x)).flatten(1))
            return logits

    def unused(a: Tensor, _: Tensor) -> Tensor:
        return a

    model = Parts(unused, features=8, norm=nn.GroupNorm(2, 4), inner=nn.Conv2d(8, 8, 1))
    groups = channel_groups(model, (3, 1, 1))
    assert axis(groups, "left.weight") == axis(groups, "right.weight") == []
    assert axis(groups, "inner.weight") == list(range(8))
    assert axis(groups, "inner.weight", "columns") == []


def test_channels_with_a_parameter_of_their_own_never_fall() -> None:
    class Scaled(Network):
        def forward(self, images: Tensor) -> Tensor:
            x = torch.cat([self.left(images) * self.scale, self.right(images)], 1)
            logits: Tensor = self.fc(x.flatten(1))
            return logits

    groups = channel_groups(Scaled(torch.add, features=8), (3, 1, 1))
    assert axis(groups, "left.weight") == []
    assert axis(groups, "right.weight") == [0, 1, 2, 3]


def test_linear_layers_on_rows_lose_their_inner_width() -> None:
    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(3)
            self.widen = nn.Linear(3, 4)
            self.narrow = nn.Linear(4, 3)
            self.fc = nn.Linear(3, 2)

        def forward(self, images: Tensor) -> Tensor:
            x = images.permute(0, 2, 3, 1)
            x = x + self.narrow(functional.gelu(self.widen(self.norm(x))))
            logits: Tensor = self.fc(x.mean((1, 2)))
            return logits

    groups = channel_groups(Rows(), IMAGE_SHAPE)
    assert set(groups.axes) == {"widen.weight", "widen.bias", "narrow.weight"}
    assert axis(groups, "widen.weight") == axis(groups, "narrow.weight", "columns") == [0, 1, 2, 3]


def test_outputs_of_excluded_and_frozen_layers_never_fall_and_their_columns_do() -> None:
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(3, 4), nn.Linear(4, 5), nn.Linear(5, 6), nn.Linear(6, 2)
    )
    model[3].requires_grad_(False)
    groups = channel_groups(model, (3, 1, 1), exclude=["2"])
    assert list(groups.sizes) == ["1.weight", "4.weight"]
    assert axis(groups, "1.weight") == axis(groups, "2.weight", "columns") == [0, 1, 2, 3]
    assert groups.num_groups == 4
    with pytest.raises(ValueError, match="matches no prunable layer"):
        channel_groups(model, (3, 1, 1), exclude=["nowhere"])


def test_a_tied_weights_channels_are_the_same_wherever_it_is_used() -> None:
    groups = channel_groups(Tied(), IMAGE_SHAPE)
    channels = list(range(6))
    assert axis(groups, "stem.weight") == channels == axis(groups, "first.weight")
    assert axis(groups, "first.weight", "columns") == axis(groups, "frozen.weight", "columns")
    assert "second.weight" not in groups.axes


REFUSED: dict[str, tuple[nn.Module, str]] = {
    "a function": (Network(lambda a, b: a.cumsum(1) + b, features=4), "cumsum"),
    "a layer": (nn.Sequential(nn.Conv2d(3, 4, 1), nn.Softmax2d()), "Softmax2d 1;"),
    "control flow": (
        Network(lambda a, b: a if a.sum() > 0 else b, features=4),
        "control flow in Network",
    ),
    "a weight that is computed": (
        Network(lambda a, b: functional.linear(a.flatten(1), b.flatten(1)), features=2),
        "linear",
    ),
    "a constant as a weight": (
        Network(lambda a, b: functional.linear((a + b).flatten(1), torch.ones(4, 4)), features=4),
        "linear by computed values",
    ),
    "transposed": (nn.Sequential(nn.ConvTranspose2d(3, 4, 1), nn.Flatten()), "ConvTranspose2d"),
    "broadcast": (Network(lambda a, b: a * b.flatten(1), features=32), "mul of values"),
    "concatenated pixels": (Network(lambda a, b: torch.cat([a, b], 2), features=8), "cat of"),
    "a number of channels": (
        Network(lambda a, b: (a + b).reshape(-1, 4, 1).reshape(-1, 4), features=4),
        "invalid",
    ),
    "an index map of what is not zero": (
        nn.Sequential(
            nn.Conv2d(3, 4, 1), nn.Sigmoid(), ChannelMap([1, 0]), nn.Flatten(), nn.Linear(2, 2)
        ),
        "2.sources of channels that are not zero",
    ),
    "nothing that could fall": (nn.Sequential(nn.Flatten(), nn.Linear(3, 2)), "no channel"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_understood_is_refused_by_its_name_and_with_the_remedy(what: str) -> None:
    model, name = REFUSED[what]
    with pytest.raises(ValueError, match=r"pruning\.granularity: weight") as caught:
        channel_groups(model, (3, 1, 1))
    assert name in str(caught.value)


def test_finding_groups_leaves_the_network_as_it_was() -> None:
    model = ResNet20(width=2).build((3, 8, 8), 2).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    channel_groups(model, (3, 8, 8))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert model.get_submodule("conv1").out_channels == 2
