"""Class maps: which class folders make up a super-class."""

from pathlib import Path

import yaml

from study.data.dataset import DataError

_SHIPPED = Path(__file__).with_name("class_maps")


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
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"data.class_map: {path} cannot be read: {error}") from error
    if not isinstance(content, dict) or not content:
        raise DataError(f"data.class_map: {path} must be lines of 'folder name: super-class'")
    for pair in content.items():
        for text in pair:
            if not isinstance(text, str):
                raise DataError(
                    f"data.class_map: {path}: YAML reads {text!r} as "
                    f"{type(text).__name__}, not text; put it in quotes"
                )
    return content


def _located(name: str, root: Path) -> Path:
    if Path(name).suffix in (".yaml", ".yml"):
        return root / name
    path = _SHIPPED / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(shipped.stem for shipped in _SHIPPED.glob("*.yaml")))
        raise DataError(
            f"data.class_map: no map named {name!r} ships with the program (known: {known}); "
            "a file of yours must end in .yaml"
        )
    return path
