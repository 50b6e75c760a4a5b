"""Weights from a file: what fits, what is refused with all its reasons, what stays drawn."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from study.config.loading import study_from_raw
from study.config.problems import ConfigError
from study.models.weights_file import WeightsFile, classifier_of, digest_of, pinned, unpinned
from study.trial.checks import check_trial
from study.trial.datasets import dataset_key, load_dataset
from study.trial.notices import notices
from tests.helpers.small_trials import learner, trained, trial


def network(num_classes: int = 4, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, num_classes))


def file_of(tensors: dict[str, torch.Tensor], path: Path) -> WeightsFile:
    if path.suffix == ".safetensors":
        save_file({n: t.contiguous() for n, t in tensors.items()}, path)
    else:
        torch.save(tensors, path)
    return WeightsFile(path, digest_of(path))


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_weights_of_the_same_network_are_all_taken(name: str, tmp_path: Path) -> None:
    source = network(seed=1)
    file = file_of(source.state_dict(), tmp_path / name)
    model = network()
    assert file.new_classifier(model) == ""
    file.load_(model, with_classifier=True)
    for key, tensor in source.state_dict().items():
        assert torch.equal(model.state_dict()[key], tensor)


def test_the_classifier_is_drawn_where_it_is_asked_for_or_of_another_size(tmp_path: Path) -> None:
    source = network(seed=1)
    file = file_of(source.state_dict(), tmp_path / "w.pt")
    for model, with_classifier in ((network(), False), (network(7), True)):
        drawn = model.state_dict()["3.weight"].clone()
        file.load_(model, with_classifier=with_classifier)
        assert torch.equal(model.state_dict()["3.weight"], drawn)
        assert torch.equal(model.state_dict()["0.weight"], source.state_dict()["0.weight"])
    assert file.new_classifier(network(7)) == "3" == classifier_of(network())


def test_all_that_does_not_fit_is_told_at_once(tmp_path: Path) -> None:
    tensors = dict(network().state_dict())
    del tensors["0.bias"]
    tensors["1.weight"] = torch.ones(9)
    tensors["extra"] = torch.ones(1)
    file = file_of(tensors, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="3 tensors do not fit") as refused:
        file.new_classifier(network())
    said = str(refused.value)
    assert "0.bias is missing" in said
    assert "extra is not in the network" in said
    assert "1.weight is [9], in the network [5]" in said


def test_a_layer_of_the_logits_with_other_inputs_does_not_fit(tmp_path: Path) -> None:
    tensors = dict(network().state_dict())
    tensors["3.weight"] = torch.ones(4, 9)
    file = file_of(tensors, tmp_path / "w.pt")
    with pytest.raises(ValueError, match=r"3\.weight is \[4, 9\], in the network \[4, 5\]"):
        file.new_classifier(network())


def test_counters_of_normalisation_may_be_missing(tmp_path: Path) -> None:
    tensors = {n: t for n, t in network().state_dict().items() if "num_batches" not in n}
    file = file_of(tensors, tmp_path / "w.pt")
    file.load_(network(), with_classifier=True)


def test_a_file_that_has_changed_since_is_refused(tmp_path: Path) -> None:
    file = file_of(network().state_dict(), tmp_path / "w.pt")
    file_of(network(seed=2).state_dict(), tmp_path / "w.pt")
    with pytest.raises(ValueError, match="has changed"):
        file.tensors()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("w.safetensors", b"no weights", "cannot be read as weights"),
        ("w.pt", b"no weights", "cannot be read as weights"),
        ("w.pt", b"", "cannot be read as weights"),
        ("w.pt", b"hello", "cannot be read as weights"),
    ],
)
def test_what_is_no_file_of_weights_is_refused(
    name: str, content: bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        WeightsFile(path, digest_of(path)).tensors()


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("run",))


def test_a_file_that_would_run_code_or_holds_more_than_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"a": Evil()}, tmp_path / "evil.pt")
    torch.save({"epoch": 3, "state_dict": {}}, tmp_path / "checkpoint.pt")
    for name, words in (("evil.pt", "cannot be read"), ("checkpoint.pt", "no state_dict")):
        path = tmp_path / name
        with pytest.raises(ValueError, match=words):
            WeightsFile(path, digest_of(path)).tensors()


def test_a_trial_begins_from_the_file_and_is_another_by_its_content_not_its_place(
    tmp_path: Path,
) -> None:
    weights = trained(trial(seed=5)).model.state_dict()
    places = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for place in places:
        save_file(weights, place)
    one, two = (trial(model__weights=str(place)) for place in places)
    assert one.key() == two.key() != trial().key()
    made = learner(one)
    for name, tensor in made.model.state_dict().items():
        assert torch.equal(tensor, weights[name])
    assert made.spec.weights is not None
    again = made.network.fresh("start", 1)
    last = classifier_of(again)
    unlearned = made.network.without_weights("start", 1).state_dict()
    assert not any(torch.equal(t, weights[n]) for n, t in unlearned.items() if t.dim() > 1)
    for name, tensor in again.state_dict().items():
        assert torch.equal(tensor, weights[name]) != name.startswith(f"{last}.")


def test_a_classifier_of_another_size_is_said_and_a_wrong_file_is_a_problem(
    tmp_path: Path,
) -> None:
    weights = dict(trained(trial()).model.state_dict())
    last = classifier_of(learner(trial()).model)
    weights = {n: torch.cat([t, t]) if n.startswith(f"{last}.") else t for n, t in weights.items()}
    save_file(weights, tmp_path / "w.safetensors")
    config = trial(model__weights=str(tmp_path / "w.safetensors"))
    dataset = load_dataset(dataset_key(config.data))
    assert not check_trial(config, dataset)
    assert any(f"{last} begins anew" in notice for notice in notices(config, dataset))
    wrong = trial(model__weights=str(tmp_path / "w.safetensors"), model__hidden_sizes=(13,))
    (problem,) = check_trial(wrong, dataset)
    assert problem.path == "model.weights"
    assert "do not fit" in problem.message


def test_a_file_that_is_not_there_is_a_problem_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.weights: no file"):
        trial(model__weights=str(tmp_path / "nowhere.pt"))


def places_of_weights(path: str) -> dict[str, dict[str, object]]:
    fixed = {"pruning.schedule": "dense", "training.epochs": 1, "model.architecture": "mlp"}
    grid = {"space": {"model.weights": [None, path]}, "sampler": "grid"}
    choices = {"space": {"model.weights": {"choices": [None, path]}}, "sampler": "grid"}
    points = {
        "space": {"training.lr": [0.1, 0.2]},
        "points": [{"model.weights": path, "training.lr": 1}],
    }
    by = {"objective": {"metrics": ["service_error"]}, "budget": {"trials": 2}}
    return {
        "fixed": {"name": "a", "fixed": {**fixed, "model.weights": path}},
        "nested": {"name": "a", "fixed": {**fixed, "model": {"weights": path}}},
        "axes": {"name": "a", "fixed": fixed, "axes": {"model.weights": [None, path]}},
        "space": {"name": "a", "fixed": fixed, "search": grid, **by},
        "choices": {"name": "a", "fixed": fixed, "search": choices, **by},
        "points": {"name": "a", "fixed": fixed, "search": points, **by},
    }


@pytest.mark.parametrize("place", ["fixed", "nested", "axes", "space", "choices", "points"])
def test_a_study_stays_what_it_was_when_its_file_of_weights_has_gone(
    place: str, tmp_path: Path
) -> None:
    file = tmp_path / "w.pt"
    torch.save(network().state_dict(), file)
    study = study_from_raw(places_of_weights(str(file))[place])
    keys = [trial.key() for trial in study.corners()]
    for change in (lambda: file.write_bytes(b"another"), file.unlink):
        change()
        again = study_from_raw(study.to_dict())
        assert again == study
        assert [trial.key() for trial in again.corners()] == keys
        trial_of_it = next(t for t in again.corners() if t.model.weights)
        assert trial_of_it.model.weights == str(file)
        with pytest.raises(ValueError, match=r"has changed|no file"):
            trial_of_it.model.weights_file.tensors()
    with pytest.raises(ConfigError, match=r"model\.weights(\.choices)?: no file"):
        study_from_raw(places_of_weights(str(file))[place])


def test_a_relative_path_is_of_the_folder_that_the_study_was_launched_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(network().state_dict(), tmp_path / "w.pt")
    monkeypatch.chdir(tmp_path)
    found = pinned("w.pt")
    assert unpinned(found) == (str(tmp_path / "w.pt"), digest_of(tmp_path / "w.pt"))
    monkeypatch.chdir("/")
    assert pinned(found) == found
    assert unpinned("w.pt") == ("w.pt", None)
