"""The cost of a study before it is launched: trials, examples, FLOPs, and hours."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from rich.table import Table
from torch import nn

from study.config.arms import arm_name
from study.config.study_config import StudyConfig
from study.config.trial import TrialConfig
from study.data.dataset import ImageDataset
from study.measurement.runtimes import torch_threads
from study.pruning.prunable import prunable_parameters
from study.training.epochs import EVALUATION_BATCH_SIZE
from study.training.precision import (
    autocast,
    memory_format,
    resolve_device,
    resolve_precision,
)
from study.training.training_plan import num_examples, samples_of_each
from study.trial.assembly import (
    build_model,
    example_cost,
    scored_examples,
    split,
    stream,
    training_budget,
)
from study.trial.checks import load_and_check
from study.trial.datasets import DatasetKey, dataset_key

_WARM_UP_STEPS = 2
_TIMED_STEPS = 5


@dataclass(frozen=True)
class Speed:
    """Images a second of one trial on this machine."""

    training: float
    evaluation: float


@dataclass(frozen=True)
class TrialCost:
    """The cost of one trial.

    ``samples`` are trained on or scored, as far as the configuration tells. ``seconds`` is
    estimated: examples trained on or scored, and evaluated, over the speeds measured here; it
    supposes that the study runs on such a machine.
    """

    architecture: str
    num_megabatches: int
    num_parameters: int
    num_prunable: int
    samples: int
    evaluated: int
    flops: int
    seconds: float


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


def plan_study(study: StudyConfig, *, max_concurrent: int, num_confirming: int = 0) -> StudyPlan:
    """Estimate the cost of a study; a few steps of each of its networks are timed here.

    Args:
        study: What is planned.
        max_concurrent: Trials at once.
        num_confirming: Trials that confirm its best after it.

    Raises:
        ConfigError: A trial does not fit its data.
    """
    trials = list(study.corners())
    datasets = load_and_check({trial.key(): trial for trial in trials})
    speeds: dict[object, Speed] = {}
    with torch_threads(study.resources.cpus_per_trial):
        costs = tuple(trial_cost(trial, datasets, speeds) for trial in trials)
    return StudyPlan(
        costs=costs,
        num_known=len(study.points),
        num_proposals=study.num_proposals,
        max_concurrent=max_concurrent,
        arms={arm_name(arm): study.proposals_per_arm for arm in study.search_arms},
        num_confirming=num_confirming,
        num_holdout=smallest_holdout(trials, datasets),
    )


def smallest_holdout(
    trials: Sequence[TrialConfig], datasets: Mapping[DatasetKey, ImageDataset]
) -> int:
    """Examples of the smallest holdout of these trials; 0 where one has none."""
    found = {trial.data: trial for trial in trials}
    return min(len(split(t, datasets[dataset_key(t.data)]).holdout) for t in found.values())


def trial_cost(
    trial: TrialConfig,
    datasets: Mapping[DatasetKey, ImageDataset],
    speeds: dict[object, Speed],
) -> TrialCost:
    """Estimate the cost of a trial; ``speeds`` keeps what was timed, by what it depends on."""
    dataset = datasets[dataset_key(trial.data)]
    splits = split(trial, dataset)
    megabatches = stream(trial, splits)
    replay = trial.stream.plugin("replay")
    train, validation = num_examples(replay, megabatches, seed=trial.seed)
    model = build_model(trial, dataset)
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
    speed = _speed(trial, dataset, model, speeds)
    return TrialCost(
        architecture=trial.model.architecture,
        num_megabatches=trial.stream.num_megabatches,
        num_parameters=sum(p.numel() for p in model.parameters()),
        num_prunable=num_prunable,
        samples=cost.samples,
        evaluated=evaluated,
        flops=cost.flops,
        seconds=cost.samples / speed.training + evaluated / speed.evaluation,
    )


def _speed(
    trial: TrialConfig, dataset: ImageDataset, model: nn.Module, speeds: dict[object, Speed]
) -> Speed:
    training = trial.training
    mark = (
        trial.model.model_dump_json(),
        dataset.image_shape,
        dataset.num_classes,
        training.batch_size,
        training.precision,
        training.device,
    )
    if mark not in speeds:
        speeds[mark] = measure_speed(trial, dataset, model)
    return speeds[mark]


def measure_speed(trial: TrialConfig, dataset: ImageDataset, model: nn.Module) -> Speed:
    """Time a few steps of training and evaluation on made-up images."""
    device = resolve_device(trial.training.device)
    precision = resolve_precision(trial.training.precision, device)
    model = model.to(device).to(memory_format=memory_format(precision, device))
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9)
    generator = torch.Generator().manual_seed(0)

    def images(count: int) -> torch.Tensor:
        return torch.rand(count, *dataset.image_shape, generator=generator).to(device)

    inputs = images(trial.training.batch_size)
    labels = torch.zeros(len(inputs), dtype=torch.int64, device=device)
    served = images(EVALUATION_BATCH_SIZE)

    def train() -> None:
        with autocast(precision, device):
            loss = nn.functional.cross_entropy(model(inputs), labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's
        optimiser.step()

    def evaluate() -> None:
        with torch.inference_mode(), autocast(precision, device):
            model(served)

    model.train()
    training = len(inputs) / _seconds(train, device)
    model.eval()
    return Speed(training=training, evaluation=len(served) / _seconds(evaluate, device))


def _seconds(step: object, device: torch.device) -> float:
    """Median seconds of a step."""
    assert callable(step)
    times = []
    for _ in range(_WARM_UP_STEPS + _TIMED_STEPS):
        started = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - started)
    return sorted(times[_WARM_UP_STEPS:])[_TIMED_STEPS // 2]


def plan_table(plan: StudyPlan) -> Table:
    """A line for each architecture and stream length, for people."""
    table = Table(box=None)
    for title in ("architecture", "megabatches"):
        table.add_column(title)
    for title in ("trials", "parameters", "prunable", "examples", "train FLOPs", "minutes"):
        table.add_column(title, justify="right")
    groups: dict[tuple[str, int], list[TrialCost]] = {}
    for cost in plan.costs[: plan.num_known] or plan.costs:
        groups.setdefault((cost.architecture, cost.num_megabatches), []).append(cost)
    for (architecture, num_megabatches), costs in groups.items():
        count = len(costs)
        table.add_row(
            architecture,
            str(num_megabatches),
            str(count),
            f"{costs[0].num_parameters:,}",
            f"{costs[0].num_prunable:,}",
            f"{sum(c.samples for c in costs) / count:,.0f}",
            f"{sum(c.flops for c in costs) / count:.3g}",
            f"{sum(c.seconds for c in costs) / count / 60:.1f}",
        )
    return table
