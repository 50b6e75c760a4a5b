"""What must hold between the values of a trial, without looking at its data."""

from collections.abc import Mapping

from study.config.problems import Problem, shown
from study.config.section_parsing import plugin_problem
from study.config.sections import (
    LENGTHS,
    TARGETS,
    PruningSection,
    Section,
    StreamSection,
    TrainingSection,
)
from study.pruning.granularity.granularity import Granularity
from study.training.starts import Start


def target_problems(pruning: PruningSection) -> list[Problem]:
    """One target density for the schedules that end on one, none for the others."""
    given = [name for name in TARGETS if getattr(pruning, name) is not None]
    if not pruning.plugin_points["schedule"].get(pruning.schedule).takes_target:
        return [
            Problem(
                f"pruning.{name}",
                f"has no meaning under the pruning schedule {pruning.schedule!r}; leave it out",
            )
            for name in given
        ]
    if len(given) == 1:
        return []
    both = "not both" if given else "none is given"
    return [
        Problem(
            "pruning.final_density",
            f"the pruning schedule {pruning.schedule!r} needs pruning.final_density or "
            f"pruning.tau, exactly one of them ({both})",
        )
    ]


def training_problems(training: TrainingSection) -> list[Problem]:
    """One length of the training."""
    problems = []
    given = [name for name in LENGTHS if getattr(training, name) is not None]
    if len(given) != 1:
        found = f"not both {' and '.join(given)}" if given else "none is given"
        problems.append(
            Problem(
                "training.epochs",
                f"give training.epochs (per megabatch), training.samples_per_model (examples "
                f"per megabatch), training.total_samples (examples per trial) or "
                f"training.total_flops (FLOPs per trial), exactly one of them ({found})",
            )
        )
    return problems


def arrival_problems(training: TrainingSection, stream: StreamSection) -> list[Problem]:
    """Arrivals to train after: at least one, in order, all of them in the stream."""
    if isinstance(training.at, str):
        return []
    at, last = list(training.at), stream.num_megabatches - 1
    if not at:
        return [Problem("training.at", "names no arrival, so that no model would be trained")]
    if at != sorted(set(at)):
        message = f"must rise, got {shown(training.at)}; each arrival is named once, from 0"
        return [Problem("training.at", message)]
    if at[-1] > last:
        return [
            Problem(
                "training.at",
                f"names arrival {at[-1]}, but with stream.num_megabatches = "
                f"{stream.num_megabatches} they are 0 to {last}",
            )
        ]
    return []


def schedule_problems(pruning: PruningSection, stream: StreamSection) -> list[Problem]:
    """Whether the schedule can run over so many megabatches."""
    try:
        pruning.plugin("schedule").final_density(stream.num_megabatches, pruning.target_density)
    except ValueError as error:
        return [plugin_problem("pruning", pruning, "schedule", error)]
    return []


def granularity_problems(
    pruning: PruningSection, sections: Mapping[str, Section]
) -> list[Problem]:
    """Settings that the granularity leaves no room for, among those of ``sections``."""
    granularity: Granularity = pruning.plugin("granularity")
    under = f"pruning.granularity {pruning.granularity!r}"
    problems = _refused(granularity.refuses, under, sections)
    try:
        granularity.check_method(pruning.plugin("criterion"), pruning.plugin("allocation"))
    except ValueError as error:
        problems.append(plugin_problem("pruning", pruning, "granularity", error))
    return problems


def start_problems(training: TrainingSection, sections: Mapping[str, Section]) -> list[Problem]:
    """Settings that the start leaves no room for, among those of ``sections``."""
    try:
        start: Start = training.plugin("start")
    except ValueError as error:
        return [plugin_problem("training", training, "start", error)]
    return _refused(start.refuses, f"training.start {training.start!r}", sections)


def _refused(
    refuses: Mapping[str, str], under: str, sections: Mapping[str, Section]
) -> list[Problem]:
    """The settings among ``refuses`` that are not at their default."""
    problems = []
    for path, reason in refuses.items():
        section, _, name = path.partition(".")
        if section not in sections:
            continue
        value = getattr(sections[section], name)
        if value != type(sections[section]).model_fields[name].default:
            message = f"cannot be {shown(value)} under the {under}: {reason}"
            problems.append(Problem(path, message))
    return problems
