"""The way out of a real study: five formats in processes without this package, and served."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from study.config.trial import parse_trial
from study.export.folder import load_model, read_card
from study.export.network import NetworkSpec, logits_of
from study.tracking import names
from study.training.checkpoint import CheckpointFolder
from study.trial.assembly import assemble
from study.trial.datasets import dataset_key, load_dataset
from tests.helpers.launched import ROOT, WAIT_S, LaunchedStudy

with warnings.catch_warnings():
    # MLflow's own types, as they are imported.
    warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    from mlflow.pyfunc import load_model as load_from_mlflow

pytestmark = [pytest.mark.ray, pytest.mark.timeout(1200)]

RAW: dict[str, Any] = {
    "name": "out",
    "fixed": {
        "data.dataset": "synthetic",
        "data.num_examples": 160,
        "data.num_test_examples": 40,
        "data.image_size": 8,
        "pruning.criterion": "magnitude",
        "stream.num_megabatches": 2,
        "training.epochs": 1,
        "training.batch_size": 16,
        "training.lr": 0.01,
    },
    "axes": [
        {
            "model.architecture": "resnet18",
            "pruning.schedule": "app",
            "pruning.granularity": ["weight", "channel"],
            "pruning.final_density": 0.2,
        },
        {"model.architecture": "mlp", "pruning.schedule": ["dense"]},
    ],
    "tracking": {"log_models": "every_megabatch"},
}
BY_WEIGHTS, BY_CHANNELS = "0", "1"  # the trials' numbers
# The package is installed beside the runtimes, so its import is refused.
BLOCKED = """
import sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("study", "analysis"):
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Refusing())
"""


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> LaunchedStudy:
    study = LaunchedStudy(tmp_path_factory.mktemp("study"), RAW)
    code, said = study.call("launch", "study.yaml")
    assert code == 0, said
    return study


def images() -> Any:
    return np.random.default_rng(0).integers(0, 256, (5, 3, 8, 8), dtype=np.uint8)


def assert_equal_logits(one: Any, other: Any) -> None:
    """To 1e-5 of the largest logit: a float of 200 is not known to 1e-5."""
    assert np.abs(one - other).max() <= 1e-5 * max(1.0, np.abs(other).max())


def logits_of_the_checkpoint(launched: LaunchedStudy, number: str) -> Any:
    """What the network as it was trained says, put together from the newest checkpoint."""
    (trial,) = (t for t in launched.record.trials.values() if str(t.number) == number)
    config = parse_trial(trial.config)
    dataset = load_dataset(dataset_key(config.data))
    learner = assemble(config, dataset)
    folder = launched.folder / "app-studies" / "out" / "trials" / trial.key / "checkpoints"
    state = CheckpointFolder(folder).load_latest()
    assert state is not None
    learner.load_state_dict(state)
    return logits_of(learner.model.eval(), NetworkSpec.from_trial(config, dataset, ()), images())


@pytest.mark.parametrize("number", [BY_WEIGHTS, BY_CHANNELS])
@pytest.mark.parametrize("name", ["safetensors", "state_dict", "sparse", "torch_export", "onnx"])
def test_the_cards_own_code_gives_the_checkpoints_logits_where_this_package_is_not(
    name: str, number: str, launched: LaunchedStudy, tmp_path: Path
) -> None:
    out = tmp_path / "model"
    code, said = launched.call_here(
        "export", "out", "--trial", number, "--format", name, "--out", str(out)
    )
    assert code == 0, said
    (snippet,) = re.findall(
        r"```python\n(.*?)```", (out / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    np.save(tmp_path / "images.npy", images())
    needs_tensor = "" if name == "onnx" else "import torch\nimages = torch.tensor(images)\n"
    program = (
        f"{BLOCKED}\nimport numpy\nimages = numpy.load('../images.npy')\n{needs_tensor}{snippet}\n"
        "logits = logits if isinstance(logits, numpy.ndarray) else logits.detach().numpy()\n"
        "numpy.save('../logits.npy', logits)\n"
        "assert not [m for m in sys.modules if m.partition('.')[0] == 'study']\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        cwd=out, capture_output=True, text=True, timeout=WAIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    logits = logits_of_the_checkpoint(launched, number)
    assert_equal_logits(np.load(tmp_path / "logits.npy"), logits)
    assert np.ptp(logits) > 0.01


def test_numpy_alone_reads_a_sparse_file_of_a_network_that_has_lost_channels(
    launched: LaunchedStudy, tmp_path: Path
) -> None:
    for name in ("sparse", "safetensors"):
        code, said = launched.call_here(
            "export", "out", "--trial", BY_CHANNELS, "--format", name, "--out", f"numpy-{name}"
        )
        assert code == 0, said
    sparse, weights = (launched.folder / f"numpy-{name}" for name in ("sparse", "safetensors"))
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    (reader,) = re.findall(r"```python\n(import json\n.*?)```", text, flags=re.DOTALL)
    program = f"{BLOCKED}\n{reader}\nnp.savez({str(tmp_path / 'read.npz')!r}, **tensors)\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program.replace('("study",', '("torch", "study",')],
        cwd=sparse, capture_output=True, text=True, timeout=WAIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    read, wanted = np.load(tmp_path / "read.npz"), load_file(weights / "model.safetensors")
    assert set(read) == set(wanted)
    for name, tensor in wanted.items():
        assert np.array_equal(read[name], tensor)
    # Nothing in it is held at zero.
    card = read_card(sparse)
    dense_bytes = 4 * sum(layer.num_weights for layer in card.layers)
    size = (sparse / "sparse.safetensors").stat().st_size
    assert 0 < size - card.metrics["sparse_bytes"] < 0.05 * size
    assert card.metrics["sparse_bytes"] == card.metrics["model_bytes"] < 0.25 * dense_bytes


@pytest.mark.parametrize("name", ["safetensors", "sparse", "onnx"])
def test_mlflow_loads_a_registered_network_that_has_lost_channels(
    name: str, launched: LaunchedStudy
) -> None:
    code, said = launched.call_here(
        "export", "out", "--trial", BY_CHANNELS, "--format", name,
        "--out", f"loaded-{name}", "--register", f"channels-{name}", "--alias", "champion",
    )  # fmt: skip
    assert code == 0, said
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{launched.folder / 'mlflow.db'}")
        model = load_from_mlflow(f"models:/channels-{name}@champion")
        assert_equal_logits(
            model.predict(images())["logits"], logits_of_the_checkpoint(launched, BY_CHANNELS)
        )


def test_every_model_in_service_is_in_mlflow_linked_to_its_run_with_its_metrics(
    launched: LaunchedStudy,
) -> None:
    client = launched.client
    for run, trial in zip(launched.runs(), launched.record.trials.values(), strict=True):
        assert run.outputs is not None
        left = {output.step: output.model_id for output in run.outputs.model_outputs}
        assert sorted(left) == [0, 1]
        for record in trial.history.megabatches:
            model = client.get_logged_model(left[record.megabatch_index])
            assert model.source_run_id == run.info.run_id
            assert model.status == "READY"
            assert model.tags[names.TAG_TRIAL_KEY] == trial.key
            metrics = {metric.key: metric.value for metric in model.metrics}
            assert metrics["holdout_error_rate"] == record.metrics["holdout_error_rate"]
        # The run's own history has no value twice, although it is linked to the models as well.
        assert launched.logged_steps(run, "holdout_error_rate") == [0, 1]


def test_the_front_is_exported_each_to_its_folder_and_registered_models_are_one(
    launched: LaunchedStudy, tmp_path: Path
) -> None:
    code, said = launched.call("export", "out", "--trial", "pareto", "--out", str(tmp_path))
    assert code == 0, said
    found = sorted(tmp_path.iterdir())
    assert found
    for folder in found:
        assert folder.name == f"trial-{read_card(folder).trial_number}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--trial", "7"], "no trial '7'"),
        (["--format", "pickle"], "known: onnx"),
        (["--alias", "champion"], "add --register"),
        (["--max-density", "0.01"], "no complete trial with a density"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_a_remedy(
    arguments: list[str], words: str, launched: LaunchedStudy
) -> None:
    code, said = launched.call_here("export", "out", *arguments)
    assert code == 2
    assert words in said
    assert "Traceback" not in said


@pytest.fixture
def port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def served(launched: LaunchedStudy, port: int, request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of MLflow's server of the registered model in the format asked for."""
    code, said = launched.call(
        "export", "out", "--trial", "0", "--format", request.param,
        "--out", f"exported-{request.param}", "--register", request.param, "--alias", "champion",
    )  # fmt: skip
    assert code == 0, said
    programs = Path(sys.executable).parent
    server = subprocess.Popen(
        [
            str(programs / "mlflow"), "models", "serve", "--env-manager", "local",
            "--host", "127.0.0.1", "--port", str(port),
            "--model-uri", f"models:/{request.param}@champion",
        ],
        cwd=launched.folder,
        env={
            **os.environ,
            "MLFLOW_TRACKING_URI": f"sqlite:///{launched.folder / 'mlflow.db'}",
            "PYTHONPATH": str(ROOT),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        },
        start_new_session=True,
    )  # fmt: skip
    try:
        _wait(f"http://127.0.0.1:{port}/ping", server)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=WAIT_S)


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        assert server.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError("the server does not answer")


@pytest.mark.slow
@pytest.mark.parametrize("served", ["safetensors", "onnx"], indirect=True)
def test_mlflow_serves_the_registered_champion_with_the_same_classes(
    served: str, launched: LaunchedStudy, request: pytest.FixtureRequest
) -> None:
    body = json.dumps({"inputs": images().tolist()}).encode()
    asked = urllib.request.Request(served, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        logits = np.array(json.loads(answer.read())["predictions"]["logits"])
    name = request.node.callspec.params["served"]
    _, predict = load_model(launched.folder / f"exported-{name}")
    wanted = predict(images())
    assert np.array_equal(logits.argmax(1), wanted.argmax(1))
    assert_equal_logits(logits, wanted)
