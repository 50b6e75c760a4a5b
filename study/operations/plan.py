"""The cost of a study before it is launched: trials, examples, FLOPs, and hours."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from study.config.arms import arm_name
from study.config.study_config import StudyConfig
from study.config.trial import TrialConfig
from study.data.dataset import ImageDataset
from study.measurement.runtimes import torch_threads
from study.measurement.training_speed import Arithmetic, Speed, TimedNetwork, measure_speeds
from study.pruning.prunable import prunable_parameters
from study.training.kernels import resolve_kernels
from study.training.precision import resolve_device, resolve_precision
from study.training.training_plan import num_examples, samples_of_each
from study.trial.assembly import (
    build_model,
    scored_examples,
    split,
    stream,
    training_budget,
)
from study.trial.datasets import DatasetKey, dataset_key
from study.trial.meta_network import example_cost, meta_flops, meta_model
from study.trial.read_data import load_and_check

_TIMING_S = 6.0  # for all networks of a study together


@dataclass(frozen=True)
class TrialCost:
    """The cost of one trial.

    ``samples`` are trained on or scored, as far as the configuration tells. ``seconds`` is
    estimated: examples trained on or scored, and evaluated, over the speeds measured here; it
    supposes that the study runs on such a machine. ``is_timed``: see :class:`Speed`.
    """

    architecture: str
    num_megabatches: int
    num_parameters: int
    num_prunable: int
    samples: int
    evaluated: int
    flops: int
    seconds: float
    is_timed: bool


@dataclass(frozen=True)
class StudyPlan:
    """The cost of a study.

    Attributes:
        costs: One a trial that is known beforehand; of a search, also one for each extreme of its
            space, from which the proposals are estimated.
        num_known: How many of the trials are known beforehand: they come first in ``costs``.
        num_proposals: How many a sampler will propose.
        arms: Name of each arm of the search → how many are proposed for it; empty without arms.
        max_concurrent: Trials at once.
        num_confirming: How many trials confirm its best after it, at most.
        num_holdout: Examples of the smallest holdout, on which verdicts are reached.
    """

    costs: tuple[TrialCost, ...]
    num_known: int
    num_proposals: int
    max_concurrent: int
    num_confirming: int
    num_holdout: int
    arms: Mapping[str, int] = field(default_factory=dict)

    def total(self, name: str) -> float:
        """Sum of a field of the costs over all trials.

        Proposals count as the mean extreme, and what confirms as the mean trial.
        """
        values = [float(getattr(cost, name)) for cost in self.costs]
        known, extremes = values[: self.num_known], values[self.num_known :]
        mean = sum(extremes) / len(extremes) if extremes else 0.0
        searched = sum(known) + mean * self.num_proposals
        num_searched = self.num_known + self.num_proposals
        return searched * (1 + self.num_confirming / max(num_searched, 1))

    @property
    def hours(self) -> float:
        """Estimated wall time with ``max_concurrent`` trials at once."""
        return self.total("seconds") / self.max_concurrent / 3600.0

    @property
    def is_timed(self) -> bool:
        """Whether each of its networks was timed in whole mini-batches; see :class:`Speed`."""
        return all(cost.is_timed for cost in self.costs)


def plan_study(
    study: StudyConfig,
    *,
    max_concurrent: int,
    num_confirming: int = 0,
    show: Callable[[str], None] = lambda _: None,
) -> StudyPlan:
    """Estimate the cost of a study; a few steps of each of its networks are timed here.

    That takes seconds whatever the networks: see :mod:`study.measurement.training_speed`.

    Args:
        study: What is planned.
        max_concurrent: Trials at once.
        num_confirming: Trials that confirm its best after it.
        show: Called with what is being done.

    Raises:
        ConfigError: A trial does not fit its data.
    """
    marks: list[str] = []
    trials: dict[str, TrialConfig] = {}
    for trial in study.corners():
        marks.append(_without_seed(trial))
        trials.setdefault(marks[-1], trial)
    show("reading the data")
    datasets = load_and_check({trial.key(): trial for trial in trials.values()})
    with torch_threads(study.resources.cpus_per_trial):
        show("counting FLOPs")
        steps = {mark: _steps(t, datasets[dataset_key(t.data)]) for mark, t in trials.items()}
        speeds = measure_speeds(dict(steps.values()), seconds=_TIMING_S, show=show)
    costs = {
        mark: trial_cost(trial, datasets[dataset_key(trial.data)], speeds[steps[mark][0]])
        for mark, trial in trials.items()
    }
    return StudyPlan(
        costs=tuple(costs[mark] for mark in marks),
        num_known=len(study.points),
        num_proposals=study.num_proposals,
        max_concurrent=max_concurrent,
        arms={arm_name(arm): study.proposals_per_arm for arm in study.search_arms},
        num_confirming=num_confirming,
        num_holdout=smallest_holdout(list(trials.values()), datasets),
    )


def smallest_holdout(
    trials: Sequence[TrialConfig], datasets: Mapping[DatasetKey, ImageDataset]
) -> int:
    """Examples of the smallest holdout of these trials; 0 where one has none."""
    found = {trial.data: trial for trial in trials}
    return min(len(split(t, datasets[dataset_key(t.data)]).holdout) for t in found.values())


def _without_seed(trial: TrialConfig) -> str:
    """What trials have in common that cost the same."""
    return repr({path: value for path, value in trial.flat().items() if path != "seed"})


def trial_cost(trial: TrialConfig, dataset: ImageDataset, speed: Speed) -> TrialCost:
    """Estimate the cost of a trial, of whose network ``speed`` is known."""
    splits = split(trial, dataset)
    megabatches = stream(trial, splits)
    replay = trial.stream.plugin("replay")
    train, validation = num_examples(replay, megabatches, seed=trial.seed)
    model = meta_model(trial, dataset)
    prunable = prunable_parameters(model, exclude=trial.pruning.exclude)
    num_prunable = sum(p.numel() for p in prunable.values())
    scored = scored_examples(trial, megabatches, train, num_weights=num_prunable)
    each, budget = example_cost(model, dataset), training_budget(trial, train)
    if budget is not None:
        trained = budget.planned_samples(scored, each)
    else:
        epochs, each_model = trial.training.epochs, trial.training.samples_per_model
        trained = [samples_of_each(n, epochs=epochs, samples_per_model=each_model) for n in train]
    cost = each.times(sum(trained) + sum(scored))
    num_models = sum(n > 0 for n in train)
    served = (len(splits.holdout) + len(splits.test)) * num_models
    checked = sum(
        m / n * validated for m, n, validated in zip(trained, train, validation, strict=True) if n
    )
    evaluated = round(checked) + sum(train) + served
    return TrialCost(
        architecture=trial.model.architecture,
        num_megabatches=trial.stream.num_megabatches,
        num_parameters=sum(p.numel() for p in model.parameters()),
        num_prunable=num_prunable,
        samples=cost.samples,
        evaluated=evaluated,
        flops=cost.flops,
        seconds=cost.samples / speed.training + evaluated / speed.evaluation,
        is_timed=speed.is_timed,
    )


def _steps(trial: TrialConfig, dataset: ImageDataset) -> tuple[Hashable, TimedNetwork]:
    """The steps of the trial's network, after a mark of what they take as long as."""
    training = trial.training
    device = resolve_device(training.device)
    precision = resolve_precision(training.precision, device)
    kernels = resolve_kernels(training.kernels, precision, device)
    model, arithmetic = meta_model(trial, dataset), Arithmetic(device, precision, kernels)
    network = TimedNetwork(
        name=trial.model.architecture,
        build=lambda: build_model(trial, dataset),
        image_shape=dataset.image_shape,
        batch_size=training.batch_size,
        forward_flops=meta_flops(model, dataset.image_shape).forward,
        arithmetic=arithmetic,
    )
    return (model, training.batch_size, arithmetic), network
