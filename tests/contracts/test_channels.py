"""Every architecture of the registry with channels cut off: the laws of channel groups."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
import torch
from _pytest.mark import ParameterSet
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.models import convnext, densenet, efficientnet, resnet

from study.models import cifar_resnet, convnet, mlp  # noqa: F401  # register
from study.models.architecture import ARCHITECTURES
from study.models.flops import layer_flops
from study.pruning.channels.cutting import cut_, silenced
from study.pruning.channels.graph import channel_groups
from study.pruning.channels.groups import ChannelGroups
from study.pruning.prunable import prunable_parameters
from tests.helpers.architectures import NUM_CLASSES, built, smallest_side
from tests.helpers.pruning_networks import NormThenRelu, PlainLinear

# What is refused, by the beginning of the name: what the message names.
REFUSED = {
    "vit_": "MultiheadAttention",
    "swin_": "shifted_window_attention in ShiftedWindowAttention",
    "maxvit_": "chunk, which gives a tuple in RelativePositionalMultiHeadAttention",
    "shufflenet_": "chunk, which gives a tuple in InvertedResidual",
}
# Those of the registry that take little time at their smallest images.
QUICK = {
    "mlp",
    "convnet",
    "resnet20",
    "resnet18",
    "vgg11",
    "vgg11_bn",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "squeezenet1_1",
    "regnet_x_400mf",
    "shufflenet_v2_x0_5",
    "vit_b_32",
}
# Small relatives of the large ones.
SMALL: Mapping[str, Callable[[], nn.Module]] = {
    "small densenet": lambda: densenet.DenseNet(4, (2, 3), 8, bn_size=2, num_classes=5),
    "small resnext": lambda: resnet.ResNet(
        resnet.Bottleneck, [1, 2, 1, 1], num_classes=5, groups=4, width_per_group=4
    ),
    "small wide resnet": lambda: resnet.ResNet(
        resnet.Bottleneck, [1, 1, 1, 1], num_classes=5, width_per_group=32
    ),
    "small efficientnet": lambda: efficientnet.EfficientNet(
        [
            efficientnet.MBConvConfig(1, 3, 1, 8, 8, 1, 1.0, 1.0),
            efficientnet.MBConvConfig(6, 3, 2, 8, 16, 2, 1.0, 1.0),
        ],
        dropout=0.2,
        num_classes=5,
    ),
    "small fused efficientnet": lambda: efficientnet.EfficientNet(
        [
            efficientnet.FusedMBConvConfig(1, 3, 1, 8, 8, 1),
            efficientnet.FusedMBConvConfig(4, 3, 2, 8, 16, 2),
        ],
        dropout=0.2,
        num_classes=5,
        last_channel=32,
    ),
    "small convnext": lambda: convnext.ConvNeXt(
        [convnext.CNBlockConfig(8, 16, 2), convnext.CNBlockConfig(16, None, 2)], num_classes=5
    ),
    "layers that call torch's functions": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=4, bias=False),
        NormThenRelu(8),
        nn.Conv2d(8, 6, 3, bias=False),
        NormThenRelu(6),
        nn.Flatten(),
        PlainLinear(6 * 36, 7),
        nn.ReLU(),
        PlainLinear(7, 5),
    ),
}


def cases(*, refused: bool) -> list[ParameterSet]:
    slow = [pytest.mark.slow, pytest.mark.timeout(600)]
    small = [] if refused else [pytest.param(name) for name in SMALL]
    return small + [
        pytest.param(name, marks=[] if name in QUICK else slow)
        for name in ARCHITECTURES
        if (reason_of(name) is not None) == refused
    ]


def reason_of(name: str) -> str | None:
    return next((why for start, why in REFUSED.items() if name.startswith(start)), None)


@dataclass(frozen=True)
class Case:
    """A network with nothing trivially zero or alike, its groups, and the images' side."""

    model: nn.Module
    groups: ChannelGroups
    side: int

    def drawn(self, fraction: float, seed: int) -> Tensor:
        """Groups drawn at random, one of each set among them."""
        generator = torch.Generator().manual_seed(seed)
        kept = torch.rand(self.groups.num_groups, generator=generator) < fraction
        order = torch.randperm(self.groups.num_groups, generator=generator)
        one_of_each = dict(zip(self.groups.sets[order].tolist(), order.tolist(), strict=True))
        kept[list(one_of_each.values())] = True
        return kept

    def cut(self, *kept: Tensor) -> nn.Module:
        """A copy that is cut to each of ``kept`` in turn."""
        model, before = copy.deepcopy(self.model), self.groups.everything()
        for after in kept:
            cut_(model, self.groups, before, after)
            before = after
        return model

    def silenced(self, kept: Tensor) -> nn.Module:
        return silenced(self.model, self.groups, kept)

    @property
    def images(self) -> Tensor:
        generator = torch.Generator().manual_seed(2)
        return torch.randn(3, 3, self.side, self.side, generator=generator)


@pytest.fixture(scope="module", params=cases(refused=False))
def case(request: pytest.FixtureRequest) -> Case:
    side = 32 if request.param in SMALL else smallest_side(request.param)
    torch.manual_seed(0)
    model = SMALL[request.param]() if request.param in SMALL else built(request.param, side)
    generator = torch.Generator().manual_seed(1)

    def draw(tensor: Tensor | None, low: float, high: float) -> None:
        if isinstance(tensor, Tensor):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, _BatchNorm | nn.LayerNorm):
                draw(module.weight, 0.5, 1.5)
            draw(getattr(module, "running_mean", None), -0.3, 0.3)
            draw(getattr(module, "running_var", None), 0.5, 2.0)
            draw(getattr(module, "bias", None), -0.3, 0.3)
            draw(getattr(module, "layer_scale", None), 0.5, 1.5)
    return Case(model.eval(), channel_groups(model, (3, side, side)), side)


def assert_close(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max().clamp(min=1.0)


def test_a_cut_network_gives_the_logits_of_the_original_with_those_channels_silenced(
    case: Case,
) -> None:
    with torch.no_grad():
        whole = case.model(case.images)
        for seed, fraction in enumerate((0.3, 0.7)):
            kept = case.drawn(fraction, seed)
            logits = case.cut(kept)(case.images)
            assert_close(logits, case.silenced(kept)(case.images))
            assert (logits - whole).abs().max() > 1e-3 * whole.abs().max()  # it is another one


def test_cutting_twice_is_cutting_once(case: Case) -> None:
    first = case.drawn(0.7, 0)
    second = first & case.drawn(0.5, 1)
    once = case.cut(second).state_dict()
    for name, tensor in case.cut(first, second).state_dict().items():
        assert torch.equal(tensor, once[name])
        assert tensor.stride() == once[name].stride()


def test_a_mask_says_which_groups_are_kept_and_has_the_cut_networks_weights(case: Case) -> None:
    kept = case.drawn(0.4, 3)
    mask = case.groups.mask(kept)
    assert torch.equal(case.groups.kept_in(mask), kept)
    assert case.groups.count(kept) == mask.num_kept
    assert case.groups.count(case.groups.everything()) == mask.num_weights
    small = case.cut(kept)
    left = {name: weight.numel() for name, weight in prunable_parameters(small).items()}
    assert left == mask.kept_counts
    shape = (3, case.side, case.side)
    dense, thin = layer_flops(case.model, shape), layer_flops(small, shape)
    assert 0 < thin.forward < dense.forward
    assert thin.by_parameter.keys() == dense.by_parameter.keys()


def test_no_two_groups_share_a_weight_that_one_of_them_writes(case: Case) -> None:
    """What falls with a group is the rows and columns with its number, so it is enough that
    every group has some, and that those of a set lose as much."""
    every, lost = case.groups.everything(), {}
    for number in range(case.groups.num_sets):
        members = (case.groups.sets == number).nonzero().flatten()
        for member in (members[0], members[-1]):
            without = every.clone()
            without[member] = False
            size = case.groups.count(every) - case.groups.count(without)
            assert size > 0
            assert lost.setdefault(number, size) == size


def gradients(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    loss = functional.cross_entropy(model(images), torch.arange(len(images)) % NUM_CLASSES)
    names, parameters = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


def test_gradients_of_a_cut_network_are_the_slices_of_the_silenced_ones(case: Case) -> None:
    """In double precision: deep networks enlarge what sums in another order differ by."""
    kept, images = case.drawn(0.5, 4), case.images.double()
    small = gradients(case.cut(kept).double(), images)
    large = gradients(case.silenced(kept).double(), images)
    largest = max(float(gradient.abs().max()) for gradient in large.values())
    for name, gradient in large.items():
        rows, columns = case.groups.slices(name, kept)
        expected = gradient if rows is None else gradient[rows]
        expected = expected if columns is None else expected[:, columns]
        assert (small[name] - expected).abs().max() <= 1e-10 * max(largest, 1.0), name


@pytest.mark.parametrize("name", cases(refused=True))
def test_what_is_not_understood_is_refused_by_its_name(name: str) -> None:
    side = smallest_side(name)
    with torch.device("meta"):
        model = ARCHITECTURES.get(name)().build((3, side, side), NUM_CLASSES)
    with pytest.raises(ValueError, match=r"pruning\.granularity: weight") as caught:
        channel_groups(model, (3, side, side))
    reason = reason_of(name)
    assert reason is not None
    assert reason in str(caught.value)
