"""A sparse file holds the kept weights, in the bytes that were promised, and does no harm."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from study.export.sparse import NUMPY_READER, load_sparse, save_sparse
from study.models.flops import sparse_bytes
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from tests.helpers.pruning_networks import NETWORKS, build

DENSITIES = (0.0, 0.002, 0.05, 0.5, 0.97, 1.0)


def masked(network: nn.Module, density: float, seed: int = 0) -> Mask:
    """A random mask of about the density, and the network pruned by it."""
    generator = torch.Generator().manual_seed(seed)
    mask = Mask(
        {
            name: torch.rand(weight.shape, generator=generator) < density
            for name, weight in prunable_parameters(network).items()
        }
    )
    mask.apply_(network)
    return mask


def large() -> nn.Module:
    """Layers below and above 65,536 weights, whose sizes are no multiples of 8."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Linear(307, 215))


def header_bytes(path: Path) -> int:
    with path.open("rb") as file:
        return 8 + int.from_bytes(file.read(8), "little")


def assert_promised_size(path: Path, network: nn.Module, mask: Mask) -> None:
    header = header_bytes(path)
    assert path.stat().st_size == header + sparse_bytes(network, mask.kept_counts)
    names = [*network.state_dict()]
    assert header <= 100 + sum(250 + 4 * len(name.encode()) for name in names)


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("name", [*NETWORKS, "large"])
def test_weights_and_masks_come_back_to_the_bit_from_a_file_of_the_promised_size(
    name: str, density: float, tmp_path: Path
) -> None:
    network = large() if name == "large" else build(name)
    mask = masked(network, density)
    save_sparse(network, mask, tmp_path / "file")
    read = load_sparse(tmp_path / "file", network)
    assert list(read.weights) != []
    assert read.weights.keys() == network.state_dict().keys()
    for key, tensor in network.state_dict().items():
        assert read.weights[key].dtype == tensor.dtype
        assert torch.equal(read.weights[key], tensor)
    for key, flags in read.masks.items():
        assert torch.equal(flags, mask.tensors[key])
    assert_promised_size(tmp_path / "file", network, mask)
    # Only a layer that is all but dense has its mask elsewhere.
    untold = [n for n in mask.tensors if n not in read.masks]
    assert all(mask.layer_densities[n] > 0.9 for n in untold)


def test_bits_and_positions_of_both_widths_are_met(tmp_path: Path) -> None:
    types = set()
    for density in DENSITIES:
        network = large()
        save_sparse(network, masked(network, density), tmp_path / "file")
        tensors = load_file(tmp_path / "file")
        types |= {tensor.dtype for name, tensor in tensors.items() if name.endswith(".kept")}
    assert types == {torch.uint8, torch.uint16, torch.uint32}


def test_the_first_weight_is_the_highest_bit_of_the_first_byte(tmp_path: Path) -> None:
    network = nn.Linear(3, 3, bias=False)
    mask = Mask({"weight": torch.tensor([[1, 0, 0], [0, 0, 1], [0, 0, 1]], dtype=torch.bool)})
    save_sparse(network, mask, tmp_path / "file")
    tensors = load_file(tmp_path / "file")
    assert tensors["weight.kept"].tolist() == [0b10000100, 0b10000000]
    assert torch.equal(tensors["weight"], network.weight[mask.tensors["weight"]])


def test_weights_that_lie_channels_last_are_written_as_any_others(tmp_path: Path) -> None:
    network = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    mask = masked(network, 0.5)
    save_sparse(network, mask, tmp_path / "file")
    read = load_sparse(tmp_path / "file", nn.Conv2d(3, 4, 3))
    assert torch.equal(read.weights["weight"], network.weight)
    assert torch.equal(read.masks["weight"], mask.tensors["weight"])


def read_by_numpy(code: str) -> dict[str, Any]:
    """What the code makes of the file in the working directory, if it imports numpy alone."""
    imported = set()

    def importing(name: str, *rest: Any) -> Any:
        imported.add(name)
        return __import__(name, *rest)

    builtins = {**vars(__import__("builtins")), "__import__": importing}
    namespace: dict[str, Any] = {"__builtins__": builtins}
    exec(compile(code, "<docs>", "exec"), namespace)  # it is what the docs tell people to run
    assert imported == {"json", "numpy"}
    tensors: dict[str, Any] = namespace["tensors"]
    return tensors


@pytest.mark.parametrize("density", DENSITIES)
def test_the_code_in_the_docs_reads_it_with_numpy_alone(
    density: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(import json\n.*?)```", text, flags=re.DOTALL)
    assert code == NUMPY_READER
    network = large()
    save_sparse(network, masked(network, density), tmp_path / "sparse.safetensors")
    monkeypatch.chdir(tmp_path)
    tensors = read_by_numpy(code)
    assert tensors.keys() == network.state_dict().keys()
    for name, tensor in network.state_dict().items():
        assert np.array_equal(tensors[name], tensor.numpy())


def damaged(path: Path, **changes: Any) -> None:
    """The file with other metadata or tensors; None takes one away."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    content: dict[str, Any] = {**load_file(path), **metadata, **changes}
    kept = {name: value for name, value in content.items() if value is not None}
    save_file(
        {name: value for name, value in kept.items() if isinstance(value, Tensor)},
        path,
        metadata={name: value for name, value in kept.items() if isinstance(value, str)},
    )


def positions(*values: int, dtype: torch.dtype = torch.uint16) -> Tensor:
    return torch.tensor(values).to(dtype)


def shapes_of(weight: object) -> str:
    return json.dumps({"weight": weight})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sparse": None}, "no sparse file of version 1"),
        ({"sparse": "2"}, r"version 1 \(found: 2"),
        ({"shapes": None}, "Expecting value"),
        ({"shapes": "[]"}, "damaged"),
        ({"shapes": shapes_of([10**9, 10**9])}, "no layer of this network"),
        ({"shapes": shapes_of([32, 16])}, "no layer of this network"),
        ({"shapes": shapes_of(512)}, "no layer of this network"),
        ({"shapes": json.dumps({"other": [16, 32]})}, "no layer of this network"),
        ({"weight.kept": None}, "not in the file"),
        ({"weight": None}, "not in the file"),
        ({"weight": torch.zeros(4)}, "not as many values"),
        ({"weight": torch.zeros(3, 1)}, "not as many values"),
        ({"weight.kept": positions(5, 5, 6)}, "not ascending"),
        ({"weight.kept": positions(5, 7, 6)}, "not ascending"),
        ({"weight.kept": positions(5, 6, 512)}, "below 512"),
        ({"weight.kept": positions(5, 6, 7, dtype=torch.int64)}, "no places among 512"),
        ({"weight.kept": positions(5, 6, 7, dtype=torch.uint32)}, "no places among 512"),
        ({"weight.kept": torch.zeros(8, 8, dtype=torch.uint8)}, "no places among 512"),
        ({"weight.kept": torch.zeros(63, dtype=torch.uint8)}, "not those of 512"),
        ({"weight.kept": torch.zeros(65, dtype=torch.uint8)}, "not those of 512"),
    ],
)
def test_a_damaged_file_is_told_with_what_is_wrong(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    network = nn.Linear(32, 16)
    flags = torch.zeros(16, 32, dtype=torch.bool)
    flags.view(-1)[[3, 5, 500]] = True
    save_sparse(network, Mask({"weight": flags}), tmp_path / "file")
    assert load_sparse(tmp_path / "file", network).masks["weight"].sum() == 3
    damaged(tmp_path / "file", **changes)
    with pytest.raises(ValueError, match=message):
        load_sparse(tmp_path / "file", network)


def test_bits_behind_the_last_weight_are_damage(tmp_path: Path) -> None:
    network = nn.Linear(3, 3, bias=False)
    save_sparse(network, masked(network, 0.5), tmp_path / "file")
    bits = load_file(tmp_path / "file")["weight.kept"]
    damaged(tmp_path / "file", **{"weight.kept": bits | 1})
    with pytest.raises(ValueError, match="not those of 9"):
        load_sparse(tmp_path / "file", network)
