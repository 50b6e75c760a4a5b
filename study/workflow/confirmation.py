"""One way to confirm, as asked for and for a study whose file says ``confirm``."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from study.comparisons import matter_to
from study.config.problems import in_file
from study.session.console import say
from study.text import count
from study.workflow.addresses import tracking_address

if TYPE_CHECKING:
    from study.config.confirm_sections import ConfirmSection
    from study.config.study_config import StudyConfig
    from study.operations.confirm_choice import ConfirmOptions
    from study.operations.opened_study import OpenedStudy
    from study.session.end import StudyEnd
    from study.workflow.workplace import Workplace


def options_of(section: "ConfirmSection") -> "ConfirmOptions":
    """What a study's own section asks for."""
    from analysis.statistics.sequential import LOOKS
    from study.operations.confirm_choice import ConfirmOptions

    looks = LOOKS if section.seeds == "decided" else ()
    num_seeds = LOOKS[0] if section.seeds == "decided" else section.seeds
    return ConfirmOptions(
        section.top, num_seeds=num_seeds, baselines=section.baselines, looks=looks
    )


def chosen_options(  # one parameter an option
    study: "StudyConfig",
    *,
    top: int | None = None,
    seeds: "int | Literal['decided'] | None" = None,
    baselines: tuple[str, ...] | None = None,
    trials: tuple[str, ...] = (),
    vary_data: bool = False,
) -> "ConfirmOptions":
    """What a study's own section asks for, and what is given instead.

    Args:
        study: That is to be confirmed.
        top: At most so many of its best.
        seeds: Fresh ones for each, at least 2, or ``decided``: as many as the verdicts take.
        baselines: ``dense`` and ``one_shot``, what each is run beside.
        trials: Numbers or keys of trials to confirm instead.
        vary_data: Whether the data is split anew with each seed.

    Raises:
        StudyError: What is given contradicts itself.
    """
    from study.config.confirm_sections import ConfirmSection
    from study.errors import StudyError

    if trials and top is not None:
        raise StudyError("--top and --trial both choose what to confirm; keep one of them")
    given = {"top": top, "seeds": seeds, "baselines": baselines}
    own = (study.confirm or ConfirmSection()).model_dump()
    section = ConfirmSection.model_validate(
        {**own, **{name: value for name, value in given.items() if value is not None}}
    )
    if vary_data and section.seeds == "decided":
        raise StudyError(
            "--vary-data leaves no verdict by example that could be waited for until it is "
            "decided; give --seeds"
        )
    return replace(options_of(section), trials=trials, vary_data=vary_data)


def decidable(study: "StudyConfig", num_holdout: int) -> list[str]:
    """What so many holdout examples can decide, with the seeds that are asked for.

    Two networks are taken to disagree on 5 % of the examples, by chance of their training alone.
    """
    from analysis.statistics.decidable import DISAGREEMENT, decidable_difference
    from analysis.statistics.sequential import LOOKS
    from study.config.confirm_sections import ConfirmSection

    if not study.search or not num_holdout:
        return []
    options = options_of(study.confirm or ConfirmSection())
    seeds = options.looks[-1] if options.looks else options.num_seeds
    found, single, most = (
        100 * decidable_difference(num_holdout, variance=DISAGREEMENT / number)
        for number in (seeds, 1, LOOKS[-1])
    )
    margin = 100 * study.objective.margin
    line = (
        f"{num_holdout:,} holdout examples: with {seeds} fresh seeds differences from dense below "
        f"about {found:.2g} points will stay undecided (of single networks, below {single:.2g})"
    )
    if found <= margin:
        return [f"{line}; the margin is {margin:g}."]
    more = "more seeds (confirm.seeds)" if most <= margin else "a larger objective.margin"
    return [
        f"{line}. The margin is {margin:g}: give more examples (data.holdout_fraction) or {more}."
    ]


def confirm_study(
    searched: "OpenedStudy",
    options: "ConfirmOptions",
    name: str,
    workplace: "Workplace",
    *,
    overrides: list[str],
) -> "StudyEnd":
    """Run the study ``name`` that confirms another, or go on with it, and print the answer.

    Raises:
        ConfirmationError: There is nothing to confirm, or ``name`` has confirmed something else.
    """
    from study.operations.confirm import begun, confirming_study
    from study.operations.confirm_choice import seeds_of_confirmations
    from study.operations.status import read_status

    of = searched.study.name
    notice = partial(say, workplace.console)
    used = seeds_of_confirmations(workplace.store, of, excluding=name, notice=notice)
    with in_file(searched.folder.config_path):
        study = confirming_study(searched, options, name, overrides=overrides, used=used)
    folder = workplace.store.folder(name)
    there = begun(study, folder)
    for line in _plan_lines(there or study, searched):
        say(workplace.console, line)
    if there is not None:
        how = "finished already" if folder.is_finished() else "resumed"
        say(
            workplace.console,
            f"{name} was launched with the same settings before; it is {how}.",
        )
    # Where the searched study is tracked, so that a report finds both.
    known = read_status(searched.folder.path.parent, of).tracking_uri
    beside = workplace.tracking_uri or (None if study.tracking.uri else known)
    beside_it = replace(workplace, tracking_uri=beside)
    return run_confirming(there or study, beside_it, fresh=there is None)


def run_confirming(study: "StudyConfig", workplace: "Workplace", *, fresh: bool) -> "StudyEnd":
    """Train a study that confirms another, look after look if it has looks; print the answer."""
    from study.config.study import renamed

    end = workplace.train(study, fresh=fresh)
    if end.name != study.name:  # MLflow had one of its name
        study = renamed(study, end.name)
    while end.is_finished and (further := _next_look(study, workplace, end)) is not None:
        study = further
        end = workplace.train(study, fresh=False)
    if end.is_finished:
        workplace.answer(study, end)
    return end


def _next_look(
    study: "StudyConfig", workplace: "Workplace", end: "StudyEnd"
) -> "StudyConfig | None":
    """The study as it goes on; None where all verdicts are settled, or nothing can be judged."""
    from analysis.comparison.confirmed_verdicts import open_trials
    from analysis.runs.load import load
    from study.operations.confirm_choice import seeds_of_confirmations
    from study.operations.confirm_looks import reopen, with_next_look
    from study.store.record import Record

    assert study.confirms is not None
    if not study.confirms.looks:
        return None
    if end.undelivered:
        say(
            workplace.console,
            f"Whether it is decided cannot be seen before MLflow has all results; then go on "
            f"with: {workplace.store.place.command('resume', end.name)}",
        )
        return None
    store, of = workplace.store, study.confirms.study
    uri = tracking_address(study, workplace.tracking_uri)
    further = with_next_look(
        study,
        open_trials(load(end.name, tracking_uri=uri)),
        searched=Record.read(store.existing(of).record_path),
        used=seeds_of_confirmations(
            store, of, excluding=end.name, notice=partial(say, workplace.console)
        ),
    )
    if further is None:
        return None
    reopen(further, store.folder(end.name))
    num_new = len(further.points) - len(study.points)
    say(workplace.console, f"Not decided yet: {count(num_new, 'further trial')} to the next look.")
    return further


def _plan_lines(study: "StudyConfig", searched: "OpenedStudy") -> list[str]:
    from study.comparisons import pairs_needed

    assert study.confirms is not None
    numbers = list(dict.fromkeys(a.trial for a in study.confirms.arms if a.trial is not None))
    num_seeds = len({study.compose(point).seed for point in study.points})
    named = f"{searched.study.name} ({', '.join(map(str, numbers))})"
    looks = study.confirms.looks
    each = f"up to {looks[-1]} fresh seeds" if looks else count(num_seeds, "fresh seed")
    whole = "in all" if not looks else "first" if num_seeds == looks[0] else "so far"
    whose = "its" if len(numbers) == 1 else "their"
    lines = [
        f"{count(len(numbers), 'trial')} of {named} and {whose} baselines, each with {each}: "
        f"{count(len(study.points), 'trial')} {whole}, in the study {study.name}."
    ]
    lines += settings_lines(study)
    num_comparisons = sum(len(arm.baseline_of) for arm in study.confirms.arms)
    most = looks[-1] if looks else num_seeds
    if num_comparisons and most < (needed := pairs_needed(num_comparisons)):
        lines.append(
            f"{most} seeds give estimates with intervals, but no test of "
            f"{count(num_comparisons, 'difference')} from baselines can be significant with fewer "
            f"than {needed}."
        )
    if not searched.record.is_finished:
        lines.append(f"{searched.study.name} is not finished: its best trials may still change.")
    return lines


def settings_lines(study: "StudyConfig") -> list[str]:
    """Whose settings the baselines have, where the search tuned any."""
    confirms = study.confirms
    if confirms is None or not confirms.tuned:
        return []
    own: dict[str, None] = {}
    others: dict[str, None] = {}
    for group, arm in zip(study.axes, confirms.arms, strict=True):
        flat = {**study.fixed, **{path: values[0] for path, values in group.items()}}
        name = f"{flat['pruning.schedule']} at T = {flat['stream.num_megabatches']}"
        if not matter_to(flat["pruning.schedule"], confirms.tuned):
            continue
        if arm.trial is None and arm.settings_of is None:
            others[f"{name} ({', '.join(map(str, arm.baseline_of))})"] = None
        elif arm.trial is None:
            own[f"{name} ({arm.settings_of})"] = None
    what = ", ".join(confirms.tuned)
    lines = []
    if own:
        lines.append(
            f"Baselines with the {what} in which the search found them best, and of which trial: "
            f"{', '.join(own)}."
        )
    if others:
        lines.append(
            f"Baselines that the search did not tune, with the {what} of the trials that they are "
            f"compared with: {', '.join(others)}."
        )
    return lines
