"""What is wrong with a trial on its data, found before anything is trained."""

import functools
import logging
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch
from torch import nn

from study.config.problems import Problem
from study.config.sections import TARGETS
from study.config.trial import TrialConfig
from study.data.dataset import DataError, ImageDataset
from study.data.stream import Megabatch
from study.models.shapes import ImageShape
from study.pruning.granularity.granularity import NetworkPruner
from study.pruning.prunable import prunable_parameters
from study.pruning.prune import num_kept
from study.text import count
from study.training.training_plan import num_examples, saliency_sources
from study.trial.assembly import (
    lowest_density,
    network_pruner,
    pruning_spec,
    scored_examples,
    split,
    stream,
    training_budget,
)
from study.trial.meta_network import example_cost, meta_model

logger = logging.getLogger(__name__)

_DOTTED_PATH = re.compile(r"[a-z]+\.[a-z_]+")
_T = TypeVar("_T")


def check_trial(trial: TrialConfig, dataset: ImageDataset) -> list[Problem]:
    """What is wrong with a trial on this data, found without training."""
    problems: list[Problem] = []
    splits = _tried(problems, "data", lambda: split(trial, dataset))
    if splits is None:
        return problems
    megabatches = _tried(problems, "stream.num_megabatches", lambda: stream(trial, splits))
    if megabatches is None:
        return problems
    sizes, _ = num_examples(trial.stream.plugin("replay"), megabatches, seed=trial.seed)
    problems += _validation_problems(trial, megabatches)
    model = _network(trial, dataset, problems)
    if model is None:
        return problems
    unfit = _minibatch_problems(trial, dataset, model, sizes)
    problems += unfit
    if not unfit:
        problems += _budget_problems(trial, dataset, model, sizes, [0] * len(sizes))
    prunable = _tried(
        problems,
        "pruning.exclude",
        lambda: prunable_parameters(model, exclude=trial.pruning.exclude),
    )
    if prunable is None:
        return problems
    pruner = _tried(problems, "pruning.granularity", lambda: network_pruner(trial, dataset, model))
    if pruner is None:
        return problems
    problems += _density_problems(trial, pruner)
    if not problems:
        scored = scored_examples(trial, megabatches, sizes, num_weights=pruner.dense.num_weights)
        sources = _sources(trial, megabatches, sizes, scored)
        problems += _saliency_problems(trial, dataset, model, sources)
        problems += _budget_problems(trial, dataset, model, sizes, scored)
    return problems


def _network(
    trial: TrialConfig, dataset: ImageDataset, problems: list[Problem]
) -> nn.Module | None:
    """The network on the meta device, None where it cannot be built; its weights' file fits it."""
    model = _tried(problems, "model.architecture", lambda: meta_model(trial, dataset))
    file = trial.model.weights_file
    if model is not None and file is not None:
        _tried(problems, "model.weights", lambda: file.new_classifier(model))
    return model


def _tried(problems: list[Problem], path: str, make: Callable[[], _T]) -> _T | None:
    """What ``make`` makes; None where it refuses, with its message among ``problems``."""
    try:
        return make()
    except ValueError as error:
        problems.append(problem_at(path, error))
        return None


def _validation_problems(trial: TrialConfig, megabatches: Iterable[Megabatch]) -> list[Problem]:
    setting = trial.pruning.plugin("schedule").needs_validation
    if setting is None or any(len(m.validation) for m in megabatches):
        return []
    return [
        Problem(
            f"pruning.{setting}",
            f"{getattr(trial.pruning, setting)} follows the validation error, but no megabatch "
            f"has a validation example; raise stream.validation_fraction, or change it",
        )
    ]


def _minibatch_problems(
    trial: TrialConfig, dataset: ImageDataset, model: nn.Module, sizes: Sequence[int]
) -> list[Problem]:
    """Whether the network can be trained on the smallest mini-batch it will meet."""
    smallest = min(2, *filter(None, sizes))
    refusal = _refusal(model, dataset.image_shape, smallest)
    if not refusal:
        return []
    if smallest > 1:
        return [Problem("model.architecture", f"cannot take images of this data: {refusal}")]
    return [
        Problem(
            "stream.num_megabatches",
            f"{_length(trial)} leave a megabatch with one training example, on "
            f"which {trial.model.architecture} cannot be trained (batch normalisation); take "
            f"fewer, or a smaller stream.validation_fraction",
        )
    ]


def _budget_problems(
    trial: TrialConfig,
    dataset: ImageDataset,
    model: nn.Module,
    sizes: Sequence[int],
    scored: Sequence[int],
) -> list[Problem]:
    """Whether what a trial may cost is enough, of which scoring takes its part."""
    problems: list[Problem] = []
    budget = training_budget(trial, sizes)
    if budget is not None:
        each = example_cost(model, dataset)
        _tried(problems, budget.setting, lambda: budget.planned_samples(scored, each))
    return problems


def _saliency_problems(
    trial: TrialConfig, dataset: ImageDataset, model: nn.Module, sources: Sequence[int]
) -> list[Problem]:
    """Whether the network can be scored on the smallest mini-batch it will meet.

    ``sources`` are of how many examples those are drawn that it is scored on, by event.
    """
    looks = trial.pruning.plugin("criterion").needs_data or trial.pruning.regrow > 0
    is_single = trial.saliency.batch_size == 1 or 1 in sources
    if not (looks and sources and is_single and _refusal(model, dataset.image_shape, 1)):
        return []
    single = (
        f"one example, on which {trial.model.architecture} cannot run in training mode (batch "
        f"normalisation)"
    )
    if trial.saliency.batch_size == 1:
        return [Problem("saliency.batch_size", f"1 scores weights on {single}; take at least 2")]
    return [
        Problem(
            "saliency.source",
            f"{trial.saliency.source} leaves a megabatch to score weights on {single}; take "
            f"replayed, or fewer megabatches (stream.num_megabatches is {_length(trial)})",
        )
    ]


def _sources(
    trial: TrialConfig,
    megabatches: Sequence[Megabatch],
    sizes: Sequence[int],
    scored: Sequence[int],
) -> list[int]:
    """Of how many examples those are drawn that weights are scored on, by event that may score."""
    follows = trial.pruning.plugin("schedule").needs_validation is not None
    sources = saliency_sources(pruning_spec(trial), megabatches, sizes)
    events = zip(sources, sizes, scored, strict=True)
    return [source for source, size, num in events if size and (num or follows)]


@functools.lru_cache(maxsize=64)
def _refusal(model: nn.Module, image_shape: ImageShape, num_images: int) -> str:
    """Why a network on the meta device cannot be trained on so many images; empty if it can."""
    images = torch.empty(num_images, *image_shape, device="meta")
    try:
        with torch.random.fork_rng(devices=[]):
            model.train()(images)
    except (RuntimeError, ValueError) as error:
        return str(error) or repr(error)
    finally:
        model.eval()
    return ""


def _density_problems(trial: TrialConfig, pruner: NetworkPruner) -> list[Problem]:
    density = lowest_density(trial)
    num_weights = pruner.dense.num_weights
    if density is None or num_kept(density, num_weights) >= pruner.fewest:
        return []
    targets = [name for name in TARGETS if getattr(trial.pruning, name) is not None]
    own = trial.pruning.plugin("schedule").density_setting
    return [
        Problem(
            f"pruning.{(targets or [own or 'schedule'])[0]}",
            f"leaves {num_kept(density, num_weights)} of {num_weights:,} weights at "
            f"stream.num_megabatches = {_length(trial)} ({trial.pruning.schedule}, density "
            f"{density:.3g}), fewer than {trial.model.architecture} must keep, "
            f"{pruner.fewest_are}; ask for a density of at least "
            f"{_rounded_up(pruner.fewest / num_weights)}",
        )
    ]


def _rounded_up(value: float) -> str:
    """Three digits that are not below ``value``."""
    scale = 10.0 ** (2 - math.floor(math.log10(value)))
    return f"{math.ceil(value * scale) / scale:.3g}"


def _length(trial: TrialConfig) -> str:
    num_arrivals = len(trial.data.arrivals)
    later = f" and {count(num_arrivals, 'arrival')}" if num_arrivals else ""
    return f"{trial.stream.num_megabatches}{later}"


def problem_at(path: str, error: ValueError) -> Problem:
    """The error at its own path if its words begin with one, else at ``path``."""
    message = str(error)
    details: tuple[str, ...] = ()
    if isinstance(error, DataError):
        message, details = error.summary, error.details
    first, colon, rest = message.partition(": ")
    if colon and _DOTTED_PATH.fullmatch(first):
        return Problem(first, rest, details)
    return Problem(path, message, details)
