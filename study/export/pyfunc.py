"""What MLflow loads to serve a model of ours: no pickle, and no code from the model's folder."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from study.export.folder import load_model
from study.export.formats import OUTPUT, Predict
from study.export.network import Logits

PLUGINS_VARIABLE = "APP_STUDY_PLUGINS"


class ServedModel:
    """Answers MLflow's requests."""

    def __init__(self, predict: Predict) -> None:
        self._predict = predict

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> dict[str, Logits]:  # noqa: ARG002  # MLflow's signature
        """Images ``uint8 [B, C, H, W]`` → ``{"logits": float32 [B, classes]}``."""
        return {OUTPUT: self._predict(np.ascontiguousarray(model_input, dtype=np.uint8))}


def _load_pyfunc(path: str) -> ServedModel:
    """MLflow's entry: ``path`` is the model's folder.

    Modules with architectures of the user's own are those that APP_STUDY_PLUGINS names, separated
    by commas.
    """
    plugins = [name for name in os.environ.get(PLUGINS_VARIABLE, "").split(",") if name]
    return ServedModel(load_model(Path(path), plugins=plugins)[1])
