"""Class maps: which class folders make up a super-class."""

from pathlib import Path

import yaml

from study.data.dataset import DataError

MAX_BYTES = 1_000_000  # ImageNet's 21,841 folders, each with its class, are 500 kB
_SHIPPED = Path(__file__).with_name("class_maps")
_TEXT = "tag:yaml.org,2002:str"


def load_class_map(name: str, root: Path) -> dict[str, str]:
    """Folder name → super-class, in the order of the file.

    Args:
        name: A map that ships with us, without suffix (``restricted_imagenet``), or the path of a
            YAML file, absolute or relative to ``root``, ending in ``.yaml`` or ``.yml``.
        root: Folder of the data.

    Raises:
        DataError: No such map, or the file is no mapping of text to text.
    """
    path = _located(name, root)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise DataError(f"data.class_map: {path} is larger than {MAX_BYTES:,} bytes")
        # Nodes, not values: nothing is built, so nothing in the file can grow.
        node = yaml.compose(raw.decode("utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"data.class_map: {path} cannot be read: {error}") from error
    except RecursionError:
        raise DataError(f"data.class_map: {path} cannot be read: nested too deeply") from None
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise DataError(f"data.class_map: {path} must be lines of 'folder name: super-class'")
    mapping: dict[str, str] = {}
    for folder_node, class_node in node.value:
        folder, class_name = _text(folder_node, path), _text(class_node, path)
        if folder in mapping:
            raise DataError(
                f"data.class_map: {path}, line {folder_node.start_mark.line + 1}: the folder "
                f"{folder!r} is given twice; keep one of them"
            )
        mapping[folder] = class_name
    return mapping


def _text(node: yaml.Node, path: Path) -> str:
    if isinstance(node, yaml.ScalarNode) and node.tag == _TEXT:
        return str(node.value)
    kind = node.tag.rpartition(":")[2]
    shown = node.value[:60] if isinstance(node, yaml.ScalarNode) else "the value"
    raise DataError(
        f"data.class_map: {path}, line {node.start_mark.line + 1}: YAML reads {shown} as {kind}, "
        f"not text; put it in quotes"
    )


def _located(name: str, root: Path) -> Path:
    if Path(name).suffix in (".yaml", ".yml"):
        return root / name
    path = _SHIPPED / f"{name}.yaml"
    if "/" in name or not path.is_file():
        known = ", ".join(sorted(shipped.stem for shipped in _SHIPPED.glob("*.yaml")))
        raise DataError(
            f"data.class_map: no map named {name!r} ships with the program (known: {known}); "
            "a file of yours must end in .yaml"
        )
    return path
