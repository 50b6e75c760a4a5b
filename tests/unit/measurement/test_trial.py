"""What is measured of a trial, with real small networks."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

from study.export.formats import DEFAULT_FORMAT, format_called
from study.export.network import NetworkSpec
from study.export.smallest import smallest
from study.measurement import network, runtimes
from study.measurement.interleaved import Timing
from study.measurement.network import dense_network, network_latency
from study.measurement.runtimes import Torch, is_installed, processor
from study.measurement.trial import TrialMeasurement, file_bytes
from study.metrics import LATENCIES, METRICS
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from study.training.anytime import AnytimeLearner
from study.trial.assembly import assemble
from study.trial.datasets import dataset_key, load_dataset
from tests.helpers.small_trials import assert_same_trial, trained, trial

BRIEF = Timing(warm_up_s=0.0, turn_s=0.0005, limit_s=0.05, max_rounds=8)


@pytest.fixture(autouse=True)
def _briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "Timing", lambda: BRIEF)


@pytest.fixture
def torch_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime takes seconds to be imported."""
    monkeypatch.setattr(runtimes, "is_installed", lambda: False)


def spec(architecture: str = "mlp", **settings: object) -> NetworkSpec:
    return NetworkSpec(
        {"architecture": architecture, **settings},
        (),
        (3, 8, 8),
        tuple("abcd"),
        (0.5,) * 3,
        (0.25,) * 3,
    )


def measured(log_latency: str) -> AnytimeLearner:
    config = trial()
    dataset = load_dataset(dataset_key(config.data))
    made = NetworkSpec.from_trial(config, dataset, ())
    learner = assemble(config, dataset, measure=TrialMeasurement(made, 1, log_latency))  # type: ignore[arg-type]
    for _ in learner.run():
        pass
    return learner


@pytest.mark.usefixtures("torch_alone")
def test_a_trial_that_is_measured_is_the_same_to_the_bit_but_for_what_was_measured() -> None:
    plain = trained(trial())
    state = torch.get_rng_state()
    learner = measured("every_megabatch")
    assert_same_trial(learner, plain)
    assert torch.equal(torch.get_rng_state(), state)
    for record in learner.history.megabatches:
        assert record.metrics.keys() >= {*LATENCIES, "file_bytes"}
        assert record.measured_with == f"torch {torch.__version__}, 1 thread, {processor()}"
    # Nor is it known to a reader of the record which of two equal trials was measured.
    assert dataclasses.replace(record, measured_with="") == record


@pytest.mark.usefixtures("torch_alone")
def test_latency_is_of_the_last_network_or_of_none_and_its_file_is_measured_in_any_case() -> None:
    *earlier, last = measured("final").history.megabatches
    assert not any((LATENCIES | {"file_bytes"}) & record.metrics.keys() for record in earlier)
    assert last.metrics.keys() >= LATENCIES | {"file_bytes"}
    assert last.metrics["speedup_low"] <= last.metrics["speedup"] <= last.metrics["speedup_high"]
    unasked = measured("none").history.megabatches[-1]
    assert "file_bytes" in unasked.metrics
    assert not LATENCIES & unasked.metrics.keys()
    assert not unasked.measured_with


def test_the_file_is_as_large_as_the_one_that_export_writes(tmp_path: Path) -> None:
    sizes = []
    for one in (spec(hidden_sizes=(4,)), spec(hidden_sizes=(64,))):
        network, path = dense_network(one), tmp_path / "model"
        mask = Mask.dense(prunable_parameters(network))
        exported = smallest(network, mask, one)
        format_called(DEFAULT_FORMAT).write(exported.network, exported.mask, exported.spec, path)
        sizes.append(file_bytes(exported))
        assert sizes[-1] == path.stat().st_size
    assert sizes[1] > 4 * sizes[0]


def test_channels_that_pruning_has_cut_off_are_not_in_the_file_that_is_measured() -> None:
    one = spec(hidden_sizes=(32,))
    network = dense_network(one)
    mask = Mask.dense(prunable_parameters(network))
    first, _ = mask.tensors.values()
    cut_off = first.clone().index_fill_(0, torch.arange(24), False)
    cut = Mask({**mask.tensors, next(iter(mask.tensors)): cut_off})
    cut.apply_(network)
    whole = TrialMeasurement(one, threads=1)(dense_network(one), mask, is_last=True)
    fewer = TrialMeasurement(one, threads=1)(network, cut, is_last=True)
    assert fewer.metrics["file_bytes"] < whole.metrics["file_bytes"]


@pytest.mark.slow  # it is about time
@pytest.mark.usefixtures("torch_alone")
def test_a_network_of_a_hundredth_of_the_work_is_faster_than_the_dense_one() -> None:
    wide = spec(hidden_sizes=(3000, 3000))
    narrow = dense_network(spec(hidden_sizes=(300, 300)))
    found = network_latency(narrow, wide, threads=1, batch_sizes=(64,), timing=BRIEF)
    (latency,) = found.latencies
    assert latency.batch_size == 64
    assert latency.speedup.low > 2
    assert latency.dense_seconds > latency.seconds


def test_the_dense_network_is_the_architecture_and_takes_nothing_from_random_streams() -> None:
    state = torch.get_rng_state()
    made = dense_network(spec(hidden_sizes=(7,)))
    assert torch.equal(torch.get_rng_state(), state)
    assert not made.training
    shapes = [tuple(p.shape) for p in made.parameters() if p.dim() == 2]
    assert shapes == [(7, 192), (4, 7)]


@pytest.mark.usefixtures("torch_alone")
def test_torchs_threads_are_as_before_once_it_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    before = torch.get_num_threads()
    load = Torch.load

    def watched(self: Torch, made: nn.Module, of: NetworkSpec) -> object:
        seen.append(torch.get_num_threads())
        return load(self, made, of)

    monkeypatch.setattr(Torch, "load", watched)
    network_latency(dense_network(spec()), spec(), threads=before + 1, timing=BRIEF)
    assert seen == [before + 1] * 2
    assert torch.get_num_threads() == before


@pytest.mark.skipif(not is_installed(), reason="needs ONNX Runtime")
@pytest.mark.timeout(120)
def test_onnx_runtime_is_used_where_it_is_installed_with_the_threads_that_are_asked_for() -> None:
    found = network_latency(dense_network(spec()), spec(), threads=2, timing=BRIEF)
    assert found.conditions.startswith("onnxruntime ")
    assert ", 2 threads, " in found.conditions
    assert [latency.batch_size for latency in found.latencies] == [1, 64]


class _Untraceable(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Branches on a value, which no graph holds."""
        flat = images.flatten(1)[:, :4]
        return flat if float(flat.sum()) > 0 else -flat


@pytest.mark.skipif(not is_installed(), reason="needs ONNX Runtime")
@pytest.mark.timeout(120)
def test_a_network_that_onnx_cannot_hold_is_timed_in_torch_and_that_is_recorded_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = network_latency(_Untraceable().eval(), spec(), threads=1, timing=BRIEF)
    assert found.conditions.startswith("torch ")
    assert "timed in torch, since it cannot be in ONNX Runtime" in caplog.text


def test_every_latency_has_a_metric_and_none_is_judged_alone() -> None:
    assert {"latency_ms", "latency_ms_batch64", "speedup", "speedup_batch64"} < LATENCIES
    for name in (*LATENCIES, "file_bytes"):
        assert METRICS[name].is_of_pruning
    assert METRICS["speedup"].better(2.0, 1.0)
    assert METRICS["file_bytes"].better(1.0, 2.0)
