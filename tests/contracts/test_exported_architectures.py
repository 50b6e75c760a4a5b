"""Every architecture of the registry on its way out; all but one of each family are slow."""

from pathlib import Path

import pytest
import torch

from study.export.sparse import load_sparse, save_sparse
from study.models.flops import sparse_bytes
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from tests.helpers.architectures import built, cases, smallest_side


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
    network.load_state_dict(weights, strict=True)
    assert all(torch.equal(weights[n], t) for n, t in network.state_dict().items())

    with (tmp_path / "file").open("rb") as file:
        header = 8 + int.from_bytes(file.read(8), "little")
    promised = sparse_bytes(network, mask.kept_counts)
    assert (tmp_path / "file").stat().st_size == header + promised
    assert header <= 100 + sum(250 + 4 * len(n.encode()) for n in network.state_dict())
