"""A file of torch.export is read if it is one of ours, and whatever could run code is not."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from study.export.formats import TorchExport
from study.export.network import NetworkSpec, logits_of
from study.pruning.mask import Mask

SPEC = NetworkSpec(
    {"architecture": "mlp"}, (), (1, 8, 8), tuple("0123456789"), (0.5,), (0.25,), {}, "weight"
)
GRAPH, SAMPLE = "models/model.json", "data/sample_inputs/model.pt"
WEIGHTS = "data/weights/model_weights_config.json"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written(SPEC.build(), tmp_path / "model.pt2")
    return tmp_path / "model.pt2"


def written(network: nn.Module, path: Path) -> None:
    TorchExport().write(network.eval(), Mask({}), SPEC, path)


def changed(path: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Write the file again with another content of one member, which may be new."""
    with zipfile.ZipFile(path) as file:
        members = {member: file.read(member) for member in file.namelist()}
    full = f"{next(iter(members)).partition('/')[0]}/{name}"
    members[full] = change(members.get(full, b""))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for member, content in members.items():
            file.writestr(member, content)


class Runs:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._path,)


def pickled(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


class NoGrad(nn.Module):
    """What traces to more than plain operators."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({"a-1": nn.Linear(64, 10)})
        self.register_buffer("powers", torch.arange(10.0), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            flat = torch.cat([images, images]).flatten(1)[: images.shape[0]]
        mixed: Tensor = torch.einsum("bi,oi->bo", flat, self.layers["a-1"].weight)
        return mixed * self.powers


def test_a_file_of_ours_is_read_whatever_the_network(path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 1, 8, 8), dtype=np.uint8)
    changed(path, GRAPH, lambda content: content)
    assert TorchExport().load(path, SPEC)(images).shape == (3, 10)
    network = NoGrad().eval()
    written(network, path)
    found = TorchExport().load(path, SPEC)(images)
    assert np.allclose(found, logits_of(network, SPEC, images), atol=1e-4)


@pytest.mark.parametrize(
    "name",
    [SAMPLE, "data/weights/model.pt", "data/constants/model.pt", "data/constants/opaque_obj_0"],
)
def test_a_pickle_in_it_is_refused(name: str, path: Path, tmp_path: Path) -> None:
    changed(path, name, lambda _: pickled((Runs(tmp_path / "ran"),)))
    with pytest.raises(ValueError, match=r"could run code.*safetensors or onnx"):
        TorchExport().load(path, SPEC)
    assert not (tmp_path / "ran").exists()


def test_weights_that_are_marked_as_pickles_are_refused(path: Path, tmp_path: Path) -> None:
    def marked(content: bytes) -> bytes:
        config = json.loads(content)
        first = next(iter(config["config"].values()))
        changed(
            path, f"data/weights/{first['path_name']}", lambda _: pickled(Runs(tmp_path / "ran"))
        )
        first["use_pickle"] = True
        return json.dumps(config).encode()

    with zipfile.ZipFile(path) as file:
        (full,) = (name for name in file.namelist() if name.endswith(WEIGHTS))
        config = marked(file.read(full))
    changed(path, WEIGHTS, lambda _: config)
    with pytest.raises(ValueError, match=r"is a pickle, which could run code"):
        TorchExport().load(path, SPEC)
    assert not (tmp_path / "ran").exists()


def _guards(graph: Any, code: str) -> None:
    graph["guards_code"] = [code]


def _expression(graph: Any, code: str) -> None:
    values = graph["graph_module"]["graph"]["tensor_values"]
    values["images"]["sizes"][0]["as_expr"]["expr_str"] = code


def _name(graph: Any, code: str) -> None:
    inside = graph["graph_module"]["graph"]
    inside["tensor_values"][f"x={code}"] = next(iter(inside["tensor_values"].values()))


def _target(graph: Any, code: str) -> None:  # noqa: ARG001  # another way to the same
    graph["graph_module"]["graph"]["nodes"][0]["target"] = "torch.os.system"


def _writes(graph: Any, code: str) -> None:  # noqa: ARG001  # one of several
    graph["graph_module"]["graph"]["nodes"][0]["target"] = "torch.ops.aten.save.default"


def _operator(graph: Any, code: str) -> None:  # noqa: ARG001  # one of several
    graph["graph_module"]["graph"]["nodes"][0]["inputs"][0]["arg"] = {
        "as_operator": "torch.os.kill"
    }


def _spec(graph: Any, code: str) -> None:  # noqa: ARG001  # one of several
    call = graph["graph_module"]["module_call_graph"][0]["signature"]
    call["in_spec"] = json.dumps([1, {"type": "a.b", "context": "", "children_spec": []}])


@pytest.mark.parametrize(
    "spoil", [_guards, _expression, _name, _target, _writes, _operator, _spec]
)
def test_a_graph_that_could_run_code_is_refused(
    spoil: Callable[[Any, str], None], path: Path, tmp_path: Path
) -> None:
    def spoilt(content: bytes) -> bytes:
        graph = json.loads(content)
        spoil(graph, f"open({str(tmp_path / 'ran')!r}, 'w')")
        return json.dumps(graph).encode()

    changed(path, GRAPH, spoilt)
    with pytest.raises(ValueError, match="could run code"):
        TorchExport().load(path, SPEC)
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_no_program_is_told(path: Path) -> None:
    for content in (b"", b"no archive", path.read_bytes()[:-200]):
        path.write_bytes(content)
        with pytest.raises((ValueError, RuntimeError), match=r"torch\.export|corrupted"):
            TorchExport().load(path, SPEC)
