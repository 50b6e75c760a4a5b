"""Data sets of Hugging Face on disk, each as its own reader writes and reads it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image as Picture

from study.config.loading import load_study
from study.data.dataset import DATASETS, DataError
from study.trial.read_data import load_and_check
from tests.contracts import test_datasets as contracts
from tests.helpers.example_plugins import EXAMPLES, registered

NAMES = ["cat", "dog"]
LABELS = {"train": [0, 1, 1, 0, 1, 0], "test": [1, 0]}


@pytest.fixture(autouse=True)
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    with registered("hugging_face_data", DATASETS, "hugging_face") as cls:
        yield cls


def pixels(row: int, split: str) -> np.ndarray:
    """One colour an image, told apart by row and split."""
    return np.full((8, 8, 3), (10 * row, 20 * row, 200 if split == "test" else 0), dtype=np.uint8)


def table(split: str, labels: Any = None, feature: Any = None) -> datasets.Dataset:
    columns = {
        "image": [Picture.fromarray(pixels(row, split)) for row in range(len(LABELS[split]))],
        "label": LABELS[split] if labels is None else labels,
    }
    features = {"image": datasets.Image(), "label": feature or datasets.ClassLabel(names=NAMES)}
    return datasets.Dataset.from_dict(columns, datasets.Features(features))


def save_to_disk(folder: Path) -> None:
    datasets.DatasetDict({split: table(split) for split in LABELS}).save_to_disk(folder)


def parquet(folder: Path) -> None:
    for split in LABELS:
        table(split).to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")


def image_folder(folder: Path) -> None:
    for split, labels in LABELS.items():
        for row, label in enumerate(labels):
            path = folder / split / NAMES[label] / f"{row}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Picture.fromarray(pixels(row, split)).save(path)


@pytest.mark.parametrize(
    "law",
    [
        contracts.test_a_data_set_builds_from_defaults_is_frozen_documented_and_survives_pickling,
        contracts.test_a_data_set_that_needs_files_asks_for_the_root_if_there_is_none,
    ],
)
def test_it_keeps_the_contract_of_a_data_set(law: Any) -> None:
    law("hugging_face")


def test_without_its_files_it_says_where_it_looked(tmp_path: Path) -> None:
    contracts.test_a_data_set_without_its_files_says_where_it_looked_and_what_to_do(
        "hugging_face", tmp_path
    )


@pytest.mark.parametrize("write", [save_to_disk, parquet, image_folder])
def test_every_image_keeps_its_pixels_its_label_and_its_split(
    source: Any, tmp_path: Path, write: Any
) -> None:
    write(tmp_path / "mine")
    found = source(path="mine", image_size=8).load(tmp_path)
    assert found.class_names == ("cat", "dog")
    assert found.crop_and_flip
    for split, images, labels in (
        ("train", found.train_images, found.train_labels),
        ("test", found.test_images, found.test_labels),
    ):
        rows = {tuple(image[:, 0, 0]): label for image, label in zip(images, labels, strict=True)}
        expected = {
            tuple(pixels(row, split)[0, 0]): label for row, label in enumerate(LABELS[split])
        }
        assert rows == expected


def test_a_table_without_splits_is_all_training_and_grey_if_it_is_to_be(
    source: Any, tmp_path: Path
) -> None:
    table("train").save_to_disk(tmp_path)
    found = source(image_size=4, grayscale=True).load(tmp_path)
    assert found.train_images.shape == (6, 1, 4, 4)
    assert found.test_images is None
    assert not found.crop_and_flip


@pytest.mark.parametrize(
    ("feature", "labels", "names"),
    [
        (datasets.Value("int32"), LABELS["train"], ("0", "1")),
        (datasets.Value("string"), [NAMES[label] for label in LABELS["train"]], ("cat", "dog")),
    ],
)
def test_labels_may_be_numbers_or_texts(
    source: Any, tmp_path: Path, feature: Any, labels: list[Any], names: tuple[str, ...]
) -> None:
    table("train", labels, feature).save_to_disk(tmp_path)
    found = source().load(tmp_path)
    assert found.class_names == names
    assert found.train_labels.tolist() == LABELS["train"]


def text_of_another_class(folder: Path) -> None:
    text = datasets.Value("string")
    parts = {"train": ["cat"] * 3 + ["dog"] * 3, "test": ["cat", "cow"]}
    datasets.DatasetDict({s: table(s, labels, text) for s, labels in parts.items()}).save_to_disk(
        folder
    )


def broken_images(folder: Path) -> None:
    files = [{"bytes": b"no image", "path": None}, {"bytes": b"", "path": None}, None]
    features = datasets.Features(
        {"image": datasets.Image(decode=False), "label": datasets.Value("int64")}
    )
    made = datasets.Dataset.from_dict({"image": files, "label": [0, 1, 0]}, features)
    made.cast_column("image", datasets.Image()).save_to_disk(folder)


def unlabelled(folder: Path) -> None:
    table("train", [0, 1, None, 0, 1, 0]).save_to_disk(folder)


def damaged(folder: Path) -> None:
    save_to_disk(folder)
    (folder / "dataset_dict.json").write_text("{", encoding="utf-8")


@pytest.mark.parametrize(
    ("write", "settings", "said"),
    [
        (save_to_disk, {"image_column": "img"}, r"no column 'img' \(it has: image, label\)"),
        (save_to_disk, {"image_column": "label"}, "holds ClassLabel.*, not images"),
        (save_to_disk, {"label_column": "image"}, "labels are ClassLabel, whole numbers or texts"),
        (save_to_disk, {"test_split": "dev"}, r"no split 'dev' \(it has: train, test\)"),
        (text_of_another_class, {}, "'cow' is in the test split alone"),
        (broken_images, {}, r"3 of 3 images(?s:.)*row 0(?s:.)*row 1(?s:.)*empty(?s:.)*row 2"),
        (unlabelled, {}, "lacks the label of row 2"),
        (damaged, {}, "cannot be read as a data set"),
        (lambda folder: folder.mkdir(), {}, "cannot be read as a data set"),
    ],
)
def test_what_is_wrong_is_said_with_the_folder(
    source: Any, tmp_path: Path, write: Any, settings: dict[str, str], said: str
) -> None:
    write(tmp_path / "mine")
    with pytest.raises(DataError, match=said) as caught:
        source(path="mine", **settings).load(tmp_path)
    assert str(tmp_path / "mine") in str(caught.value)


def test_only_download_asks_the_hub_and_what_it_gives_is_kept(
    source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def load_dataset(name: str) -> datasets.DatasetDict:
        asked.append(name)
        return datasets.DatasetDict({split: table(split) for split in LABELS})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    settings = {"path": "mine", "hub_name": "somebody/pets"}
    with pytest.raises(DataError, match=r"data\.download: true"):
        source(**settings).load(tmp_path)
    once = source(**settings, download=True).load(tmp_path)
    again = source(**settings, download=True).load(tmp_path)
    assert asked == ["somebody/pets"]
    assert once.digest() == again.digest()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"image_size": 3}, "image_size must be at least 4"),
        ({"download": True}, "download needs hub_name"),
        ({"hub_name": "pandas", "download": True}, "hub_name must be OWNER/NAME"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    source: Any, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        source(**settings)


def test_without_datasets_the_remedy_is_named(
    source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="pip install datasets"):
        source().load(tmp_path)


def test_the_study_beside_it_runs_on_what_the_document_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = EXAMPLES.parent / "docs" / "timm_and_hugging_face.md"
    (code,) = document.read_text(encoding="utf-8").split("```python\n")[1:]
    monkeypatch.chdir(tmp_path)
    exec(compile(code.partition("```")[0], str(document), "exec"), {"__name__": "document"})
    study = load_study(EXAMPLES / "hugging_face_data.yaml")
    (dataset,) = load_and_check({c.key(): c for c in study.corners()}).values()
    assert len(dataset.train_labels) == 1797
    assert dataset.image_shape == (1, 8, 8)
