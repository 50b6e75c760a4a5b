"""A trial of a study at a URL goes from node to node, whose folders are their own."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from study.config.trial import TrialConfig
from study.errors import StorageError
from study.store.remote.copies import StoreCopy, StudyCopy
from study.store.remote.remote import Remote
from study.trial.datasets import dataset_key, load_dataset
from study.tune import trainable, trial_files
from study.tune.cluster.nodes import NodeDemands, storage_problem
from study.tune.trainable import StudyTrainable, WorkerContext
from tests.helpers.small_trials import numbers, trained, trial
from tests.helpers.stores import KINDS, Deliveries, store_of_kind


class Nodes:
    """Nodes on which the same trial is trained, one after the other."""

    def __init__(self, remote: Remote, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.study = StudyCopy(StoreCopy(remote), "small")
        self.config = trial()
        self._folder = folder
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(trainable.ray, "get", lambda ref: ref)
        monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
        monkeypatch.setattr(trial_files.time, "sleep", lambda _: None)

    def move_to(self, name: str) -> None:
        """From now on everything happens on this node."""
        self._monkeypatch.setenv("APP_STUDY_COPIES", str(self._folder / name))
        context = SimpleNamespace(get_node_id=lambda: name)
        self._monkeypatch.setattr(trainable.ray, "get_runtime_context", lambda: context)

    def actor(self) -> StudyTrainable:
        made = StudyTrainable.__new__(StudyTrainable)
        context = WorkerContext(
            datasets={},
            trials_path=Path("/nowhere"),
            plugins=(),
            service_after=1.0,
            checkpoint_every_s=60.0,
            log_models="final",
            cpus=1,
            hide_gpus=False,
            on_cluster=False,
            copy=self.study,
            driver_node="first",
        )
        made.setup(self.raw(self.config), context=context)
        made._datasets["0"] = load_dataset(dataset_key(self.config.data))
        return made

    @staticmethod
    def raw(config: TrialConfig) -> dict[str, object]:
        return {"trial_key": config.key(), "trial": config.to_dict(), "dataset": "0"}

    def here(self) -> Path:
        return self.study.trial(self.config.key()).local


@pytest.fixture(params=KINDS)
def nodes(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Nodes:
    made = Nodes(store_of_kind(request.param, tmp_path), tmp_path, monkeypatch)
    made.move_to("first")
    return made


def test_on_another_node_it_goes_on_from_its_checkpoint_to_the_same_numbers(nodes: Nodes) -> None:
    first = nodes.actor()
    first.step()
    nodes.move_to("second")
    second = nodes.actor()
    report = second.step()
    assert second._learner is not None
    assert first._learner is not None
    # Seconds too: the first megabatch was not trained again.
    assert second._learner.history.megabatches[:1] == first._learner.history.megabatches
    nodes.move_to("third")
    third = nodes.actor()
    report = third.step()
    assert (report["outcome"], report["notices"]) == ("complete", [])
    assert third._learner is not None
    assert numbers(third._learner.history) == numbers(trained(nodes.config).history)


def test_a_checkpoint_damaged_at_the_url_is_passed_over_and_named(nodes: Nodes) -> None:
    actor = nodes.actor()
    actor.step()
    actor.step()
    place = nodes.study.trial(nodes.config.key()).remote
    newest = max(name.partition("-")[2] for name in place.names() if name.endswith(".pt"))
    (stored,) = [name for name in place.names() if name.endswith(newest)]
    (place / stored).write_bytes(b"torn")
    nodes.move_to("second")
    again = nodes.actor()
    reports = [again.step(), again.step()]
    assert reports[-1]["outcome"] == "complete"
    (said,) = reports[-1]["notices"]
    assert f"damaged checkpoint checkpoints/{newest} skipped: resumed from record 3" in said
    assert again._learner is not None
    assert numbers(again._learner.history) == numbers(trained(nodes.config).history)


@pytest.mark.parametrize("fate", ["lost", "torn", "unanswered"])
def test_a_store_that_refuses_costs_no_result_is_told_and_gets_all_of_it_later(
    nodes: Nodes, fate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = nodes.actor()
    with monkeypatch.context() as patch:
        Deliveries(patch, lambda *_: fate)
        report = actor.step()
    (said,) = report["notices"]
    assert "the trial's files could not be written to" in said
    assert "the store fails" in said
    actor.step()
    assert actor.step()["outcome"] == "complete"
    assert actor._learner is not None
    assert numbers(actor._learner.history) == numbers(trained(nodes.config).history)
    left = {p.name for p in nodes.here().rglob("*") if p.is_file()}
    nodes.move_to("second")
    nodes.study.trial(nodes.config.key()).pull()
    assert {p.name for p in nodes.here().rglob("*") if p.is_file()} == left


def test_the_end_of_a_trial_is_sent_again_and_again(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = nodes.actor()
    actor.step()
    actor.step()
    Deliveries(monkeypatch, lambda number, _: "lost" if number < 3 else "arrives")
    report = actor.step()
    assert (report["outcome"], report["notices"]) == ("complete", [])


def test_a_store_that_is_away_for_minutes_is_waited_for(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, tries = Remote.names, iter(range(15))

    def refuse_for_a_while(remote: Remote) -> list[str]:
        if next(tries, None) is not None:
            raise StorageError("it is away")
        return names(remote)

    monkeypatch.setattr(Remote, "names", refuse_for_a_while)
    report = nodes.actor().step()
    assert (report["outcome"], report["notices"]) == ("", [])


def test_a_store_that_stays_away_fails_the_trial_with_the_reason(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise StorageError("memory:// cannot be read (it is away)")

    monkeypatch.setattr(Remote, "names", refuse)
    report = nodes.actor().step()
    assert report["outcome"] == "error"
    assert "cannot be read (it is away)" in report["reason"]


def test_a_node_is_asked_whether_it_reaches_the_url(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    demands = NodeDemands.from_datasets(nodes.study.remote, (), {})
    assert storage_problem(demands) == ""
    assert nodes.study.remote.names() == [".session"]
    with monkeypatch.context() as patch:
        Deliveries(patch, lambda *_: "lost")
        assert "cannot be written (the store fails)" in storage_problem(demands)
    (nodes.study.remote / ".session").write_text("of another", "utf-8")
    said = storage_problem(demands)
    assert said.startswith(f"the study's folder {nodes.study.remote} cannot be read")
    assert "driver" in said


def test_nothing_stays_on_a_node_but_the_drivers(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = nodes.actor()
    actor.step()
    actor.cleanup()
    assert list(nodes.here().rglob("*.pt"))
    nodes.move_to("second")
    actor = nodes.actor()
    actor.step()
    actor.cleanup()
    assert not nodes.here().exists()
    actor = nodes.actor()
    with monkeypatch.context() as patch:
        Deliveries(patch, lambda *_: "lost")
        actor.step()
    actor.cleanup()  # it is nowhere else
    assert list(nodes.here().rglob("*.pt"))
