"""What is written of a model is the model, and nothing else gets through."""

import copy
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from study.config.trial import TrialConfig
from study.errors import ExportError
from study.export.card import ModelCard, Removal
from study.export.folder import load_model, read_card, read_mask, write_weights
from study.export.formats import FORMATS, StateDict, format_called
from study.export.network import NetworkSpec, ServedNetwork, logits_of
from study.export.pyfunc import _load_pyfunc
from study.export.readme import code, readme
from study.export.smallest import smallest
from study.export.trial_model import (
    TrialModel,
    export_model,
    model_source,
    sample_images,
)
from study.metrics import wilson_interval
from study.models.architecture import ARCHITECTURES
from study.models.shapes import ImageShape
from study.models.torchvision_networks.plain import plain_torchvision_code
from study.pruning.channels.cutting import cut_
from study.pruning.channels.dead import Alive, without_dead_channels
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from study.training.anytime import AnytimeLearner
from study.trial.datasets import dataset_key, load_dataset
from tests.helpers.small_studies import search
from tests.helpers.small_trials import trained, trial


@pytest.fixture(scope="module", params=["weight", "channel"])
def config(request: pytest.FixtureRequest) -> TrialConfig:
    return trial(pruning__granularity=request.param)


@pytest.fixture(scope="module")
def learner(config: TrialConfig) -> AnytimeLearner:
    return trained(config)


@pytest.fixture(scope="module")
def model(config: TrialConfig, learner: AnytimeLearner) -> TrialModel:
    dataset = load_dataset(dataset_key(config.data))
    source = model_source(config, dataset, study=search(name="small"), number=3)
    record = learner.history.megabatches[-1]
    sample = sample_images(config, dataset)
    return TrialModel(source, record, learner.model.eval(), learner.mask, sample)


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_model_says_the_same_after_a_round_trip_for_any_number_of_images(
    name: str, model: TrialModel, tmp_path: Path
) -> None:
    export_model(model, tmp_path / "out", format_name=name)
    card, predict = load_model(tmp_path / "out")
    for number in (1, 2, 7):
        images = model.sample[:number]
        wanted = logits_of(model.network, model.source.network, images)
        assert predict(images).dtype == np.float32
        assert np.abs(predict(images) - wanted).max() <= 1e-5
    assert card.format == name
    small = smallest(model.network, model.mask, model.source.network)
    assert read_mask(tmp_path / "out") == small.mask
    served = _load_pyfunc(str(tmp_path / "out")).predict(model.sample)
    assert np.array_equal(served["logits"], predict(model.sample))


@pytest.mark.parametrize("name", list(FORMATS))
def test_who_may_read_its_readme_may_read_the_model(
    name: str, model: TrialModel, tmp_path: Path
) -> None:
    export_model(model, tmp_path / "out", format_name=name)
    modes = {f.name: f.stat().st_mode for f in (tmp_path / "out").rglob("*") if f.is_file()}
    assert set(modes.values()) == {modes["README.md"]}, modes


@pytest.mark.parametrize("config", ["weight"], indirect=True)
@pytest.mark.parametrize("name", list(FORMATS))
def test_channels_that_pruning_cut_off_are_not_in_the_file_and_the_card_says_so(
    name: str, model: TrialModel, tmp_path: Path
) -> None:
    mask = Mask({name: tensor.clone() for name, tensor in model.mask.tensors.items()})
    first, last = mask.tensors.values()
    first[[0, 1]] = False
    last[:, [1, 5, 6]] = False
    network = copy.deepcopy(model.network)
    mask.apply_(network)
    cut_off = dataclasses.replace(model, network=network, mask=mask)
    made = export_model(cut_off, tmp_path / "out", format_name=name)
    gone = {int(row) for row in range(12) if not first[row].any() or not last[:, row].any()}
    assert gone >= {0, 1, 5, 6}
    num_weights = len(gone) * (first.shape[1] + last.shape[0])
    left = torch.tensor(sorted(set(range(12)) - gone))
    num_kept = mask.num_kept - int(first[left].sum() + last[:, left].sum())
    assert made.removal == Removal(len(gone), 12, num_weights, num_kept)

    card, predict = load_model(tmp_path / "out")
    assert (card.removal, card.network.removed) == (made.removal, made.network.removed)
    wanted = logits_of(network, model.source.network, model.sample)
    assert np.abs(predict(model.sample) - wanted).max() <= 1e-5
    masks = list(read_mask(tmp_path / "out").tensors.values())
    assert torch.equal(masks[0], first[left])
    assert torch.equal(masks[1], last[:, left])
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert f"cut off {len(gone)} of its 12 channels" in text
    assert f"with them {num_weights:,} weights ({num_kept:,} of them kept)" in text


def test_a_network_that_is_not_understood_goes_out_as_it_is_and_the_card_says_so() -> None:
    vit = NetworkSpec(
        {"architecture": "vit_b_32"}, (), (3, 32, 32), ("a", "b"), (0.5,) * 3, (0.25,) * 3
    )
    with torch.device("meta"):
        network = ARCHITECTURES.get("vit_b_32")().build((3, 32, 32), 2)
    mask = Mask.dense(prunable_parameters(network))
    found = smallest(network, mask, vit)
    assert found.network is network
    assert found.removal is not None
    assert "MultiheadAttention" in found.removal.sentence()
    assert "pruning.granularity" not in found.removal.sentence()


def test_a_network_that_loses_a_channel_that_counts_goes_out_as_it_is_and_the_card_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = NetworkSpec(
        {"architecture": "mlp", "hidden_sizes": (6,)},
        (),
        (3, 4, 4),
        ("a", "b"),
        (0.5,) * 3,
        (0.25,) * 3,
    )
    network = spec.build()
    mask = Mask.dense(prunable_parameters(network))

    def with_too_few(network: nn.Module, mask: Mask, image_shape: ImageShape) -> Alive:
        alive = without_dead_channels(network, mask, image_shape)
        kept = alive.kept.index_fill(0, torch.tensor([2]), False)
        cut_(alive.network, alive.groups, alive.kept, kept)
        return dataclasses.replace(alive, kept=kept)

    monkeypatch.setattr("study.export.smallest.without_dead_channels", with_too_few)
    found = smallest(network, mask, spec)
    assert (found.network, found.mask, found.spec) == (network, mask, spec)
    assert found.removal is not None
    assert "the logits of drawn images are others" in found.removal.sentence()


def test_a_card_from_before_anything_was_removed_is_read(
    model: TrialModel, tmp_path: Path
) -> None:
    export_model(model, tmp_path / "out", format_name="safetensors")
    path = tmp_path / "out" / "model_card.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    del raw["removal"], raw["network"]["removed"]
    path.write_text(json.dumps(raw), encoding="utf-8")
    card = read_card(tmp_path / "out")
    assert card.removal is None
    assert not card.network.removed


@pytest.mark.parametrize("config", ["weight"], indirect=True)
def test_masks_that_the_file_tells_are_not_written_again(
    model: TrialModel, tmp_path: Path
) -> None:
    export_model(model, tmp_path / "out", format_name="sparse")
    assert not (tmp_path / "out" / "masks.safetensors").exists()
    # A layer that is all but dense is stored densely: its mask is beside the file, and no other.
    (first, *others) = model.mask.tensors
    flags = torch.ones_like(model.mask.tensors[first])
    flags[0, 0] = False
    mask = Mask({first: flags, **{name: model.mask.tensors[name] for name in others}})
    export_model(dataclasses.replace(model, mask=mask), tmp_path / "out", format_name="sparse")
    assert list(load_file(tmp_path / "out" / "masks.safetensors")) == [first]
    assert read_mask(tmp_path / "out") == mask
    (tmp_path / "out" / "masks.safetensors").unlink()
    with pytest.raises(ExportError, match=r"masks\.safetensors: cannot be read"):
        read_mask(tmp_path / "out")


def test_a_damaged_sparse_file_is_told_with_its_path(model: TrialModel, tmp_path: Path) -> None:
    export_model(model, tmp_path / "out", format_name="sparse")
    path = tmp_path / "out" / "sparse.safetensors"
    content = path.read_bytes()
    for damage in (content[:-1], content[:100], b"\xff" * 8 + content[8:], b"", None):
        path.unlink()
        if damage is not None:
            path.write_bytes(damage)
        for reading in (load_model, read_mask):
            with pytest.raises(ExportError, match=r"sparse\.safetensors: cannot be read"):
                reading(tmp_path / "out")
        path.touch()


def test_the_served_network_sees_what_training_saw_to_the_bit(
    learner: AnytimeLearner, model: TrialModel
) -> None:
    holdout = learner.data.holdout[:8]
    (pixels, _) = next(learner.data.train_images.minibatches(holdout, batch_size=8))
    with torch.inference_mode():
        trained_on = learner.model(pixels)
        served = ServedNetwork(learner.model, model.source.network)(torch.tensor(model.sample[:8]))
    assert torch.equal(trained_on, served)


def test_the_card_tells_layers_metrics_and_intervals_and_reads_back(
    model: TrialModel, tmp_path: Path
) -> None:
    made = export_model(model, tmp_path / "out", format_name="safetensors", licence="MIT")
    card = read_card(tmp_path / "out")
    assert card.layers == model.record.layers == made.layers
    assert card.metrics == {**model.record.metrics, **model.record.summary}
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "Licence: MIT" in text
    assert all(f"`{layer.layer}`" in text for layer in card.layers)
    rate, size = card.metrics["holdout_error_rate"], card.split_sizes["holdout"]
    low, high = wilson_interval(rate, size)
    assert low <= rate <= high
    assert f"[{low:.4g}, {high:.4g}]" in text


def test_an_interval_is_wilsons() -> None:
    # 10 of 100, as printed in the tables: 0.0552 to 0.1744.
    assert wilson_interval(0.1, 100) == pytest.approx((0.0552, 0.1744), abs=5e-5)
    assert wilson_interval(0.0, 50)[0] == pytest.approx(0.0)


def test_a_format_that_says_something_else_is_not_exported(
    model: TrialModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(
        _: StateDict,
        network: nn.Module,
        mask: Mask,  # noqa: ARG001  # the protocol's
        spec: NetworkSpec,  # noqa: ARG001  # the protocol's
        path: Path,
    ) -> None:
        torch.save({n: t * 1.01 for n, t in network.state_dict().items()}, path)

    monkeypatch.setattr(StateDict, "write", write)
    with pytest.raises(ExportError, match="differs from the network"):
        export_model(model, tmp_path / "out", format_name="state_dict")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_model_is_never_replaced_and_an_earlier_model_is(
    model: TrialModel, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("all of it", encoding="utf-8")
    with pytest.raises(ExportError, match="is no exported model"):
        export_model(model, tmp_path / "mine", format_name="safetensors")
    export_model(model, tmp_path / "out", format_name="state_dict")
    export_model(model, tmp_path / "out", format_name="safetensors")
    assert not (tmp_path / "out" / "state_dict.pt").exists()
    assert read_card(tmp_path / "out").format == "safetensors"


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("other", ["trial-5/model_card.json", "trial-5/mine.txt", "notes.txt"])
def test_a_model_with_anything_beside_it_is_not_replaced(
    other: str, model: TrialModel, tmp_path: Path
) -> None:
    export_model(model, tmp_path / "out", format_name="state_dict")
    (tmp_path / "out" / other).parent.mkdir(exist_ok=True)
    (tmp_path / "out" / other).write_text("mine", encoding="utf-8")
    before = everything_in(tmp_path)
    named = other.partition("/")[0]
    with pytest.raises(ExportError, match=rf"no export writes: {named}; .*another --out"):
        export_model(model, tmp_path / "out", format_name="safetensors")
    assert everything_in(tmp_path) == before


@pytest.mark.parametrize("inside", [".", "below"])
def test_neither_the_working_directory_nor_one_above_it_is_replaced(
    inside: str, model: TrialModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_model(model, tmp_path / "out", format_name="state_dict")
    (tmp_path / "out" / inside).mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / "out" / inside)
    before = everything_in(tmp_path)
    for named in (Path(), Path(".."), tmp_path / "out"):
        with pytest.raises(ExportError, match="working directory"):
            export_model(model, named, format_name="safetensors")
    assert everything_in(tmp_path) == before


def test_a_model_is_replaced_where_a_link_leads(model: TrialModel, tmp_path: Path) -> None:
    export_model(model, tmp_path / "out", format_name="state_dict")
    (tmp_path / "link").symlink_to("out")
    export_model(model, tmp_path / "link", format_name="safetensors")
    assert (tmp_path / "link").is_symlink()
    assert read_card(tmp_path / "out").format == "safetensors"


def test_a_pickle_that_runs_code_is_refused(model: TrialModel, tmp_path: Path) -> None:
    export_model(model, tmp_path / "out", format_name="state_dict")
    torch.save({"weight": _Runs(tmp_path / "ran")}, tmp_path / "out" / "state_dict.pt")
    with pytest.raises(Exception, match=r"(?i)weights.only"):
        load_model(tmp_path / "out")
    assert not (tmp_path / "ran").exists()


class _Runs:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._path,)


def test_weights_that_lie_channels_last_are_written_as_any_others(tmp_path: Path) -> None:
    network = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    mask = Mask({"weight": (network.weight > 0).detach()})
    assert not mask.tensors["weight"].is_contiguous()
    write_weights(network, mask, tmp_path / "model")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    assert torch.equal(weights["weight"], network.weight)
    masks = load_file(tmp_path / "model" / "masks.safetensors")
    assert torch.equal(masks["weight"], mask.tensors["weight"])


def test_a_broken_card_and_an_unknown_format_are_told_with_a_remedy(
    model: TrialModel, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match="app-study export wrote"):
        read_card(tmp_path)
    export_model(model, tmp_path / "out", format_name="safetensors")
    (tmp_path / "out" / "model_card.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ExportError, match="no model card"):
        read_card(tmp_path / "out")
    with pytest.raises(ExportError, match="did you mean 'onnx'"):
        format_called("onxn")


def test_a_card_is_plain_json_without_the_place_of_the_data(model: TrialModel) -> None:
    config = trial(data__root="/home/ann/secret")
    source = dataclasses.replace(model.source, trial=config)
    card = ModelCard.from_record(source, model.record, format_name="safetensors")
    again = ModelCard.from_json(card.to_json())
    assert again.to_json() == card.to_json()
    assert "/home/ann" not in card.to_json() + readme(card)


@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn", "mobilenet_v2", "squeezenet1_1"])
def test_torchvision_makes_the_network_that_the_weights_fit(name: str) -> None:
    architecture = ARCHITECTURES.get(name)()
    lines = plain_torchvision_code(architecture, (3, 32, 32), 7)
    assert lines is not None
    namespace = {"nn": nn, "torchvision": pytest.importorskip("torchvision")}
    code = compile("\n".join(lines), "<card>", "exec")
    exec(code, namespace)  # it is what the card tells people to run
    plain = namespace["model"]
    plain.load_state_dict(architecture.build((3, 32, 32), 7).state_dict(), strict=True)


@pytest.mark.parametrize("name", ["safetensors", "state_dict", "sparse"])
def test_the_cards_code_loads_a_torchvision_network_whose_channels_are_gone(
    name: str, model: TrialModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = NetworkSpec(
        {"architecture": "mobilenet_v2"}, (), (3, 32, 32), ("a", "b"), (0.5,) * 3, (0.25,) * 3
    )
    network = spec.build()
    mask = Mask.dense(prunable_parameters(network))
    last = mask.tensors["classifier.1.weight"]
    last[:, : last.shape[1] // 2] = False
    mask.tensors["features.3.conv.2.weight"][:, ::3] = False  # behind a depthwise convolution
    mask.apply_(network)
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)
    source = dataclasses.replace(model.source, network=spec)
    cut_off = dataclasses.replace(model, source=source, network=network, mask=mask, sample=images)
    made = export_model(cut_off, tmp_path / "out", format_name=name)
    assert {"features.3.conv.0.0.weight", "features.18.0.weight"} <= made.network.removed.keys()
    monkeypatch.chdir(tmp_path / "out")
    namespace = {"images": torch.tensor(images)}
    exec(compile(code(made), "<card>", "exec"), namespace)
    logits = namespace["logits"].numpy()
    wanted = logits_of(network, spec, images)
    assert np.abs(logits - wanted).max() <= 1e-5 * max(1.0, np.abs(wanted).max())


def test_a_network_that_torchvision_has_not_got_has_no_such_code() -> None:
    for name in ("resnet20", "vit_b_16"):
        assert plain_torchvision_code(ARCHITECTURES.get(name)(), (3, 32, 32), 7) is None
