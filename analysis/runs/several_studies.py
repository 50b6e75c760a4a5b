"""Several studies as one, for questions that no single one answers."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from analysis.errors import ReportError
from analysis.runs.frames import KEY
from analysis.runs.load import load
from analysis.runs.study_runs import Runs, StudyFacts
from analysis.wording import listing
from study.results import Outcome
from study.tracking import names

if TYPE_CHECKING:
    import pandas as pd


def load_all(studies: Sequence[str], *, tracking_uri: str) -> Runs:
    """One study, or several put together by :func:`combined`; one named twice counts once.

    Raises:
        ReportError: One of them cannot be read, or they cannot be combined.
    """
    loaded = [load(name, tracking_uri=tracking_uri) for name in dict.fromkeys(studies)]
    return loaded[0] if len(loaded) == 1 else combined(loaded)


def combined(studies: Sequence[Runs]) -> Runs:
    """The trials of all, numbered through and called by their study, with ``parts``.

    Trial keys get their study in front, so that equal configurations stay two trials. Objectives
    are kept where all studies have the same; params of the study where all say the same. The
    smallest margin holds for all.

    Raises:
        ReportError: Their service errors are of different ``objective.service_after``.
    """
    import pandas as pd

    _check_service_after([runs.study for runs in studies])
    parts, offset, notes = [], 0, _margin_notes([runs.study for runs in studies])
    for runs in studies:
        name = runs.study.name
        if offset:
            notes.append(f"Trials are numbered through: those of {name} start at {offset}.")
        notes += [f"{name}: {note}" for note in runs.notes]
        parts.append(_renamed(runs, offset))
        offset += int(runs.trials["number"].max()) + 1 if len(runs.trials) else 0
    titled = [
        part.trials.assign(title=f"{part.study.name}: " + part.trials["title"].astype(str))
        for part in parts
    ]
    return Runs(
        study=_facts([part.study for part in parts]),
        trials=_stacked(titled),
        megabatches=_stacked([part.megabatches for part in parts]),
        notes=tuple(notes),
        load_layers=lambda: pd.concat([part.layers for part in parts], ignore_index=True),
        parts=tuple(parts),
        load_examples=_examples_of(parts),
    )


def _check_service_after(studies: Sequence[StudyFacts]) -> None:
    if len({study.service_after for study in studies}) > 1:
        values = listing([f"{study.name} has {study.service_after:g}" for study in studies])
        raise ReportError(
            f"these studies cannot be combined: their service errors count the last model for "
            f"different times after the stream (objective.service_after: {values}). Report each "
            f"by itself, or run one again with the other's objective.service_after"
        )


def _margin_notes(studies: Sequence[StudyFacts]) -> list[str]:
    if len({study.margin for study in studies}) == 1:
        return []
    values = listing([f"{study.name} {study.margin:g}" for study in studies])
    least = min(study.margin for study in studies)
    return [f"The studies differ in objective.margin ({values}): {least:g} holds for all."]


def _examples_of(parts: Sequence[Runs]) -> "Callable[[str], pd.DataFrame | None]":
    """Run ids are unique within a store, so that each is looked for where its trial is."""
    owner = {run_id: part for part in parts for run_id in part.trials["run_id"]}
    return lambda run_id: owner[run_id].load_examples(run_id) if run_id in owner else None


def _renamed(runs: Runs, offset: int) -> Runs:
    def named(frame: "pd.DataFrame") -> "pd.DataFrame":
        return frame.assign(**{KEY: f"{runs.study.name}/" + frame[KEY].astype(str)})

    trials = named(runs.trials)
    return dataclasses.replace(
        runs,
        trials=trials.assign(number=trials["number"] + offset, study=runs.study.name),
        megabatches=named(runs.megabatches),
        load_layers=lambda: named(runs.layers),
    )


def _stacked(parts: "Sequence[pd.DataFrame]") -> "pd.DataFrame":
    """One below the other; what a study has not recorded is missing, in one way in all of them."""
    import pandas as pd

    full = [part for part in parts if not part.empty]
    if not full:
        return parts[0]
    # Columns without any value would make texts of the others' numbers.
    known = [part.dropna(axis="columns", how="all") for part in full]
    columns = list(dict.fromkeys(name for part in parts for name in part.columns))
    made = pd.concat(known, ignore_index=True).reindex(columns=columns)
    return made.infer_objects()


def _facts(studies: Sequence[StudyFacts]) -> StudyFacts:
    first = studies[0]
    outcomes = {study.outcome for study in studies}
    outcome = names.OUTCOME_RUNNING if names.OUTCOME_RUNNING in outcomes else Outcome.INTERRUPTED
    return dataclasses.replace(
        first,
        name=" + ".join(study.name for study in studies),
        description=" ".join(study.description for study in studies if study.description),
        objectives=first.objectives if len({s.objectives for s in studies}) == 1 else (),
        outcome=Outcome.COMPLETE if outcomes == {Outcome.COMPLETE} else outcome,
        params={
            **{
                name: text
                for name, text in first.params.items()
                if all(study.params.get(name) == text for study in studies)
            },
            names.PARAM_SERVICE_AFTER: str(first.service_after),
            names.PARAM_MARGIN: str(min(study.margin for study in studies)),
        },
        confirms=first.confirms if len({s.confirms for s in studies}) == 1 else "",
    )
