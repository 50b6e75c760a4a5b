"""Models in MLflow: written by its client alone, without pickle, loaded by a named module.

MLflow's own ``log_model`` functions pickle, or trace for seconds; what they write is a folder with
a file ``MLmodel`` in it, which is written here.
"""

import importlib.metadata
import json
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Metric
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from study.tracking.facts import ModelInfo

MODEL_TYPE: Final = "anytime-pruning"
# What each loader must find where the model is served.
REQUIREMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "mlflow.onnx": ("mlflow", "numpy", "onnx", "onnxruntime"),
}
_OURS: Final = ("anytime-pruning-study", "mlflow", "numpy", "safetensors", "torch", "torchvision")


def find_model(
    client: MlflowClient, experiment_id: str, tags: Mapping[str, str]
) -> LoggedModel | None:
    """The whole model with all these tags; half-written ones are deleted."""
    query = " AND ".join(f"tags.`{tag}` = '{text}'" for tag, text in tags.items())
    for model in client.search_logged_models([experiment_id], filter_string=query):
        if model.status == LoggedModelStatus.READY:
            return model
        client.delete_logged_model(model.model_id)
    return None


def log_model(
    client: MlflowClient,
    experiment_id: str,
    model: ModelInfo,
    *,
    run_id: str,
    tags: Mapping[str, str],
) -> LoggedModel:
    """A new model that the run has made, with its files and metrics."""
    logged = client.create_logged_model(
        experiment_id,
        name=model.name,
        source_run_id=run_id,
        tags=dict(tags),
        params={name: str(value) for name, value in model.params.items()},
        model_type=MODEL_TYPE,
    )
    with tempfile.TemporaryDirectory() as folder:
        _write_mlmodel(model, Path(folder), run_id=run_id, model_id=logged.model_id)
        client.log_model_artifacts(logged.model_id, folder)
    client.log_model_artifacts(logged.model_id, str(model.folder))
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, model.step)])
    client.log_batch(run_id, _linked_metrics(client, run_id, model, logged.model_id))
    return client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)


def _linked_metrics(
    client: MlflowClient, run_id: str, model: ModelInfo, model_id: str
) -> list[Metric]:
    """The run's own points, once more with the model's id: equal ones are not stored twice."""
    return [
        Metric(name, point.value, point.timestamp, point.step, model_id=model_id, run_id=run_id)
        for name in model.metric_names
        for point in client.get_metric_history(run_id, name)
        if point.step == model.step
    ]


def _write_mlmodel(model: ModelInfo, folder: Path, *, run_id: str, model_id: str) -> None:
    """Everything that MLflow wants beside the model's own files."""
    shape = (-1, *model.image_shape)
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), shape)]),
        outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, model.num_classes), "logits")]),
    )
    mlmodel = Model(run_id=run_id, model_id=model_id, signature=signature)
    flavour: dict[str, Any] = {
        "loader_module": model.loader,
        "python_version": platform.python_version(),
        "env": {"virtualenv": "python_env.yaml"},
    }
    if model.loaded_file:
        flavour["data"] = model.loaded_file
    mlmodel.add_flavor("python_function", **flavour)
    if model.loader == "mlflow.onnx":
        mlmodel.add_flavor("onnx", data=model.loaded_file, providers=["CPUExecutionProvider"])
    image = np.zeros((1, *model.image_shape), np.uint8).tolist()
    _write_json(folder / "input_example.json", image)
    _write_json(folder / "serving_input_example.json", {"inputs": image})
    mlmodel.saved_input_example_info = {
        "artifact_path": "input_example.json",
        "serving_input_path": "serving_input_example.json",
        "type": "ndarray",
        "format": "tf-serving",
    }
    mlmodel.save(str(folder / "MLmodel"))
    needed = REQUIREMENTS.get(model.loader, _OURS)
    pins = [f"{name}=={importlib.metadata.version(name)}\n" for name in needed]
    (folder / "requirements.txt").write_text("".join(pins), encoding="utf-8")
    (folder / "python_env.yaml").write_text(
        f"python: {platform.python_version()}\nbuild_dependencies: [pip]\n"
        "dependencies: [-r requirements.txt]\n",
        encoding="utf-8",
    )


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
