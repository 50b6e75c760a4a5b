import pytest
import torch
from torch import nn

from study.config.problems import ConfigError
from study.models import matrix_convolution
from study.models.matrix_convolution import (
    ConvolutionShape,
    MatrixConvolutions,
    Products,
)
from study.results import MegabatchRecord
from study.training import kernels as kernels_module
from study.training.kernels import Kernels, convolutions, resolve_kernels
from tests.helpers.small_trials import learner, numbers, trained, trial

CPU = torch.device("cpu")


def offers(monkeypatch: pytest.MonkeyPatch, *, amx_bf16: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": amx_bf16})


@pytest.mark.parametrize(
    ("choice", "precision", "device", "offered", "kernels"),
    [
        ("auto", "bf16", "cpu", True, "matrix_products"),
        ("auto", "bf16", "cpu", False, "portable"),
        ("auto", "fp32", "cpu", True, "portable"),
        ("auto", "bf16", "cuda", True, "portable"),
        ("portable", "bf16", "cpu", True, "portable"),
    ],
)
def test_what_the_processor_offers_decides_unless_portable_kernels_are_asked_for(
    choice: str,
    precision: str,
    device: str,
    offered: bool,
    kernels: Kernels,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offers(monkeypatch, amx_bf16=offered)
    assert resolve_kernels(choice, precision, torch.device(device)) == kernels  # type: ignore[arg-type]  # parametrised


def test_a_network_without_a_deep_convolution_is_left_alone() -> None:
    shallow, deep = nn.Conv2d(127, 128, 3), nn.Conv2d(128, 128, 1)
    for network, is_taken in ((shallow, False), (deep, True), (nn.Linear(512, 512), False)):
        context = convolutions("matrix_products", nn.Sequential(network))
        assert isinstance(context, MatrixConvolutions) == is_taken
        assert not isinstance(convolutions("portable", network), MatrixConvolutions)


def test_a_trial_that_says_nothing_of_kernels_is_what_it_was_before_there_were_any() -> None:
    assert trial().key() == trial(training__kernels="auto").key()
    assert trial().key() != trial(training__kernels="portable").key()
    with pytest.raises(ConfigError, match=r"training.kernels"):
        trial(training__kernels="fast")


@pytest.fixture
def all_are_products(monkeypatch: pytest.MonkeyPatch) -> list[ConvolutionShape]:
    """Convolutions that are taken by products: every one, small as they are in a test."""
    taken: list[ConvolutionShape] = []

    def products_for(shape: ConvolutionShape) -> Products:
        taken.append(shape)
        return Products(output=True, input_gradient=shape.stride == 1, weight_gradient=True)

    monkeypatch.setattr(matrix_convolution, "products_for", products_for)
    monkeypatch.setattr(kernels_module, "may_have_products", lambda _: True)
    return taken


CONVOLVING = {
    "model__architecture": "convnet",
    "model__hidden_sizes": None,
    "training__precision": "bf16",
}


def test_it_is_recorded_by_which_kernels_a_model_was_trained(
    monkeypatch: pytest.MonkeyPatch, all_are_products: list[ConvolutionShape]
) -> None:
    offers(monkeypatch, amx_bf16=True)
    assert trained(trial(**CONVOLVING)).history.kernels == "matrix_products"
    assert all_are_products
    all_are_products.clear()
    portable = trained(trial(**CONVOLVING, training__kernels="portable"))
    assert portable.history.kernels == "portable"
    assert not all_are_products


def test_a_trial_that_moves_goes_on_by_the_kernels_that_it_began_with_to_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, all_are_products: list[ConvolutionShape]
) -> None:
    offers(monkeypatch, amx_bf16=True)
    whole = trained(trial(**CONVOLVING))
    begun = learner(trial(**CONVOLVING))
    run = begun.run()
    while not isinstance(next(run), MegabatchRecord):
        pass
    state = begun.state_dict()

    offers(monkeypatch, amx_bf16=False)
    moved = learner(trial(**CONVOLVING))
    moved.load_state_dict(state)
    all_are_products.clear()
    for _ in moved.run():
        pass
    assert all_are_products
    assert {m.kernels for m in moved.history.megabatches} == {"matrix_products"}
    assert numbers(moved.history) == numbers(whole.history)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(moved.model.state_dict()[name], tensor)


def test_a_checkpoint_that_names_no_kernels_was_trained_by_the_portable_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offers(monkeypatch, amx_bf16=False)
    begun = learner(trial(**CONVOLVING))
    next(begun.run())
    state = begun.state_dict()
    del state["kernels"]
    offers(monkeypatch, amx_bf16=True)
    moved = learner(trial(**CONVOLVING))
    moved.load_state_dict(state)
    for _ in moved.run():
        pass
    assert moved.history.kernels == "portable"
