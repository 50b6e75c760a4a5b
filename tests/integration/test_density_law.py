"""Every schedule is at its density after every megabatch, to the weight."""

import math
from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_images

from study.config.trial import TrialConfig, parse_trial
from study.data.dataset import ImageDataset
from study.pruning.prunable import prunable_parameters
from study.pruning.schedules import SCHEDULES, PruningEvent
from study.results import MegabatchRecord
from study.training.anytime import AnytimeLearner
from study.trial.assembly import assemble
from tests.helpers.small_trials import learner, trial

LENGTHS = (1, 2, 3, 4, 7, 12)
OTHER_LENGTHS = sorted(set(range(1, 25)) - set(LENGTHS))
SETTINGS: dict[str, Any] = {"dense": {}, "geometric": {"pruning__rate": 0.15}}
OPEN = {"open_ended"}  # no known end


def config(schedule: str, num_megabatches: int, **overrides: Any) -> TrialConfig:
    settings = SETTINGS.get(schedule, {"pruning__final_density": 0.13})
    if schedule == "step":
        settings = {"pruning__densities": tuple(0.9**k for k in range(num_megabatches))}
    return trial(
        **{
            "data__num_examples": 80,
            "data__num_test_examples": 8,
            "data__image_size": 4,
            "pruning__schedule": schedule,
            "pruning__final_density": None,
            "stream__num_megabatches": num_megabatches,
            "stream__replay": "none",
            "training__epochs": 1,
            **settings,
            **overrides,
        }
    )


def expected_counts(made: AnytimeLearner, trial_config: TrialConfig) -> list[int]:
    """⌊d_k·N + ½⌋ from the schedule alone."""
    num_weights = sum(p.numel() for p in prunable_parameters(made.model).values())
    schedule = trial_config.pruning.plugin("schedule")
    total = trial_config.stream.num_megabatches
    target = trial_config.pruning.target_density
    densities = [schedule.density(PruningEvent(k + 1, total, target)) for k in range(total)]
    if target is not None:
        assert densities[-1] == target
    return [math.floor(d * num_weights + 0.5) for d in densities]


def check_law(trial_config: TrialConfig, *, nested: bool = True) -> None:
    made = learner(trial_config)
    masks, counts = [], []
    for record in made.run():
        if not isinstance(record, MegabatchRecord):
            continue
        weights = dict(made.model.named_parameters())
        for name, kept in made.mask.tensors.items():
            assert torch.all(weights[name][~kept] == 0)
        masks.append(made.mask)
        counts.append(sum(int(kept.sum()) for kept in made.mask.tensors.values()))
        assert record.metrics["density"] == counts[-1] / made.mask.num_weights
        assert sum(layer.num_kept for layer in record.layers) == counts[-1]
    assert counts == expected_counts(made, trial_config)
    if nested:
        assert all(newer.is_nested_in(older) for older, newer in pairwise(masks))


@pytest.mark.parametrize(
    "lengths", [LENGTHS, pytest.param(OTHER_LENGTHS, marks=pytest.mark.slow)], ids=["few", "all"]
)
@pytest.mark.parametrize("allocation", ["global", "uniform"])
@pytest.mark.parametrize("schedule", sorted(set(SCHEDULES) - OPEN))
def test_density_is_exact_and_masks_are_nested_at_every_megabatch_whatever_the_length(
    schedule: str, allocation: str, lengths: Sequence[int]
) -> None:
    for num_megabatches in lengths:
        criterion = "magnitude" if num_megabatches % 2 else "random"
        check_law(
            config(
                schedule,
                num_megabatches,
                pruning__allocation=allocation,
                pruning__criterion=criterion,
            )
        )


@pytest.mark.parametrize("num_megabatches", [1, 5, 12])
@pytest.mark.parametrize("schedule", ["app", "one_shot", "geometric"])
def test_density_is_exact_with_gradient_scores_and_momentum(
    schedule: str, num_megabatches: int
) -> None:
    overrides = {"pruning__criterion": "snip", "training__weight_decay": 1e-3}
    check_law(config(schedule, num_megabatches, training__epochs=2, **overrides))


def test_regrowth_keeps_the_count_exact() -> None:
    check_law(config("cubic", 6, pruning__regrow=0.2), nested=False)


def test_regrown_weights_start_without_momentum() -> None:
    made = learner(config("one_shot", 3, pruning__regrow=0.3, training__epochs=1))
    before = made.mask
    num_regrown = 0
    openings = []

    def watch(optimiser: Any, *_: object) -> None:
        nonlocal before, num_regrown
        if made.mask is before:
            return
        weights = dict(made.model.named_parameters())
        for name, kept in made.mask.tensors.items():
            buffer = optimiser.state.get(weights[name], {}).get("momentum_buffer")
            regrown = kept & ~before.tensors[name]
            if buffer is not None:
                num_regrown += int(regrown.sum())
                openings.append(torch.all(buffer[regrown] == 0))
        before = made.mask

    made.network.optimiser.register_step_pre_hook(watch)
    for _ in made.run():
        pass
    assert num_regrown > 0
    assert all(openings)


def test_reference_compat_never_rises_and_falls_below_what_was_asked_for() -> None:
    made = learner(config("app", 6, pruning__reference_compat=True, pruning__criterion="snip"))
    densities = [r.metrics["density"] for r in made.run() if isinstance(r, MegabatchRecord)]
    assert densities == sorted(densities, reverse=True)
    assert densities[-1] < 0.13 / 2


def photo_tiles() -> ImageDataset:
    """Tiles of the two photographs that scikit-learn ships, 32×32; where they lie is the class.

    How far density collapses depends on the images: made-up mosaics stop at about 0.05.
    """
    tiles, labels = [], []
    for number, photo in enumerate(load_sample_images().images):
        for strip, part in enumerate(np.array_split(photo[::2, ::2], 5, axis=1)):
            for y, x in product(range(0, 180, 8), range(0, 32, 8)):
                tiles.append(part[y : y + 32, x : x + 32].transpose(2, 0, 1))
                labels.append(5 * number + strip)
    return ImageDataset(
        train_images=np.ascontiguousarray(tiles),
        train_labels=np.array(labels, dtype=np.int64),
        test_images=None,
        test_labels=None,
        class_names=tuple("0123456789"),
        mean=(0.47, 0.47, 0.45),
        std=(0.25, 0.25, 0.25),
        crop_and_flip=False,
    )


@pytest.mark.parametrize("compat", [True, False])
def test_resnet20_at_tau_4_5_collapses_with_reference_compat_and_is_exact_without(
    compat: bool,
) -> None:
    made = assemble(
        parse_trial(
            {
                "data": {"holdout_fraction": 0.0, "shots_per_class": 24},
                "stream": {
                    "num_megabatches": 8,
                    "validation_fraction": 0.0,
                    "replay": "none",
                },
                "model": {"architecture": "resnet20"},
                "pruning": {
                    "schedule": "app",
                    "criterion": "snip",
                    "tau": 4.5,
                    "reference_compat": compat,
                },
                "saliency": {"batch_size": 30},
                "training": {"epochs": 1, "keep": "last"},
            }
        ),
        photo_tiles(),
    )
    for _ in made.run():
        pass
    if compat:
        assert 0.01 < made.mask.density < 0.04
    else:
        assert made.mask.num_kept == math.floor(0.8**4.5 * made.mask.num_weights + 0.5)
        assert made.mask.density == pytest.approx(0.366, abs=5e-4)
