"""What a ``torch.export`` file may hold: tensors, and a graph of torch's own operators.

Torch reads these files with pickle, compiles their guards and evaluates the expressions of their
shapes, so that a file can run code while it is loaded. What export writes needs none of that: all
else is refused here before torch sees it.
"""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch.export.pt2_archive import PT2ArchiveReader

_GRAPH, _SAMPLE = "models/model.json", "data/sample_inputs/model.pt"
_CONFIGS = tuple(f"data/{kind}/model_{kind}_config.json" for kind in ("weights", "constants"))
_RECORDS = {_GRAPH, _SAMPLE, *_CONFIGS, "archive_format", "archive_version", "byteorder"}
_TENSORS = re.compile(r"data/weights/weight_\d+|data/constants/tensor_\d+|\.data/\w+")
_WORD = re.compile(r"[\w.+-]*")
# Operators of tensors, without the two that read and write files, and arithmetic of sizes.
_OPERATORS = re.compile(
    r"torch\.ops\.(?:aten\.(?!save\b|from_file\b)|torchvision\.)\w+\.\w+"
    r"|torch\.ops\.higher_order\.wrap_with_(?:set_grad_enabled|autocast)"
    r"|torch\.sym_[a-z]+|math\.(?:ceil|floor|trunc)"
    r"|_operator\.(?:add|sub|mul|truediv|floordiv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|getitem)"
)
_FUNCTIONS = (  # of sympy, and torch's own
    "Symbol|Integer|Rational|Float|Add|Mul|Pow|Min|Max|And|Or|Not|Equality|Unequality|LessThan|"
    "StrictLessThan|GreaterThan|StrictGreaterThan|FloorDiv|ModularIndexing|Where|PythonMod|Mod|"
    "CleanDiv|CeilToInt|FloorToInt|CeilDiv|PowByNatural|FloatPow|FloatTrueDiv|IntTrueDiv|"
    "TruncToFloat|TruncToInt|RoundToInt|ToFloat|Identity"
)
_EXPRESSION = re.compile(
    rf"(?:Symbol\('\w+'|Float\('[\d.e+-]+'|(?:{_FUNCTIONS})\("
    r"|[a-z]+=(?:True|False|\d+)\b|-?\d+\b|[, )])*"
)
_SPECS = {None, "builtins.tuple", "builtins.list", "builtins.dict"}  # of inputs and outputs
_NOTES = {  # texts that are never more than that
    "stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node", "custom",
    "as_string", "torch_version",
}  # fmt: skip


def check_program(path: Path) -> None:
    """Refuse a file that could run code while torch loads it.

    Args:
        path: A file of ``torch.export``.

    Raises:
        ValueError: It holds what no exported model needs, or is no such file.
        OSError, RuntimeError: It cannot be read.
    """
    from torch.export.pt2_archive import PT2ArchiveReader  # a second, which few need

    try:
        with zipfile.ZipFile(path) as file:  # torch tries the older format where the newer fails
            _accept("version" not in file.namelist(), "it is of an older format of torch")
        with PT2ArchiveReader(str(path)) as archive:
            _check_archive(archive)
    except (zipfile.BadZipFile, AssertionError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"it is no file of torch.export ({error})") from error


def _check_archive(archive: "PT2ArchiveReader") -> None:
    for name in archive.get_file_names():
        _accept(name in _RECORDS or _TENSORS.fullmatch(name), f"it holds {name!r}")
    _check_sample(archive.read_bytes(_SAMPLE))
    for config in _CONFIGS:
        _check_tensors(json.loads(archive.read_string(config)), config)
    _check_graph(json.loads(archive.read_string(_GRAPH)), "")


def _accept(is_known: object, found: str) -> None:
    if not is_known:
        raise ValueError(
            f"{found[:200]}, which could run code and which no model has that app-study export "
            f"wrote; ask its author for the format safetensors or onnx"
        )


def _check_sample(content: bytes) -> None:
    """The inputs that the graph was traced with, which torch would unpickle whatever they are."""
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:  # whatever a strange pickle runs into
        _accept(False, f"{_SAMPLE} holds more than tensors ({type(error).__name__})")


def _check_tensors(raw: Any, config: str) -> None:
    """Weights or constants lie as plain bytes."""
    folder = config.rpartition("/")[0]
    for name, entry in raw["config"].items():
        place = f"{folder}/{entry['path_name']}"
        is_plain = entry["use_pickle"] is False and _TENSORS.fullmatch(place)
        _accept(is_plain, f"{name!r} in {config} is a pickle")


def _check_graph(raw: Any, key: str) -> None:
    """Everything below ``key`` of the graph's description."""
    if isinstance(raw, dict):
        for name, value in raw.items():
            _accept(_WORD.fullmatch(name), f"its graph names {name!r}")
            _check_graph(value, name)
    elif isinstance(raw, list):
        _accept(key != "guards_code" or not raw, "its graph has guards in Python")
        for value in raw:
            _check_graph(value, key)
    elif isinstance(raw, str):
        _accept(_is_known_text(raw, key), f"its graph has {raw!r} as {key}")


def _is_known_text(text: str, key: str) -> bool:
    if key in ("in_spec", "out_spec"):
        return not text or _is_known_spec(json.loads(text))
    if key in ("target", "as_operator"):
        return bool(_OPERATORS.fullmatch(text))
    pattern = _EXPRESSION if key == "expr_str" else _WORD
    return key in _NOTES or bool(pattern.fullmatch(text))


def _is_known_spec(raw: Any) -> bool:
    """Whether inputs or outputs are nested tuples, lists and dicts alone."""
    if isinstance(raw, dict):
        return raw["type"] in _SPECS and all(map(_is_known_spec, raw["children_spec"]))
    return not isinstance(raw, list) or all(map(_is_known_spec, raw))
