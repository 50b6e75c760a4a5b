"""The saved view under which MLflow's interface opens a study."""

import io
import json
from dataclasses import replace

import pytest

from study.config.study import parse_study
from study.tracking.mlflow.saved_view import study_view, view_address, view_key
from study.tracking.mlflow.ui import Interface
from study.trial.study_description import study_info
from tests.helpers.small_studies import raw_search

MAX_EXPERIMENT_TAG = 5000  # characters, in MLflow


def state_of(**changes: object) -> dict[str, object]:
    info = study_info(parse_study(raw_search(**changes)), num_trials=4)
    view = json.loads(study_view(info, made_at=1.5))
    assert (view["name"], view["createdAt"], view["updatedAt"]) == ("small", 1500, 1500)
    state: dict[str, object] = json.loads(view["state"])
    return state


def test_it_shows_the_trials_of_one_study_alone_the_best_first() -> None:
    state = state_of()
    assert state["searchFilter"] == "tags.`study` = 'small' AND tags.`app.kind` = 'trial'"
    assert state["orderByKey"] == "metrics.`service_error`"
    assert state["orderByAsc"] is True


def test_what_is_maximised_is_sorted_the_other_way() -> None:
    info = replace(
        study_info(parse_study(raw_search()), num_trials=4), shown_metrics=("sparsity",)
    )
    state = json.loads(json.loads(study_view(info, made_at=0.0))["state"])
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`sparsity`", False)


def test_its_columns_are_what_ranks_what_varies_and_how_a_trial_ended() -> None:
    columns = state_of()["selectedColumns"]
    assert columns == [
        "metrics.`service_error`",
        "metrics.`final_density`",
        "metrics.`final_error`",
        "params.`pruning.schedule`",
        "params.`pruning.final_density`",
        "params.`pruning.rate`",
        "params.`stream.num_megabatches`",
        "tags.`outcome`",
    ]


def test_it_fits_into_a_tag_whatever_varies() -> None:
    info = study_info(parse_study(raw_search()), num_trials=4)
    wide = replace(info, name="n" * 80, varied=tuple(f"model.{'p' * 60}{i}" for i in range(90)))
    assert len(study_view(wide, made_at=1e9)) < MAX_EXPERIMENT_TAG


def test_its_address_finds_it_by_the_key_of_its_tag() -> None:
    assert view_address("http://127.0.0.1:5000", "7", "my-study.2") == (
        "http://127.0.0.1:5000/#/experiments/7/runs?workflowType=machine_learning"
        f"&viewStateShareKey={view_key('my-study.2')}"
    )


@pytest.mark.parametrize(
    ("tags", "shown"),
    [
        (
            [{"key": f"mlflow.sharedViewState.{view_key('mine')}"}],
            "viewStateShareKey=app-study-mine",
        ),
        (
            [{"key": "mlflow.sharedViewState.another"}],
            "searchFilter=tags.study%20%3D%20%27mine%27",
        ),
        (None, "searchFilter=tags.study%20%3D%20%27mine%27"),
    ],
)
def test_the_interface_opens_a_study_under_its_view_where_it_has_one(
    tags: list[dict[str, str]] | None, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment: dict[str, object] = {"experiment_id": "7"} | ({"tags": tags} if tags else {})
    answer = io.BytesIO(json.dumps({"experiment": experiment}).encode())
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: answer)
    link = Interface("http://127.0.0.1:5000").link("app-study", "mine")
    assert link.startswith("http://127.0.0.1:5000/#/experiments/7/runs?")
    assert link.endswith(shown)
