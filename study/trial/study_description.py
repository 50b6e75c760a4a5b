"""What is tracked of a study."""

import json
from typing import Any

from study.candidates import sought_metric
from study.config.arms import arm_name
from study.config.domains import Choices, Range
from study.config.rules.search import stopping_name
from study.config.study_config import StudyConfig
from study.config.study_sections import ObjectiveSection, SearchSection
from study.config.trial import flatten
from study.config.yaml_io import write_yaml
from study.constraints import constraints_text
from study.tracking import names
from study.tracking.facts import StudyInfo
from study.trial.params import PATHS, as_param


def study_info(study: StudyConfig, *, num_trials: int, study_id: str = "") -> StudyInfo:
    """Everything that is tracked of a study; ``study_id`` is its record's."""
    params = {path: as_param(value) for path, value in flatten(study.fixed).items()}
    params |= {names.PARAM_SPACE + d.path: domain_json(d.domain) for d in study.space.dimensions}
    for index, group in enumerate(study.axes):
        params |= {f"axes.{index}.{path}": as_param(values) for path, values in group.items()}
    params["num_trials"] = num_trials
    params[names.PARAM_MARGIN] = study.objective.margin
    params[names.PARAM_SERVICE_AFTER] = study.objective.service_after
    params |= _search_params(study) | _confirmation_params(study)
    if study.objective.limits:
        params[names.PARAM_CONSTRAINTS] = constraints_text(study.objective.limits)
    return StudyInfo(
        name=study.name,
        description=study.description,
        config_yaml=write_yaml(study.to_dict()),
        objectives=study.objective.metrics if study.search else (),
        params={k: v for k, v in params.items() if not k.endswith(PATHS)},
        fingerprint=study.fingerprint(),
        shown_metrics=study.shown_metrics,
        varied=study.varied,
        confirms=study.confirms.study if study.confirms else "",
        study_id=study_id,
    )


def _search_params(study: StudyConfig) -> dict[str, Any]:
    if not study.search:
        return {}
    arms = {names.PARAM_ARMS: ",".join(map(arm_name, study.search_arms))}
    return {
        names.PARAM_SAMPLER: study.search.sampler,
        names.PARAM_STOPPING: stopping_name(study.search, study.objective),
        names.PARAM_NUM_POINTS: len(study.points),
        **_rung_params(study.search, study.objective),
    } | (arms if study.search_arms else {})


def _rung_params(search: SearchSection, objective: ObjectiveSection) -> dict[str, Any]:
    """Where trials are compared with each other, if that is at rungs."""
    if stopping_name(search, objective) == "bound":
        return {}
    return {
        names.PARAM_FIRST_RUNG: search.stopping.first_rung,
        names.PARAM_REDUCTION: search.stopping.reduction,
    }


def _confirmation_params(study: StudyConfig) -> dict[str, Any]:
    """How its best are to be confirmed; of a study that confirms, what of another one."""
    asked = study.confirm.model_dump() if study.confirm else {}
    params = {f"{names.PARAM_CONFIRM}{name}": as_param(value) for name, value in asked.items()}
    confirms = study.confirms
    if confirms is None:
        return params
    params[names.PARAM_CONFIRMED_METRIC] = confirms.metric
    params[names.PARAM_SOUGHT] = sought_metric(study.objective.metrics)
    if confirms.looks:
        params[names.PARAM_LOOKS] = as_param(confirms.looks)
    if confirms.tuned:
        params[names.PARAM_TUNED] = ",".join(confirms.tuned)
    for arm in confirms.arms:
        prefix = f"{names.PARAM_SEARCHED}{arm.trial}."
        params |= {prefix + metric: value for metric, value in arm.searched.items()}
    return params


def domain_json(domain: Range | Choices) -> str:
    """A searched domain as a study file has it: ``{"low": 0.02, "high": 1.0, "log": true}``."""
    if isinstance(domain, Choices):
        return json.dumps({"choices": domain.values})
    shape = {"log": domain.log, "step": domain.step}
    return json.dumps(
        {"low": domain.low, "high": domain.high} | {k: v for k, v in shape.items() if v}
    )
