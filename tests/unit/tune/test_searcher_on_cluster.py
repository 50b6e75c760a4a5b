"""The searcher on a cluster: as many trials as there is room for, and none lost with a node."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.search import Searcher

from study.results import Outcome
from study.tune.searcher import StudySearch
from study.tune.worker_deaths import NODE_DIED, Deaths
from tests.helpers.small_studies import history, search, session


@pytest.fixture
def nodes() -> Any:
    """Stands for the driver's view of a cluster."""
    return SimpleNamespace(unfit={}, max_trials=2)


@pytest.fixture
def searcher(tmp_path: Path, nodes: Any) -> Iterator[StudySearch]:
    made = session(search(trials=3), tmp_path / "record.jsonl")
    with made.record:
        yield StudySearch(made, dataset_of=lambda _: "0", deaths=Deaths(), nodes=nodes)


def end(searcher: StudySearch, trial_id: str, key: str) -> None:
    searcher._session.report(key, history(2))
    searcher._session.finish_trial(key, Outcome.COMPLETE)
    searcher.on_trial_complete(trial_id, result={})


def test_no_more_trials_are_out_than_there_is_room_for_and_room_may_grow(
    searcher: StudySearch, nodes: Any
) -> None:
    first = searcher.suggest("a")
    searcher.suggest("b")
    assert searcher.suggest("c") is None
    nodes.max_trials = 3
    assert searcher.suggest("c")["trial_key"]
    assert searcher.suggest("d") is None
    nodes.max_trials = 2
    end(searcher, "a", first["trial_key"])
    assert searcher.suggest("d") is None


def test_a_trial_that_its_node_cannot_train_is_proposed_again_for_other_nodes(
    searcher: StudySearch, nodes: Any
) -> None:
    first = searcher.suggest("a")
    assert first["avoid"] == []
    nodes.unfit["node1"] = "no data"
    searcher.on_trial_complete("a", result={"unfit_node": "node1"})
    again = searcher.suggest("b")
    assert again["trial_key"] == first["trial_key"]
    assert again["avoid"] == ["node1"]
    assert searcher._session.record.trials[first["trial_key"]].outcome is None


def test_a_trial_that_tune_gives_up_for_its_nodes_death_goes_on(
    searcher: StudySearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = searcher.suggest("a")
    monkeypatch.setattr(searcher._deaths, "last_cause", lambda _: NODE_DIED)
    searcher.on_trial_complete("a", error=True)
    assert searcher.suggest("b")["trial_key"] == first["trial_key"]
    monkeypatch.setattr(searcher._deaths, "last_cause", lambda _: "its worker crashed")
    searcher.on_trial_complete("b", error=True)
    assert searcher._session.record.trials[first["trial_key"]].outcome is Outcome.ERROR


def test_the_search_is_over_only_when_no_trial_can_come_back(
    searcher: StudySearch, nodes: Any
) -> None:
    nodes.max_trials = 10
    keys = {name: searcher.suggest(name)["trial_key"] for name in "abc"}
    assert searcher.suggest("d") is None
    assert not searcher.is_over
    searcher.on_trial_complete("c", result={"unfit_node": "node1"})
    assert searcher.suggest("d")["trial_key"] == keys["c"]
    for trial_id, key in zip("abd", keys.values(), strict=True):
        end(searcher, trial_id, key)
    assert searcher.suggest("e") == Searcher.FINISHED
