"""What holds on a CPU holds on a GPU: run by ``make gpu`` on a machine that has one."""

from dataclasses import replace

import pytest
import torch

from study.pruning.prune import num_kept
from study.results import Outcome
from study.training.anytime import AnytimeLearner
from tests.helpers.launched import LaunchedStudy
from tests.helpers.small_trials import learner, trained, trial

GPU = {
    "training__device": "cuda",
    "model__architecture": "convnet",
    "model__hidden_sizes": None,
    "pruning__criterion": "snip",
}
pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]


def restarted(made: AnytimeLearner) -> AnytimeLearner:
    """A new learner that goes on from the state of another."""
    other = AnytimeLearner(made.data, made.network._build_model, made.spec, made.device)
    other.load_state_dict(made.state_dict())
    return other


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_trial_on_a_gpu_keeps_exactly_as_many_weights_and_stays_there(precision: str) -> None:
    made = trained(trial(**GPU, training__precision=precision))
    assert made.mask.num_kept == num_kept(0.3, made.mask.num_weights)
    assert all(p.is_cuda for p in made.model.parameters())
    assert all(t.is_cuda for t in made.mask.tensors.values())
    pruned = {name: ~kept for name, kept in made.mask.tensors.items()}
    weights = dict(made.model.named_parameters())
    assert all(not weights[name][gone].any() for name, gone in pruned.items())


def test_a_gpu_learns_what_a_cpu_learns() -> None:
    on_gpu = trained(trial(**GPU)).history.megabatches[-1].metrics
    on_cpu = trained(trial(**{**GPU, "training__device": "cpu"})).history.megabatches[-1].metrics
    assert on_gpu["density"] == on_cpu["density"]
    assert on_gpu["samples_seen"] == on_cpu["samples_seen"]
    assert on_gpu["test_error_rate"] == pytest.approx(on_cpu["test_error_rate"], abs=0.25)


def test_a_trial_cut_off_on_a_gpu_goes_on_there() -> None:
    made = learner(trial(**GPU))
    records = made.run()
    for _ in range(3):
        next(records)
    other = restarted(made)
    for _ in other.run():
        pass
    assert other.mask.num_kept == num_kept(0.3, other.mask.num_weights)
    assert other.history.epochs[:2] == made.history.epochs[:2]


def test_a_compiled_trial_learns_what_another_learns() -> None:
    made = learner(trial(**GPU))
    spec = replace(made.spec, training=replace(made.spec.training, compile=True))
    compiled = AnytimeLearner(made.data, made.network._build_model, spec, made.device)
    for _ in compiled.run():
        pass
    assert compiled.mask.num_kept == num_kept(0.3, compiled.mask.num_weights)


@pytest.mark.ray
def test_two_trials_share_a_gpu(tmp_path_factory: pytest.TempPathFactory) -> None:
    study = LaunchedStudy(
        tmp_path_factory.mktemp("study"),
        {
            "name": "shared",
            "fixed": {
                "data.dataset": "synthetic",
                "model.architecture": "convnet",
                "training.total_samples": 4000,
            },
            "axes": {"seed": [0, 1, 2, 3], "stream.num_megabatches": [2]},
            "resources": {"gpus_per_trial": 0.5},
        },
    )
    code, said = study.call("launch", "study.yaml")
    assert code == 0, said
    outcomes = [recorded.outcome for recorded in study.record.trials.values()]
    assert outcomes == [Outcome.COMPLETE] * 4
    assert torch.cuda.is_available()
