"""FLOPs by layer against arithmetic and torch's own count, and sizes in bytes."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from study.models.architecture import ARCHITECTURES
from study.models.cifar_resnet import ResNet20
from study.models.flops import (
    layer_flops,
    model_bytes,
    sparse_bytes,
    sparse_training_flops,
    training_flops,
)
from study.pruning.prunable import prunable_parameters


def small() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, padding=1, groups=4, bias=False),
        nn.Flatten(),
        nn.Linear(8 * 16, 5),
    )


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.fc = nn.Linear(8, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows = images.flatten(2).transpose(1, 2)
        return self.fc(self.attention(rows, rows, rows, need_weights=False)[0].mean(1))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(12, 12)
        self.second = nn.Linear(12, 12)
        self.second.weight = self.first.weight

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(images.flatten(1)))


def test_flops_by_layer_are_two_a_multiplication() -> None:
    count = layer_flops(small(), (3, 8, 8))
    assert count.by_parameter == {
        "0.weight": 2 * 16 * 8 * 3 * 9,
        "2.weight": 2 * 16 * 8 * 2 * 9,
        "4.weight": 2 * 128 * 5,
    }
    assert count.other == 0


def test_attention_is_told_apart_into_projections_and_products() -> None:
    tokens, size = 6, 8
    count = layer_flops(Attention(), (size, 2, 3))
    assert count.by_parameter == {
        "attention.in_proj_weight": 2 * tokens * 3 * size * size,
        "attention.out_proj.weight": 2 * tokens * size * size,
        "fc.weight": 2 * size * 3,
    }
    assert count.other == 2 * (2 * tokens * tokens * size)


def test_a_tied_weight_has_the_flops_of_both_uses_under_its_first_name() -> None:
    assert layer_flops(Tied(), (3, 2, 2)).by_parameter == {"first.weight": 2 * 2 * 12 * 12}


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "vit_b_16", "swin_t"])
def test_names_are_those_of_the_prunable_weights_and_each_has_its_part(name: str) -> None:
    with torch.device("meta"):
        model = ARCHITECTURES.get(name)().build((3, 32, 32), 10)
    count = layer_flops(model, (3, 32, 32))
    assert set(count.by_parameter) == set(prunable_parameters(model))
    assert min(count.by_parameter.values()) > 0
    assert count.other >= 0


def test_counting_leaves_the_network_as_it_was() -> None:
    model = ResNet20(width=4).build((3, 32, 32), 10).train()
    model.layer1.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    random_state = torch.get_rng_state()
    layer_flops(model, (3, 32, 32))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), random_state)


@pytest.mark.parametrize("name", ["resnet20", "resnet18", "vgg16_bn"])
def test_three_forward_passes_are_what_a_training_step_really_costs(name: str) -> None:
    with torch.device("meta"):
        model = ARCHITECTURES.get(name)().build((3, 32, 32), 10)
        images = torch.empty(4, 3, 32, 32)
    with FlopCounterMode(display=False) as counter:
        model(images).sum().backward()
    claimed = training_flops(layer_flops(model, (3, 32, 32)), 4)
    assert claimed == pytest.approx(counter.get_total_flops(), rel=0.03)


def test_sparse_training_flops_scale_each_layer_by_its_density() -> None:
    count = layer_flops(Attention(), (8, 2, 3))
    in_proj, fc = (count.by_parameter[n] for n in ("attention.in_proj_weight", "fc.weight"))
    sparse = sparse_training_flops(count, 10, {"attention.in_proj_weight": 0.25, "fc.weight": 0.5})
    assert sparse == training_flops(count, 10) - 30 * (0.75 * in_proj + 0.5 * fc)
    assert sparse_training_flops(count, 10, {}) == training_flops(count, 10)
    with pytest.raises(ValueError, match="no FLOPs were counted for head"):
        sparse_training_flops(count, 10, {"head": 0.5})


def test_images_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"cannot take images of \(3, 9, 9\)"):
        layer_flops(small(), (3, 9, 9))


def test_bytes_of_a_network_are_those_of_its_tensors() -> None:
    tensors = small().state_dict().values()
    assert model_bytes(small()) == sum(t.numel() * t.element_size() for t in tensors)


def test_a_sparse_layer_takes_its_values_and_the_smaller_of_bits_and_positions() -> None:
    model = small()
    others = model_bytes(model) - 640 * 4
    assert sparse_bytes(model, {"4.weight": 100}) == others + 100 * 4 + 80
    assert sparse_bytes(model, {"4.weight": 10}) == others + 10 * 4 + 10 * 2
    assert sparse_bytes(model, {"4.weight": 640}) == model_bytes(model)
    assert sparse_bytes(model, {"4.weight": 0}) == others


def test_counts_that_a_layer_cannot_have_are_refused() -> None:
    with pytest.raises(ValueError, match="has 640 weights, so 641"):
        sparse_bytes(small(), {"4.weight": 641})
    with pytest.raises(ValueError, match="'5' is no parameter"):
        sparse_bytes(small(), {"5": 1})
