"""Folders of broken images end in one screen that names them, and start nothing."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.fuzzing import Desk, desk, write_yaml
from tests.helpers.small_studies import FIXED

SCREEN = 24
RED = (200, 30, 30)


def png(width: int, height: int) -> bytes:
    """The beginning of a PNG that says it is of this size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def noise(path: Path, **options: Any) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    content = path.read_bytes()
    path.unlink()
    return content


def broken_files(folder: Path) -> dict[str, tuple[bytes, str]]:
    """File name → content and what is said of it."""
    Image.fromarray(np.full((8, 8), 0.5, dtype=np.float32)).save(folder / "float.tif")
    Image.fromarray(np.full((8, 8), 7, dtype=np.int32)).save(folder / "int.tif")
    Image.new("L", (1, 60_000)).save(folder / "thin.png")
    made = {name: (folder / name).read_bytes() for name in ("float.tif", "int.tif", "thin.png")}
    for name in made:
        (folder / name).unlink()
    jpeg = noise(folder / "whole.jpg")
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nquit\n"
    return {
        "cut.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "cut.png": (noise(folder / "whole.png")[:3000], "OSError"),
        "empty.jpg": (b"", "the file is empty"),
        "text.png": (b"I am no image.", "no image of a kind that is read"),
        "script.png": (b"<svg><script>alert(1)</script></svg>", "no image"),
        "program.png": (program, "no image of a kind that is read"),
        "bomb.png": (png(10_000, 10_000), "more than 89,478,485 pixels"),
        "large-bomb.png": (png(100_000, 100_000), "more than 89,478,485 pixels"),
        "float.tif": (made["float.tif"], "pixels of 32 bits"),
        "int.tif": (made["int.tif"], "pixels of 32 bits"),
        "thin.png": (made["thin.png"], "crop it"),
        "\x1b[31mred.png": (b"", "the file is empty"),
        "a\nb.png": (b"", "the file is empty"),
        "a\u202egnp.png": (b"", "the file is empty"),
        "<img src=x onerror=alert(1)>.png": (b"", "the file is empty"),
    }


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    with desk(tmp_path) as made:
        yield made


def folder_of(place: Desk, name: str) -> Path:
    """A folder of two classes with whole images."""
    for label in ("cat", "dog"):
        for number in range(6):
            path = place.folder / name / "train" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 64), RED).save(path)
    return place.folder / name


def study(**changes: Any) -> str:
    fixed = {k: v for k, v in FIXED.items() if not k.startswith("data.")}
    fixed |= {
        "data.dataset": "image_folder", "data.root": ".", "data.path": "images",
        "data.image_size": 224, "pruning.final_density": 0.5, "stream.num_megabatches": 2,
        "data.holdout_fraction": 0.2, "model.hidden_sizes": [4],
    }  # fmt: skip
    axes = changes.pop("axes", {})
    fixed = {k: v for k, v in {**fixed, **changes}.items() if k not in axes}
    return write_yaml({"name": "broken", "fixed": fixed, **({"axes": axes} if axes else {})})


def refused(place: Desk, text: str) -> str:
    """What ``validate --data`` and ``launch`` say, the same, having started nothing."""
    place.write(text)
    before = place.files()
    checked = place.app_study("validate", "--data", "study.yaml")
    launched = place.app_study("launch", "study.yaml")
    assert place.files() == before
    assert (checked.code, checked.err) == (launched.code, launched.err)
    assert (launched.code, launched.started) == (2, False)
    assert all(c == "\n" or c.isprintable() for c in launched.err)
    assert len(launched.err.splitlines()) <= SCREEN + 1
    assert "Traceback" not in launched.err
    return launched.err


def test_every_kind_of_broken_image_is_told_with_its_file(place: Desk) -> None:
    folder = folder_of(place, "images")
    files = broken_files(folder)
    for name, (content, _) in files.items():
        (folder / "train" / "dog" / name).write_bytes(content)
    said = refused(place, study())
    assert f"{folder}: {len(files)} things are wrong" in said
    lines = [line.strip() for line in said.splitlines()[2:]]
    assert len(lines) == len(files)
    for name, (_, reason) in files.items():
        shown = "".join(c if c.isprintable() else "?" for c in " ".join(name.split()))
        (line,) = [line for line in lines if line.startswith(f"train/dog/{shown}: ")]
        assert reason in line


def test_of_many_broken_files_twenty_are_told_and_the_others_counted(place: Desk) -> None:
    folder = folder_of(place, "images")
    for number in range(43):
        (folder / "train" / "cat" / f"broken{number:02}.jpg").write_bytes(b"no")
    said = refused(place, study())
    assert "43 things are wrong" in said
    assert said.count("train/cat/broken") == 20
    assert said.rstrip().endswith("… and 23 more")


def test_all_data_sets_of_a_study_are_checked_not_only_the_first_that_is_broken(
    place: Desk,
) -> None:
    for name in ("one", "two", "three"):
        folder_of(place, name)
    (place.folder / "one" / "train" / "cat" / "x.png").write_bytes(b"")
    (place.folder / "three" / "train" / "empty").mkdir()
    (place.folder / "three" / "test" / "cat").mkdir(parents=True)
    (place.folder / "three" / "test" / "bird").mkdir(parents=True)
    said = refused(place, study(axes={"data.path": ["one", "nowhere", "two", "three"]}))
    assert "3 problems" in said
    assert "one: 1 thing is wrong" in said
    assert "train/cat/x.png: the file is empty" in said
    assert "no folder" in said
    assert "three: 4 things are wrong" in said
    for place_of in ("train/empty: this class", "test/cat: this class", "test/bird: there is no"):
        assert place_of in said


def test_fewer_images_than_megabatches_are_told(place: Desk) -> None:
    folder_of(place, "images")
    place.write(study(**{"stream.num_megabatches": 50, "data.image_size": 8}))
    assert place.app_study("validate", "study.yaml").code == 0
    said = place.app_study("validate", "--data", "study.yaml")
    assert said.code == 2
    assert "stream.num_megabatches" in said.err
