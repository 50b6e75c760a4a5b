"""The model card for people: a README in Markdown."""

from study.config.trial import flatten
from study.export.card import ModelCard
from study.export.formats import FORMATS, INPUT, OUTPUT
from study.export.network import NetworkSpec
from study.export.sparse import NUMPY_READER
from study.metrics import METRICS, wilson_interval

# Error rates of single models, measured on a split of known size.
_INTERVALS = {"holdout_error_rate": "holdout", "test_error_rate": "test"}
_SHOWN = (
    "holdout_error_rate", "test_error_rate", "validation_error_rate", "service_error",
    "anytime_error", "final_error", "test_service_error", "test_final_error",
    "generalization_gap", "density", "effective_density", "model_density", "forward_flops",
    "forward_flops_sparse", "model_bytes", "sparse_bytes", "samples_seen", "latency_ms", "speedup",
    "latency_ms_batch64", "speedup_batch64", "file_bytes",
)  # fmt: skip


def readme(card: ModelCard) -> str:
    """The card as Markdown."""
    return (
        "\n\n".join(
            [
                f"# {card.title}",
                f"Model of trial {card.trial_number} (`{card.trial_key}`) of the study "
                f"`{card.study}`, in service after megabatch {card.megabatch_index} (counted from "
                f"0). Written by anytime-pruning-study {card.version}.",
                f"Licence: {card.licence}",
                "## Use",
                _use(card),
                "## Data",
                _data(card),
                "## Results",
                _results(card),
                "## Layers",
                _layers(card),
                "## Configuration",
                _configuration(card),
            ]
        ).rstrip("\n")
        + "\n"
    )


def _use(card: ModelCard) -> str:
    channels, height, width = card.network.image_shape
    takes = (
        f"It takes images of {channels} × {height} × {width} (channels, height, width), "
        f"`uint8` from 0 to 255, and gives one logit for each of {len(card.network.class_names)} "
        f"classes: the highest is the answer."
    )
    return f"{takes}\n\n```python\n{code(card)}\n```"


def code(card: ModelCard) -> str:
    """Python that answers for ``images``, with as little installed as the format allows."""
    file_name = FORMATS.get(card.format).file_name
    if card.format == "onnx":
        return (
            "import onnxruntime\n\n"
            f'session = onnxruntime.InferenceSession("{file_name}")\n'
            "# images: a numpy array\n"
            f'(logits,) = session.run(["{OUTPUT}"], {{"{INPUT}": images}})'
        )
    if card.format == "torch_export":
        return (
            "import torch\n\n"
            f'model = torch.export.load("{file_name}").module()\n'
            "logits = model(images)  # images: a torch tensor"
        )
    return _weights_code(card, file_name)


def _torchvision_lines(network: NetworkSpec) -> tuple[str, ...] | None:
    architecture = network.architecture()
    if architecture.torchvision_name is None:
        return None
    from study.models.torchvision_networks.plain import (
        plain_torchvision_code,  # imports torchvision
    )

    num_classes = len(network.class_names)
    return plain_torchvision_code(architecture, network.image_shape, num_classes)


def _weights_code(card: ModelCard, file_name: str) -> str:
    network = card.network
    lines = _torchvision_lines(network)
    if lines is None:
        return (
            "# torchvision cannot make this network: anytime-pruning-study does. The formats\n"
            "# onnx and torch_export need no such package.\n"
            "from pathlib import Path\n\n"
            "from study.export.folder import load_model\n\n"
            f'card, predict = load_model(Path("."){_plugins(network)})\n'
            "logits = predict(images)  # images: a numpy array"
        )
    loaded = {
        "safetensors": f'load_file("{file_name}")',
        "state_dict": f'torch.load("{file_name}", weights_only=True)',
        "sparse": "{name: torch.tensor(t) for name, t in tensors.items()}",
    }[card.format]
    imports = ["import torch", "import torchvision"]
    imports += ["from safetensors.torch import load_file"] if "load_file" in loaded else []
    imports += ["from torch import nn"] if len(lines) > 1 or network.removed else []
    loading = [f"model.load_state_dict({loaded})"]
    if network.removed:
        loading = [f"weights = {loaded}", *_LOADED_SMALLER]
    return "\n".join(
        [
            *imports,
            "",
            *([NUMPY_READER] if card.format == "sparse" else []),
            *lines,
            *loading,
            "model.eval()",
            f"mean = torch.tensor({list(network.mean)}).view(1, -1, 1, 1)",
            f"std = torch.tensor({list(network.std)}).view(1, -1, 1, 1)",
            "with torch.inference_mode():",
            "    logits = model((images / 255 - mean) / std)  # images: a torch tensor",
        ]
    )


def _plugins(network: NetworkSpec) -> str:
    """The argument that has modules imported which are not ours, where the network needs them."""
    is_ours = type(network.architecture()).__module__.partition(".")[0] == "study"
    return "" if is_ours or not network.plugins else f", plugins={list(network.plugins)}"


_LOADED_SMALLER = (
    "for name, tensor in weights.items():  # some channels have been removed",
    '    module, _, own_name = name.rpartition(".")',
    "    layer = model.get_submodule(module)",
    '    if own_name == "weight" and getattr(layer, "groups", 1) > 1:',
    "        layer.groups = layer.groups * len(tensor) // layer.out_channels",
    "    is_parameter = own_name in layer._parameters",
    "    setattr(layer, own_name, nn.Parameter(tensor) if is_parameter else tensor)",
)


def _data(card: ModelCard) -> str:
    data, network = card.config["data"], card.network
    return (
        f"Data set `{data['dataset']}`, split by `data.seed` {data['seed']} "
        f"({card.split_sizes['holdout']:,} holdout and {card.split_sizes['test']:,} test "
        f"examples, neither ever trained on). Classes in the order of the logits: "
        f"{', '.join(network.class_names)}. Normalised by mean {list(network.mean)} and standard "
        f"deviation {list(network.std)} of images scaled to [0, 1]."
    )


def _results(card: ModelCard) -> str:
    lines = ["| metric | value | 95 % interval | definition |", "|---|---|---|---|"]
    for name in _SHOWN:
        value = card.metrics.get(name)
        if value is None:
            continue
        ends = _interval(card, name, value)
        interval = "[{:.4g}, {:.4g}]".format(*ends) if ends else ""
        lines.append(f"| `{name}` | {value:.6g} | {interval} | {METRICS[name].description} |")
    notes = [
        "Where a search chose this model by its figures on the holdout, these are optimistic."
    ]
    if card.measured_with:
        notes.append(f"Latency was measured with {card.measured_with}.")
    return "\n".join([*lines, "", *notes])


def _interval(card: ModelCard, name: str, value: float) -> tuple[float, float] | None:
    """Of what is measured on a split of known size, or was recorded with its interval."""
    if size := card.split_sizes.get(_INTERVALS.get(name, ""), 0):
        return wilson_interval(value, size)
    if f"{name}_low" in card.metrics:
        return card.metrics[f"{name}_low"], card.metrics[f"{name}_high"]
    return None


def _layers(card: ModelCard) -> str:
    lines = ["| layer | weights | kept | density | effective density |", "|---|---|---|---|---|"]
    for layer in card.layers:
        effective = layer.effective_density
        lines.append(
            f"| `{layer.layer}` | {layer.num_weights:,} | {layer.num_kept:,} | "
            f"{layer.density:.4g} | {'not known' if effective is None else f'{effective:.4g}'} |"
        )
    num_kept = sum(layer.num_kept for layer in card.layers)
    num_weights = sum(layer.num_weights for layer in card.layers)
    lines.append(f"| all | {num_weights:,} | {num_kept:,} | {num_kept / num_weights:.4g} | |")
    if card.removal is not None:
        lines += ["", card.removal.sentence()]
    return "\n".join(lines)


def _configuration(card: ModelCard) -> str:
    lines = ["| setting | value |", "|---|---|"]
    flat = flatten(card.config)
    lines += [f"| `{path}` | {value} |" for path, value in flat.items() if value is not None]
    return "\n".join(lines)
