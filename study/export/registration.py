"""What a tracker logs of a model's folder."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from study.export.card import ModelCard
from study.export.formats import FORMATS
from study.tracking import names
from study.tracking.facts import ModelInfo

OUR_LOADER = "study.export.pyfunc"
ONNX_LOADER = "mlflow.onnx"  # needs nothing of ours where the model is served
_METRICS = (
    "holdout_error_rate", "holdout_accuracy", "test_error_rate", "test_accuracy",
    "validation_error_rate", "density", "effective_density", "service_error", "test_service_error",
)  # fmt: skip


def model_info(card: ModelCard, folder: Path) -> ModelInfo:
    """What a tracker logs of the model with this card, which lies in ``folder``."""
    is_onnx = card.format == "onnx"
    sections = {s: v for s, v in card.config.items() if isinstance(v, dict)}
    return ModelInfo(
        name=card.name,
        folder=folder,
        step=card.megabatch_index,
        image_shape=card.network.image_shape,
        num_classes=len(card.network.class_names),
        loader=ONNX_LOADER if is_onnx else OUR_LOADER,
        loaded_file=FORMATS.get(card.format).file_name if is_onnx else "",
        metric_names=tuple(name for name in _METRICS if name in card.metrics),
        params={
            "title": card.title,
            "format": card.format,
            "data.dataset": sections["data"]["dataset"],
            "model.architecture": sections["model"]["architecture"],
            "pruning.schedule": sections["pruning"]["schedule"],
            "stream.num_megabatches": sections["stream"]["num_megabatches"],
            "seed": card.config["seed"],
        },
    )


def run_tags(card: ModelCard) -> dict[str, str]:
    """The tags by which the run of a model's trial is found."""
    return {
        names.TAG_KIND: names.KIND_TRIAL,
        names.TAG_STUDY: card.study,
        names.TAG_TRIAL_KEY: card.trial_key,
    }


def version_tags(card: ModelCard) -> dict[str, str]:
    """What a registered version records of itself, so that the next can be compared with it."""
    tags = {
        names.TAG_STUDY: card.study,
        names.TAG_TRIAL_KEY: card.trial_key,
        names.TAG_MEGABATCH: str(card.megabatch_index),
        names.TAG_HOLDOUT: holdout_name(card),
        "format": card.format,
    }
    error = card.metrics.get("holdout_error_rate")
    if error is not None:
        tags[names.TAG_HOLDOUT_ERROR] = repr(error)
    return tags


def holdout_name(card: ModelCard) -> str:
    """Equal for models whose error rates were measured on the same holdout."""
    data = {
        k: v for k, v in card.config["data"].items() if k not in ("root", "download", "arrivals")
    }
    text = json.dumps([data, card.split_sizes["holdout"]], sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_same_model(card: ModelCard, tags: Mapping[str, str]) -> bool:
    """Whether a registered version with these tags is the model of this card already."""
    own = version_tags(card)
    same = (names.TAG_STUDY, names.TAG_TRIAL_KEY, names.TAG_MEGABATCH, "format")
    return all(tags.get(name) == own[name] for name in same)


def refusal(card: ModelCard, tags: Mapping[str, str]) -> str:
    """Why the version with these tags stays in its place; empty where the new model may have it.

    The new one may have it if its error rate on the holdout is not higher, the holdout being the
    same images.
    """
    own = version_tags(card)
    new, old = own.get(names.TAG_HOLDOUT_ERROR), tags.get(names.TAG_HOLDOUT_ERROR)
    if new is None or old is None:
        which = "the new model" if new is None else "the one in use"
        return f"{which} has no error rate on a holdout, by which the two could be compared"
    if own[names.TAG_HOLDOUT] != tags.get(names.TAG_HOLDOUT):
        return (
            f"its error rate of {float(new):.4g} and the {float(old):.4g} of the one in use were "
            f"measured on different holdouts, and cannot be compared"
        )
    if float(new) > float(old):
        return (
            f"the new model's error rate on the holdout is {float(new):.4g}, that of the one in "
            f"use {float(old):.4g}"
        )
    return ""
