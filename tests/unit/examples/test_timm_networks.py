"""Networks of timm keep what every architecture owes, and are pruned, cut and exported."""

import copy
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import timm
import torch
from torch import nn

from study.config.loading import load_study
from study.models.architecture import ARCHITECTURES
from study.pruning.channels.cutting import cut_, silenced
from study.pruning.channels.graph import channel_groups
from study.pruning.prunable import prunable_parameters
from study.trial.read_data import load_and_check
from tests.contracts import test_architectures as contracts
from tests.helpers.example_plugins import EXAMPLES, registered
from tests.helpers.small_trials import trained, trial

SHAPE = (3, 32, 32)


@pytest.fixture(autouse=True)
def timm_network() -> Iterator[Any]:
    with registered("timm_networks", ARCHITECTURES, "timm") as cls:
        yield cls


@pytest.mark.parametrize(
    "law",
    [
        contracts.test_an_architecture_builds_from_its_defaults_and_gives_finite_logits,
        contracts.test_the_same_seed_gives_the_same_weights_to_the_bit_and_another_seed_others,
        contracts.test_an_architecture_is_a_frozen_value_that_pickles_and_describes_itself,
    ],
)
def test_it_keeps_the_contract_of_an_architecture(law: Any) -> None:
    law("timm")


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_vit3"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_is_timms_own_for_these_images_and_classes(
    timm_network: Any, name: str, channels: int
) -> None:
    torch.manual_seed(0)
    model = timm_network(network=name).build((channels, 32, 32), 7)
    size = {} if name == "test_resnet" else {"img_size": 32}
    theirs = timm.create_model(name, in_chans=channels, num_classes=7, **size)
    assert type(model) is type(theirs)
    assert model(torch.randn(2, channels, 32, 32)).shape == (2, 7)
    model.load_state_dict(theirs.state_dict())


def test_no_normalisation_starts_at_zero_so_that_gradients_reach_every_layer(
    timm_network: Any,
) -> None:
    theirs = timm.create_model("test_resnet")
    assert any(not w.any() for n, w in theirs.named_parameters() if n.endswith("bn3.weight"))
    torch.manual_seed(0)
    model = timm_network(network="test_resnet").build(SHAPE, 5)
    model(torch.randn(8, *SHAPE)).square().sum().backward()
    assert all(weight.grad.any() for weight in prunable_parameters(model).values())


def draw(model: nn.Module) -> None:
    """Statistics that batch normalisation can be told by."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 2.0)


@pytest.mark.parametrize(
    "name", ["test_resnet", "test_efficientnet", "test_byobnet", "test_convnext"]
)
def test_a_network_whose_graph_is_understood_is_cut_by_channels(
    timm_network: Any, name: str
) -> None:
    torch.manual_seed(0)
    model = timm_network(network=name).build(SHAPE, 5).eval()
    draw(model)
    groups = channel_groups(model, SHAPE)
    kept = groups.everything()
    kept[torch.randperm(groups.num_groups)[: groups.num_groups // 3]] = False
    small = copy.deepcopy(model)
    cut_(small, groups, groups.everything(), kept)
    images = torch.randn(2, *SHAPE)
    with torch.no_grad():
        assert torch.allclose(small(images), silenced(model, groups, kept)(images), atol=1e-5)
    assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in model.parameters())


def test_attention_is_refused_by_its_name(timm_network: Any) -> None:
    model = timm_network(network="test_vit3").build(SHAPE, 5)
    with pytest.raises(ValueError, match=r"in Attention .*pruning\.granularity: weight"):
        channel_groups(model, SHAPE)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"network": "resnet1"}, r"network 'resnet1' is none of timm's; did you mean 'resnet18'"),
        ({"network": "hf-hub:timm/resnet18"}, "none of timm's"),
        ({"network": "vgg11", "drop_path_rate": 0.1}, "'vgg11' takes no such setting"),
        ({"network": "test_convnext"}, "test_convnext.*8×8 pixels.*use larger images"),
    ],
)
def test_what_cannot_be_built_is_said(
    timm_network: Any, settings: dict[str, Any], said: str
) -> None:
    with torch.device("meta"), pytest.raises(ValueError, match=said):
        timm_network(**settings).build((3, 8, 8), 5)


def test_a_rate_outside_its_range_is_refused_at_its_setting(timm_network: Any) -> None:
    with pytest.raises(ValueError, match="drop_rate must be at least 0 and below 1, got 1"):
        timm_network(drop_rate=1.0)


def test_without_timm_the_remedy_is_named(
    timm_network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match="pip install timm"):
        timm_network().build(SHAPE, 5)


@pytest.mark.parametrize("granularity", ["weight", "channel"])
def test_a_trial_prunes_one_to_its_density(granularity: str) -> None:
    made = trained(
        trial(
            model__architecture="timm",
            model__hidden_sizes=None,
            model__network="test_resnet",
            stream__num_megabatches=2,
            pruning__granularity=granularity,
            training__epochs=1,
        )
    )
    last = made.history.megabatches[-1]
    assert last.metrics["density"] == pytest.approx(0.3, abs=0.02)


def test_the_study_beside_it_can_be_run() -> None:
    study = load_study(EXAMPLES / "timm_networks.yaml")
    load_and_check({corner.key(): corner for corner in study.corners()})
