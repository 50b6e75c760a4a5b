"""A saved view of MLflow's run table, under which a study opens ready to be compared.

MLflow's interface keeps its saved views as tags of the experiment, found by a key in the address.
Their form is its own (read in MLflow 3.17); to one that it cannot read it prefers its defaults.
"""

import json
import urllib.parse
from typing import Final

from study.metrics import METRICS
from study.tracking import names
from study.tracking.facts import StudyInfo

VIEW_TAG_PREFIX: Final = "mlflow.sharedViewState."
_ALSO_SHOWN: Final = ("final_error", "final_density")
_MAX_VARIED: Final = 12


def view_key(study: str) -> str:
    """The key of a study's view, in tags and addresses."""
    return f"app-study-{study}"


def study_view(study: StudyInfo, *, made_at: float) -> str:
    """The trials of a study, the best first, with what varies and how it ended as columns.

    Args:
        study: Its shown metrics come first, and the first of them is sorted by.
        made_at: In seconds since 1970.
    """
    wanted = {names.TAG_STUDY: study.name, names.TAG_KIND: names.KIND_TRIAL}
    metrics = list(dict.fromkeys((*study.shown_metrics, *_ALSO_SHOWN)))
    first = metrics[0]
    state = {
        "searchFilter": " AND ".join(f"tags.`{tag}` = '{text}'" for tag, text in wanted.items()),
        "orderByKey": f"metrics.`{first}`",
        "orderByAsc": METRICS[first].is_minimized,
        "selectedColumns": [
            *(f"metrics.`{name}`" for name in metrics),
            *(f"params.`{path}`" for path in study.varied[:_MAX_VARIED]),
            f"tags.`{names.TAG_OUTCOME}`",
        ],
    }
    made_ms = round(made_at * 1000)
    return json.dumps(
        {
            "name": study.name,
            "createdAt": made_ms,
            "updatedAt": made_ms,
            "state": json.dumps(state),
        }
    )


def view_address(server: str, experiment_id: str, study: str) -> str:
    """Where a server shows a study under its view."""
    key = urllib.parse.quote(view_key(study))
    query = f"workflowType=machine_learning&viewStateShareKey={key}"
    return f"{server}/#/experiments/{experiment_id}/runs?{query}"
