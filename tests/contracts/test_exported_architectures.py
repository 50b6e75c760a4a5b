"""Every architecture of the registry on its way out; all but one of each family are slow."""

from pathlib import Path

import pytest
import torch
from torch import nn

from study.export.sparse import load_sparse, save_sparse
from study.models.flops import sparse_bytes
from study.pruning.channels.dead import remove_, without_dead_channels
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from tests.helpers.architectures import built, cases, smallest_side

REFUSED = ("vit_", "swin_", "maxvit_", "shufflenet_")


def trained_like(name: str) -> tuple[nn.Module, tuple[int, int, int]]:
    """The network with statistics, norms and biases drawn, and the shape of its images."""
    side = smallest_side(name)
    network = built(name, side).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for key, tensor in network.state_dict().items():
            low, high = {"running_mean": (-0.3, 0.3), "running_var": (0.5, 2.0)}.get(
                key.rpartition(".")[2], (-0.5, 0.5)
            )
            if tensor.dim() == 1:
                tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)
    return network, (3, side, side)


def drawn(network: nn.Module, density: float) -> Mask:
    """A random mask that keeps nothing of one row in four, and of one column in four."""
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    weights = prunable_parameters(network)
    last = list(weights.values())[-1]
    for name, weight in weights.items():
        flags = torch.rand(weight.shape, generator=generator) < density
        if weight is not last:
            flags[torch.rand(len(flags), generator=generator) < 0.25] = False
        flags[:, torch.rand(flags.shape[1], generator=generator) < 0.25] = False
        tensors[name] = flags
    return Mask(tensors)


@pytest.mark.parametrize("name", cases())
def test_channels_that_pruning_cut_off_change_no_logit_and_a_dense_network_has_none(
    name: str,
) -> None:
    network, image_shape = trained_like(name)
    dense = Mask.dense(prunable_parameters(network))
    if name.startswith(REFUSED):
        with pytest.raises(ValueError, match="is not known, because of"):
            without_dead_channels(network, dense, image_shape)
        return
    assert bool(without_dead_channels(network, dense, image_shape).kept.all())
    images = torch.randn(3, *image_shape, generator=torch.Generator().manual_seed(2))
    for density in (1.0, 0.1):
        mask = drawn(network, density)
        mask.apply_(network)
        alive = without_dead_channels(network, mask, image_shape)
        assert not bool(alive.kept.all())
        with torch.inference_mode():
            expected, logits = network(images), alive.network(images)
        assert (logits - expected).abs().max() <= 1e-5 * expected.abs().max().clamp(min=1.0)
        small, _ = trained_like(name)
        remove_(small, image_shape, alive.removed)
        small.load_state_dict(alive.network.state_dict())


@pytest.mark.parametrize("name", cases())
def test_a_sparse_file_holds_all_of_the_network_in_the_promised_bytes_and_a_header(
    name: str, tmp_path: Path
) -> None:
    network = built(name, smallest_side(name))
    generator = torch.Generator().manual_seed(0)
    mask = Mask(
        {
            weight_name: torch.rand(weight.shape, generator=generator) < 0.1
            for weight_name, weight in prunable_parameters(network).items()
        }
    )
    mask.apply_(network)
    save_sparse(network, mask, tmp_path / "file")
    weights = load_sparse(tmp_path / "file", network).weights
    assert weights.keys() == network.state_dict().keys()
    assert all(torch.equal(weights[n], t) for n, t in network.state_dict().items())

    with (tmp_path / "file").open("rb") as file:
        header = 8 + int.from_bytes(file.read(8), "little")
    promised = sparse_bytes(network, mask.kept_counts)
    assert (tmp_path / "file").stat().st_size == header + promised
    assert header <= 100 + sum(250 + 4 * len(n.encode()) for n in network.state_dict())
