"""A study of a folder of images, as large as the time allows that is given for it."""

import dataclasses
import math
import os
from dataclasses import dataclass
from typing import Any

import torch

from study.config.loading import study_from_raw
from study.config.sections import DataSection
from study.errors import StudyError
from study.operations.plan import StudyPlan, plan_study
from study.operations.study_files.image_folder import FolderFacts
from study.text import duration

# Passes over the training images: what a network needs at least, and what helps no more.
LEAST_PASSES, MOST_PASSES = 10, 60
# Of the time given: Ray begins and ends and a report is written twice, for the search and for what
# confirms it; and of the rest a part, since plans are estimates.
NOT_TRAINING_H = 60 / 3600
USED = 0.8
_MEGABATCHES = (2, 4, 8)
LARGE_BATCH, SMALL_BATCH = 64, 16
TEST_FRACTION: float = DataSection.model_fields["test_fraction"].default


@dataclass(frozen=True)
class Design:
    """How much a study tries, and with how many fresh seeds it confirms what it has found."""

    trials: int
    top: int
    seeds: int

    @property
    def num_confirming(self) -> int:
        """Trials that confirm, at most: the best, and dense beside them."""
        return (self.top + 1) * self.seeds


# The largest that fits is taken.
DESIGNS = (Design(30, 3, 10), Design(20, 3, 8), Design(12, 2, 6), Design(8, 1, 6))


@dataclass(frozen=True)
class SizedStudy:
    """A study in plain values, as its file has them, and how many hours it will take here."""

    raw: dict[str, Any]
    hours: float
    max_concurrent: int


def sized_study(
    facts: FolderFacts, *, name: str, hours: float, architecture: str = "resnet20"
) -> SizedStudy:
    """The study of a folder that takes at most so many hours, by timing its network here.

    Args:
        facts: What the folder holds.
        name: Of the study.
        hours: Wall time on this machine, above 0.
        architecture: The network.

    Raises:
        StudyError: Even the smallest study takes longer, or there are too few images.
        ConfigError: There is no such network, or it does not fit the images.
    """
    raw = _raw(facts, name, architecture)
    num_gpus = torch.cuda.device_count()
    if num_gpus:
        raw["resources"] = {"gpus_per_trial": 1}
    at_once = num_gpus or os.cpu_count() or 1
    plan = plan_study(
        study_from_raw(_with(raw, facts, DESIGNS[-1], LEAST_PASSES, hours)), max_concurrent=at_once
    )
    training = USED * (hours - NOT_TRAINING_H)
    for design in DESIGNS:
        least = _planned(plan, design)
        if least <= training:
            passes = min(MOST_PASSES, LEAST_PASSES * training / least)
            made = _with(raw, facts, design, passes, hours)
            takes = least * passes / LEAST_PASSES + NOT_TRAINING_H
            return SizedStudy(made, takes, at_once)
    needed = _planned(plan, DESIGNS[-1]) / USED + NOT_TRAINING_H
    raise StudyError(
        f"a study of {facts.num_images:,} images at {facts.image_size} pixels takes at least "
        f"{duration(3600 * needed)} on this machine with {architecture}; give --hours "
        f"{needed:.2g} or more, a smaller --image-size or a smaller --architecture"
    )


def _planned(plan: StudyPlan, design: Design) -> float:
    """Hours of a design: a plan tells what a trial takes, and this how many there are."""
    resized = dataclasses.replace(
        plan, num_proposals=design.trials, num_confirming=design.num_confirming
    )
    return resized.hours


def _raw(facts: FolderFacts, name: str, architecture: str) -> dict[str, Any]:
    """What does not depend on the time."""
    holdout = 0.2 if facts.num_images < 5000 else 0.1
    share = (1 - holdout) * (1 if facts.has_test else 1 - TEST_FRACTION)
    kept = facts.num_images * share
    batch_size = LARGE_BATCH if kept >= 4 * LARGE_BATCH * _MEGABATCHES[-1] else SMALL_BATCH
    # Two mini-batches in each part.
    lengths = [t for t in _MEGABATCHES if kept / t >= 2 * batch_size]
    if len(lengths) < 2:
        least = math.ceil(2 * SMALL_BATCH * _MEGABATCHES[1] / share)
        raise StudyError(
            f"{facts.root} holds {facts.num_images:,} images to train on, too few to arrive in "
            f"parts; at least {least} are needed"
        )
    fixed = {
        "data.dataset": "image_folder",
        "data.root": str(facts.root),
        "data.image_size": facts.image_size,
        "data.grayscale": facts.is_grey,
        "data.holdout_fraction": holdout,
        "model.architecture": architecture,
        "pruning.criterion": "snip",
        "training.batch_size": batch_size,
        "training.lr": 0.1 if batch_size == LARGE_BATCH else 0.05,
    }
    space = {
        "pruning.final_density": {"low": 0.02, "high": 1.0, "log": True},
        "pruning.schedule": ["app", "one_shot", "cubic"],
        "stream.num_megabatches": lengths,
    }
    points = [{"pruning.schedule": "dense", "stream.num_megabatches": lengths}]
    return {
        "name": name,
        "fixed": fixed,
        "search": {"space": space, "points": points},
        "objective": {"metrics": ["service_error", "final_density"]},
    }


def _with(
    raw: dict[str, Any], facts: FolderFacts, design: Design, passes: float, hours: float
) -> dict[str, Any]:
    """The study with so many passes and trials; in whole hundreds of examples."""
    samples = max(100, round(passes * facts.num_images / 100) * 100)
    confirm = {"top": design.top, "seeds": design.seeds, "baselines": ["dense"]}
    return {
        **raw,
        "fixed": {**raw["fixed"], "training.total_samples": samples},
        "budget": {"trials": design.trials, "hours": hours},
        "confirm": confirm,
    }
