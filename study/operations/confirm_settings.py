"""With which settings a baseline is run: its own best, where the study has tuned it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from study.comparisons import PLACES_OF_DATA, TASK_SECTIONS
from study.config.paths import is_active
from study.config.sections import LENGTHS, TARGETS
from study.config.study_config import StudyConfig
from study.config.trial import TrialConfig, parse_trial, unflatten
from study.search.ranking import best_first
from study.store.record import Record, RecordedTrial
from study.trial.assembly import known_density

# Equal in two sides beside the task: what it may cost, and what a baseline is.
_COST = tuple(f"training.{name}" for name in LENGTHS)
_KIND = ("pruning.schedule", "pruning.reference_compat")
# Settings are taken over between densities that differ by at most this factor.
_LIKE_DENSITY = 2.0


@dataclass(frozen=True)
class TunedBaselines:
    """What a study's trials say of the settings of baselines.

    Attributes:
        paths: What the study tunes: what it searches but for the task and how much is pruned.
        tried: Its complete trials, with their configurations.
        metric: By which the best of them is chosen, whether or not they keep the constraints.
    """

    paths: tuple[str, ...]
    tried: Sequence[tuple[RecordedTrial, TrialConfig]]
    metric: str

    def with_own_settings(self, baseline: TrialConfig) -> tuple[TrialConfig, int] | None:
        """A baseline with the settings in which it was best, and the number of that trial.

        The best is chosen among the trials on the same task (data, network, stream with its T,
        examples through SGD) that end at a like density.

        Returns:
            None where the study has not tuned it: its trials have fewer than two settings, and
            the only one is no choice.
        """
        found = {
            trial.number: (trial, config.flat())
            for trial, config in self.tried
            if _kind(config) == _kind(baseline) and _is_like(trial, baseline)
        }
        settings = {tuple(repr(flat.get(p)) for p in self.paths) for _, flat in found.values()}
        trials = [trial for trial, _ in found.values()]
        ranked = best_first(trials, lambda trial: trial.final_values, self.metric)
        if len(settings) < 2 or not ranked:
            return None
        best, own = found[ranked[0].number]
        flat = baseline.flat() | {path: own[path] for path in self.paths if path in own}
        kept = {p: v for p, v in flat.items() if v is not None and is_active(p, flat)}
        return parse_trial(unflatten(kept)), best.number


def tuned_baselines(study: StudyConfig, record: Record, metric: str) -> TunedBaselines:
    """What the trials of ``study`` say, by ``metric``."""
    targets = tuple(f"pruning.{name}" for name in TARGETS)
    fixed = (*_KIND, *_COST, *targets, "seed")
    paths = tuple(
        p for p in study.space.paths if not p.startswith(TASK_SECTIONS) and p not in fixed
    )
    complete = [t for t in record.trials.values() if t.values((metric,)) is not None]
    return TunedBaselines(paths, [(t, parse_trial(t.config)) for t in complete], metric)


def _kind(config: TrialConfig) -> dict[str, Any]:
    return {
        path: value
        for path, value in config.flat().items()
        if (path.startswith(TASK_SECTIONS) and path not in PLACES_OF_DATA)
        or path in (*_COST, *_KIND)
    }


def _is_like(trial: RecordedTrial, baseline: TrialConfig) -> bool:
    density, wanted = trial.final_values["final_density"], known_density(baseline)
    # Masks keep whole weights.
    within = 1.01 * _LIKE_DENSITY
    return wanted is not None and wanted / within <= density <= wanted * within
