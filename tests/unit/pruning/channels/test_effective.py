"""Effective weights on networks whose answer is known, and laws."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from study.models.architecture import ARCHITECTURES
from study.models.cifar_resnet import ResNet20
from study.models.convnet import Convnet
from study.models.mlp import Mlp
from study.pruning.channels.effective import effective_counts
from study.pruning.channels.links import NotUnderstoodError
from study.pruning.channels.tracing import trace
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters


def dense(model: nn.Module) -> dict[str, Tensor]:
    return {
        name: torch.ones(parameter.shape, dtype=torch.bool)
        for name, parameter in prunable_parameters(model).items()
    }


def random_masks(model: nn.Module, density: float, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(tensor.shape, generator=generator) < density
        for name, tensor in dense(model).items()
    }


def chain() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Conv2d(3, 4, 3, padding=1),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 5),
    )


def test_a_channel_cut_before_takes_its_consumers_with_it() -> None:
    model, masks = chain(), dense(chain())
    masks["0.weight"][1] = False  # nothing enters channel 1; its bias is a constant
    counts = effective_counts(model, masks, (2, 4, 4))
    assert counts == {"0.weight": 2 * 2 * 9, "3.weight": 4 * 2 * 9, "6.weight": 80}


def test_a_channel_cut_behind_takes_its_producers_with_it() -> None:
    model, masks = chain(), dense(chain())
    masks["6.weight"][:, 4:8] = False  # the features of channel 1
    counts = effective_counts(model, masks, (2, 4, 4))
    assert counts == {"0.weight": 54, "3.weight": 3 * 3 * 9, "6.weight": 60}


def test_a_layer_cut_off_leaves_no_effective_weight_in_a_chain() -> None:
    model, masks = chain(), dense(chain())
    masks["3.weight"][:] = False
    assert effective_counts(model, masks, (2, 4, 4)) == dict.fromkeys(masks, 0)


def test_one_kept_feature_keeps_its_channel() -> None:
    model, masks = chain(), dense(chain())
    masks["6.weight"][:] = False
    masks["6.weight"][2, 5] = True
    counts = effective_counts(model, masks, (2, 4, 4))
    assert counts == {"0.weight": 54, "3.weight": 27, "6.weight": 1}


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 1)
        self.branch = nn.Conv2d(2, 2, 1)
        self.fc = nn.Linear(2, 2)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        x = functional.relu(x + self.branch(x))
        return self.fc(x.mean((2, 3)))


def test_a_shortcut_keeps_alive_what_its_branch_cuts() -> None:
    model, masks = Residual(), dense(Residual())
    masks["branch.weight"][:] = False
    counts = effective_counts(model, masks, (1, 3, 3))
    assert counts == {"stem.weight": 2, "branch.weight": 0, "fc.weight": 4}


def test_a_branch_feeds_a_channel_that_the_shortcut_leaves_empty() -> None:
    model, masks = Residual(), dense(Residual())
    masks["stem.weight"][1] = False
    counts = effective_counts(model, masks, (1, 3, 3))
    assert counts == {"stem.weight": 1, "branch.weight": 2, "fc.weight": 4}


def test_depthwise_and_grouped_convolutions_keep_to_their_channels() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 1),
        nn.Conv2d(4, 4, 3, groups=4),
        nn.Conv2d(4, 6, 1, groups=2),
        nn.Flatten(),
        nn.Linear(6, 2),
    )
    masks = dense(model)
    masks["1.weight"][0] = False
    masks["4.weight"][:, 3:] = False  # the second group of the grouped convolution
    assert effective_counts(model, masks, (1, 3, 3)) == {
        "0.weight": 1,  # channel 1 alone: 0 is cut, 2 and 3 are of the second group
        "1.weight": 9,
        "2.weight": 3,
        "4.weight": 6,
    }


class Concatenation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Conv2d(1, 2, 1)
        self.right = nn.Conv2d(1, 3, 1)
        self.fc = nn.Linear(6, 1)

    def forward(self, images: Tensor) -> Tensor:
        parts = [self.left(images), self.right(images), images]
        return self.fc(torch.flatten(torch.cat(parts, dim=1), 1))


def test_concatenated_channels_are_told_apart() -> None:
    model, masks = Concatenation(), dense(Concatenation())
    masks["left.weight"][0] = False
    masks["fc.weight"][0, 4] = False  # the last of the right part
    counts = effective_counts(model, masks, (1, 1, 1))
    assert counts == {"left.weight": 1, "right.weight": 2, "fc.weight": 4}


def test_a_padded_shortcut_passes_its_channels_to_the_middle() -> None:
    model = ResNet20(width=2).build((1, 8, 8), 2)
    masks = dense(model)
    for name in masks:
        if name.startswith(("layer2", "layer3")):
            masks[name][:] = False  # the shortcuts alone are left
    counts = effective_counts(model, masks, (1, 8, 8))
    assert counts is not None
    # Of 8 features, the 2 channels of the stem arrive at 3 and 4: 1 and 2 of 4, then 3 and 4.
    assert counts["fc.weight"] == 2 * 2
    assert counts["conv1.weight"] == 18


@pytest.mark.parametrize("seed", range(20))
def test_an_mlp_has_the_effective_weights_that_walking_every_path_finds(seed: int) -> None:
    model = Mlp(hidden_sizes=(4, 3)).build((1, 1, 3), 2)
    masks = random_masks(model, 0.4, seed)
    layers = list(masks.values())
    seen: list[set[tuple[int, int]]] = [set() for _ in layers]
    sizes = [layers[0].shape[1], *(len(layer) for layer in layers)]
    for path in itertools.product(*(range(size) for size in sizes)):
        steps = list(itertools.pairwise(path))
        if all(layer[b, a] for layer, (a, b) in zip(layers, steps, strict=True)):
            for found, step in zip(seen, steps, strict=True):
                found.add(step)
    counts = effective_counts(model, masks, (1, 1, 3))
    assert counts is not None
    assert list(counts.values()) == [len(found) for found in seen]


@pytest.mark.parametrize("seed", range(5))
def test_an_ineffective_weight_has_no_influence_and_counts_are_at_most_the_kept(seed: int) -> None:
    """On a network of positive weights, a kept weight is on a path iff its gradient is not 0."""
    model = Convnet(width=3, depth=3).build((1, 8, 8), 2).double().eval()
    masks = random_masks(model, 0.12, seed)
    for name, parameter in model.named_parameters():
        parameter.data.fill_(1.0 if name.endswith("weight") else 0.0)
    Mask(masks).apply_(model)
    model(torch.ones(1, 1, 8, 8, dtype=torch.double)).sum().backward()
    counts = effective_counts(model, masks, (1, 8, 8))
    assert counts is not None
    for name, mask in masks.items():
        gradient = model.get_parameter(name).grad
        assert gradient is not None
        influential = int(((gradient > 0) & mask).sum())
        # Channels are exact; kernel positions are not told apart, so padding may hide some.
        assert influential <= counts[name] <= int(mask.sum())
        assert (influential == 0) == (counts[name] == 0)


@pytest.mark.parametrize("seed", range(5))
def test_keeping_more_never_lowers_the_effective_count(seed: int) -> None:
    model = ResNet20(width=2).build((3, 8, 8), 10)
    previous = dict.fromkeys(dense(model), 0)
    for density in (0.01, 0.05, 0.1, 0.3):
        counts = effective_counts(model, random_masks(model, density, seed), (3, 8, 8))
        assert counts is not None
        assert all(counts[name] >= previous[name] for name in counts)
        previous = counts


@pytest.mark.parametrize(
    "name",
    [
        "mlp",
        "convnet",
        "resnet20",
        "resnet18",
        "vgg16_bn",
        "mobilenet_v2",
        "mobilenet_v3_small",
        "densenet121",
        "squeezenet1_1",
        "convnext_tiny",
    ],
)
def test_all_weights_of_a_dense_network_are_effective(name: str) -> None:
    with torch.device("meta"):
        model = ARCHITECTURES.get(name)().build((3, 32, 32), 10)
    masks = dense(model)
    counts = effective_counts(model, masks, (3, 32, 32))
    assert counts == {name: mask.numel() for name, mask in masks.items()}


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, images: Tensor) -> Tensor:
        x = images.flatten(1)
        return self.fc(x) if x.sum() > 0 else self.fc(-x)


class Shuffling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(images.transpose(2, 3).flip(1).flatten(1))


@pytest.mark.parametrize(
    "model",
    [
        Branching(),
        Shuffling(),
        nn.Sequential(nn.ConvTranspose2d(1, 1, 1), nn.Flatten(), nn.Linear(4, 2)),
        nn.Sequential(nn.Softmax2d(), nn.Flatten(), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(2, 2), nn.Flatten(), nn.Linear(4, 2)),
    ],
)
def test_a_network_that_is_not_understood_has_no_answer(model: nn.Module) -> None:
    assert effective_counts(model, dense(model), (1, 2, 2)) is None


class Computed(nn.Module):
    """Code of its own between two layers, of a kind that only some of its forms are understood."""

    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 1)
        self.between = between
        self.fc = nn.Linear(2, 2)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.between(self.first(images)).mean((2, 3))[:, :2])


def _gated(x: Tensor) -> Tensor:
    half = x.shape[1] // 2
    return x[:, :half] * torch.sigmoid(x[:, half:])


def _raising(_: Tensor) -> Tensor:
    raise LookupError("two\nlines")


@pytest.mark.parametrize(
    ("between", "said"),
    [
        (_gated, "getitem by computed numbers"),
        (lambda x: functional.pad(x, (0, x.shape[3] // 2)), "pad by computed numbers"),
        (lambda x: torch.cat([x, x], x.dim() - 3), "cat along a computed dimension"),
        (lambda x: x.mean(x.dim() - 1, keepdim=True), "mean: TypeError"),
        (lambda x: x * {torch.float32: 2.0}[x.dtype], "KeyError: .* in Computed"),
        (_raising, "LookupError: two in Computed"),
    ],
)
def test_what_code_makes_of_shapes_and_values_is_not_understood_and_nothing_else_is_raised(
    between: Callable[[Tensor], Tensor], said: str
) -> None:
    model = Computed(between)
    assert effective_counts(model, dense(model), (1, 2, 2)) is None
    with pytest.raises(NotUnderstoodError, match=said):
        trace(model, (1, 2, 2))


def test_arguments_may_be_given_by_name() -> None:
    def between(x: Tensor) -> Tensor:
        return torch.cat(tensors=[x[:, 1:2], x[:, :1]], dim=1)

    model = Computed(lambda x: between(functional.pad(x, pad=(0, 0))))
    counts = effective_counts(model, dense(model), (1, 2, 2))
    assert counts == {"first.weight": 2, "fc.weight": 4}


def test_normalisation_across_channels_makes_each_depend_on_all_of_its_group() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 1), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(4, 2))
    masks = dense(model)
    masks["0.weight"][1:] = False  # channel 1 is of the first group with 0, 2 and 3 are not
    assert effective_counts(model, masks, (1, 1, 1)) == {"0.weight": 1, "3.weight": 4}


def test_linear_layers_on_rows_are_followed() -> None:
    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(3, 4)
            self.second = nn.Linear(4, 2)

        def forward(self, images: Tensor) -> Tensor:
            return self.second(self.first(images.permute(0, 2, 3, 1))).mean((1, 2))

    masks = dense(Rows())
    masks["first.weight"][0] = False
    masks["second.weight"][:, 3] = False
    counts = effective_counts(Rows(), masks, (3, 2, 2))
    assert counts == {"first.weight": 2 * 3, "second.weight": 2 * 2}


def test_attention_has_no_answer() -> None:
    with torch.device("meta"):
        model = ARCHITECTURES.get("vit_b_16")().build((3, 32, 32), 10)
    assert effective_counts(model, dense(model), (3, 32, 32)) is None


def test_a_layer_without_a_mask_is_dense() -> None:
    masks = {"3.weight": dense(chain())["3.weight"]}
    masks["3.weight"][0] = False
    assert effective_counts(chain(), masks, (2, 4, 4)) == {"3.weight": 3 * 3 * 9}


def test_a_layer_that_is_never_called_has_no_effective_weight() -> None:
    model = Residual()
    model.forgotten = nn.Linear(3, 3)
    counts = effective_counts(model, dense(model), (1, 3, 3))
    assert counts == {"stem.weight": 2, "branch.weight": 4, "fc.weight": 4, "forgotten.weight": 0}


def test_finding_out_leaves_the_network_as_it_was() -> None:
    model = Convnet(width=2).build((1, 8, 8), 2).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    masks = random_masks(model, 0.5, 0)
    copies = {name: mask.clone() for name, mask in masks.items()}
    effective_counts(model, masks, (1, 8, 8))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert all(torch.equal(copies[name], mask) for name, mask in masks.items())


def test_effective_density_is_an_upper_bound_since_kernel_positions_are_not_told_apart() -> None:
    """On an image of one pixel only the middle of a padded kernel meets anything."""
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Flatten(), nn.Linear(1, 2))
    counts = effective_counts(model, dense(model), (1, 1, 1))
    assert counts == {"0.weight": 9, "2.weight": 2}
    met = torch.autograd.grad(model(torch.ones(1, 1, 1, 1)).sum(), model[0].weight)[0]
    assert int(torch.count_nonzero(met)) == 1
