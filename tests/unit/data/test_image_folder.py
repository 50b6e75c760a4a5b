import errno
import logging
import os
import struct
import zlib
from collections import Counter

import numpy as np
import pytest
import yaml
from PIL import Image

from study.data.dataset import DataError
from study.data.mapped import MappedImages
from study.data.sources import image_cache
from study.data.sources.class_map import load_class_map
from study.data.sources.decoding import DecodeSettings, UnreadableImageError, decode_image
from study.data.sources.image_cache import CACHE_FOLDER
from study.data.sources.image_folder import ImageFolder

RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 255, 0)


@pytest.fixture(autouse=True)
def user_cache(tmp_path_factory, monkeypatch):
    cache = tmp_path_factory.mktemp("user-cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return cache


@pytest.fixture(autouse=True, params=["in memory", "mapped"])
def mapped(request, monkeypatch):
    """Everything holds however the decoded images are kept."""
    is_mapped = request.param == "mapped"
    monkeypatch.setattr(image_cache, "MAPPED_FROM", 1 if is_mapped else 2**30)
    return is_mapped


def paint(path, colour=RED, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    for name, colour in (("red", RED), ("blue", BLUE)):
        for number in range(3):
            paint(tmp_path / "images" / name / f"{number}.png", colour)
    return tmp_path / "images"


def source(**settings):
    return ImageFolder(image_size=4, **settings)


def test_classes_are_the_sub_folders_in_order_of_name(folder):
    dataset = source().load(folder)
    assert dataset.class_names == ("blue", "red")
    assert dataset.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.train_images.shape == (6, 3, 4, 4)
    assert dataset.train_images[0, :, 0, 0].tolist() == list(BLUE)
    assert dataset.test_images is None
    assert dataset.crop_and_flip


@pytest.mark.parametrize("name", ["test", "val", "validation"])
def test_train_and_test_folders_are_the_two_splits(tmp_path, name):
    for split, number in (("train", 2), (name, 1)):
        for label in ("a", "b"):
            for index in range(number):
                paint(tmp_path / split / label / f"{index}.png", BLUE if label == "b" else RED)
    dataset = source().load(tmp_path)
    assert dataset.train_labels.tolist() == [0, 0, 1, 1]
    assert dataset.test_labels.tolist() == [0, 1]
    assert dataset.test_images[1, :, 0, 0].tolist() == list(BLUE)


def test_test_is_preferred_to_val(tmp_path):
    for split in ("train", "test", "val"):
        for label in ("a", "b"):
            paint(tmp_path / split / label / "0.png", GREEN if split == "val" else RED)
    assert source().load(tmp_path).test_images[0, :, 0, 0].tolist() == list(RED)


def test_the_path_is_relative_to_the_root(folder):
    assert len(source(path="images").load(folder.parent).train_labels) == 6


def test_hidden_files_and_other_files_are_not_images(folder):
    paint(folder / "red" / ".hidden.png")
    paint(folder / "red" / ".thumbnails" / "1.png")
    paint(folder / ".git" / "1.png")
    paint(folder / "__MACOSX" / "1.png")
    (folder / "red" / "notes.txt").write_text("no image")
    assert len(source().load(folder).train_labels) == 6


def test_images_in_deeper_folders_belong_to_the_class(folder):
    paint(folder / "red" / "more" / "deep.PNG")
    assert source().load(folder).train_labels.tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_grey_images_have_one_channel_and_are_not_augmented(folder):
    dataset = source(grayscale=True).load(folder)
    assert dataset.train_images.shape == (6, 1, 4, 4)
    assert (len(dataset.mean), len(dataset.std), dataset.crop_and_flip) == (1, 1, False)


def test_images_are_decoded_once(folder, caplog, monkeypatch):
    caplog.set_level(logging.INFO, logger="study.data.sources.image_cache")
    first = source().load(folder).in_memory()
    assert "decoding 6 images" in caplog.text
    assert len(list((folder / CACHE_FOLDER).glob("*.npy"))) == 1

    def decoded_again(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr("study.data.sources.image_cache.decode_image", decoded_again)
    again = source().load(folder)
    assert np.array_equal(first.train_images, again.train_images)


def test_a_changed_image_and_another_setting_are_decoded_anew(folder):
    source().load(folder)
    paint(folder / "blue" / "0.png", GREEN, size=(9, 9))
    assert source().load(folder).train_images[0, :, 0, 0].tolist() == list(GREEN)
    assert ImageFolder(image_size=6).load(folder).train_images.shape == (6, 3, 6, 6)


def test_an_image_replaced_by_one_of_equal_size_is_noticed_by_its_time(folder):
    source().load(folder)
    path = folder / "blue" / "0.png"
    content = paint(folder / "other.png", GREEN).read_bytes()
    path.write_bytes(content)
    os.utime(path, ns=(10**18, 10**18))
    assert source().load(folder).train_images[0, :, 0, 0].tolist() == list(GREEN)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x93NUMPY cut"])
def test_a_damaged_cache_is_made_anew_with_a_warning(folder, caplog, content):
    first = source().load(folder).in_memory()
    cache = next((folder / CACHE_FOLDER).glob("*.npy"))
    cache.write_bytes(content)
    again = source().load(folder)
    assert "made anew" in caplog.text
    assert np.array_equal(first.train_images, again.train_images)
    assert np.load(cache).shape == (6, 3, 4, 4)


def _cache_of(folder):
    return next((folder / CACHE_FOLDER).glob("*.npy"))


@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.95, 1.0])
def test_a_cache_of_which_one_bit_is_another_is_made_anew(folder, caplog, place):
    first = source().load(folder).in_memory()
    cache = _cache_of(folder)
    content = bytearray(cache.read_bytes())
    content[round(place * (len(content) - 1))] ^= 1
    cache.write_bytes(content)
    assert np.array_equal(source().load(folder).train_images, first.train_images)
    assert "made anew" in caplog.text


@pytest.mark.parametrize("kept", range(8))
def test_a_cache_that_was_cut_is_made_anew(folder, caplog, kept):
    first = source().load(folder).in_memory()
    cache = _cache_of(folder)
    content = cache.read_bytes()
    cache.write_bytes(content[: len(content) * kept // 8])
    assert np.array_equal(source().load(folder).train_images, first.train_images)
    assert "made anew" in caplog.text


def test_the_cache_of_other_images_of_the_same_shape_is_not_taken(folder, tmp_path, caplog):
    for name in ("red", "blue"):
        for number in range(3):
            paint(tmp_path / "others" / name / f"{number}.png", GREEN)
    first = source().load(folder).in_memory()
    source().load(tmp_path / "others")
    _cache_of(folder).write_bytes(_cache_of(tmp_path / "others").read_bytes())
    assert np.array_equal(source().load(folder).train_images, first.train_images)
    assert "made anew" in caplog.text


def test_a_cache_that_would_run_code_is_not_unpickled(folder, caplog):
    source().load(folder)
    cache = _cache_of(folder)
    size = cache.stat().st_size
    np.save(cache, np.array([print], dtype=object), allow_pickle=True)
    with cache.open("ab") as file:
        file.write(b"\0" * (size - cache.stat().st_size))
    assert source().load(folder).train_images[0, :, 0, 0].tolist() == list(BLUE)
    assert "made anew" in caplog.text


def test_the_cache_goes_to_the_user_where_the_folder_cannot_be_written(folder, user_cache):
    (folder / CACHE_FOLDER).write_text("a file in the way")
    source().load(folder)
    assert len(list((user_cache / "app-study").glob("*.npy"))) == 1
    assert (folder / CACHE_FOLDER).read_text() == "a file in the way"


def test_a_disk_that_is_full_is_found_before_a_page_of_a_mapping_is_written(
    folder, user_cache, caplog, mapped, monkeypatch
):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    dataset = source().load(folder)
    assert dataset.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.train_images[0, :, 0, 0].tolist() == list(BLUE)
    if mapped:
        assert caplog.text.count("cannot hold the cache: [Errno 28]") == 2
        assert not [*(folder / CACHE_FOLDER).glob("*"), *(user_cache / "app-study").glob("*")]


def test_without_any_place_for_the_cache_it_still_loads_and_says_so(folder, user_cache, caplog):
    (folder / CACHE_FOLDER).write_text("in the way")
    (user_cache / "app-study").write_text("in the way")
    assert len(source().load(folder).train_labels) == 6
    assert "decoded again next time" in caplog.text


def test_everything_that_is_wrong_with_a_folder_is_told_at_once(tmp_path):
    for name in ("train/a", "train/b", "test/a", "test/stranger", "test/other"):
        paint(tmp_path / name / "0.png")
    for number in range(25):
        (tmp_path / "train" / "a" / f"broken{number:02}.jpg").write_bytes(b"\xff\xd8\xff no")
    (tmp_path / "train" / "b" / "1.png").write_bytes(b"")
    (tmp_path / "train" / "b" / "2.png").write_text("a text with the name of an image")
    (tmp_path / "train" / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        source().load(tmp_path)
    assert f"{tmp_path}: 30 things are wrong" in caught.value.summary
    named = [line.partition(":")[0] for line in caught.value.details]
    assert named == [
        "train/empty",
        "test/other",
        "test/stranger",
        *(f"train/a/broken{number:02}.jpg" for number in range(25)),
        "train/b/1.png",
        "train/b/2.png",
    ]
    assert not (tmp_path / CACHE_FOLDER).exists()


def test_a_cut_image_is_broken(folder):
    path = folder / "red" / "0.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(DataError, match=r"red/0\.png"):
        source().load(folder)


def test_an_empty_class_folder_is_named(folder):
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="empty: this class folder holds no images"):
        source().load(folder)


def test_a_class_of_test_that_training_lacks_is_named(tmp_path):
    for name in ("train/a", "train/b", "test/a", "test/stranger"):
        paint(tmp_path / name / "0.png")
    with pytest.raises(DataError, match="test/stranger: there is no class of that name in train"):
        source().load(tmp_path)


def test_a_test_folder_without_classes_is_refused(tmp_path):
    for name in ("train/a", "train/b"):
        paint(tmp_path / name / "0.png")
    paint(tmp_path / "test" / "0.png")
    with pytest.raises(DataError, match="test: there are no class folders"):
        source().load(tmp_path)


def test_a_folder_without_two_classes_is_refused(tmp_path):
    paint(tmp_path / "0.png")
    with pytest.raises(DataError, match="two class folders or more, found none"):
        source().load(tmp_path)


def test_an_image_size_too_small_is_refused_by_its_name():
    with pytest.raises(ValueError, match=r"^image_size must be at least 4, got 2$"):
        ImageFolder(image_size=2)


COLOUR = DecodeSettings(image_size=4, grayscale=False)


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("LA", (77, 255), (77, 77, 77)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("I;16", 0x4D12, (0x4D, 0x4D, 0x4D)),
    ],
)
def test_images_of_any_mode_become_eight_bit_colour(tmp_path, mode, colour, expected):
    Image.new(mode, (8, 8), colour).save(tmp_path / "image.png")
    pixels = decode_image(tmp_path / "image.png", COLOUR)
    assert pixels.dtype == np.uint8
    assert pixels[:, 1, 1].tolist() == list(expected)


def test_sixteen_bit_colours_keep_their_upper_bits(tmp_path):
    row = b"\0" + b"\x12\x34\xab\xcd\xff\x00" * 8
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * 8)),
        (b"IEND", b""),
    ]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    (tmp_path / "image.png").write_bytes(content)
    assert decode_image(tmp_path / "image.png", COLOUR)[:, 0, 0].tolist() == [0x12, 0xAB, 0xFF]


def test_a_graymap_with_sixteen_bits_keeps_its_upper_bits(tmp_path):
    (tmp_path / "image.pgm").write_bytes(b"P5\n8 8\n65535\n" + b"\x4d\x12" * 64)
    assert decode_image(tmp_path / "image.pgm", COLOUR)[:, 0, 0].tolist() == [0x4D] * 3


def test_of_grey_with_sixteen_bits_the_transparent_value_is_white(tmp_path):
    Image.new("I;16", (8, 8), 0x4D12).save(tmp_path / "image.png", transparency=0x4D12)
    assert decode_image(tmp_path / "image.png", COLOUR)[:, 0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("grayscale", [False, True])
def test_print_colours_become_screen_colours(tmp_path, grayscale):
    Image.new("CMYK", (64, 64), (0, 255, 255, 0)).save(tmp_path / "image.jpg", quality=95)
    pixels = decode_image(tmp_path / "image.jpg", DecodeSettings(4, grayscale))[:, 0, 0]
    expected = [76] if grayscale else list(RED)
    assert np.abs(pixels.astype(int) - expected).max() < 8


def test_of_an_animation_the_first_picture_is_taken(tmp_path):
    pictures = [Image.new("RGB", (8, 8), colour) for colour in (BLUE, RED)]
    pictures[0].save(tmp_path / "image.gif", save_all=True, append_images=pictures[1:])
    assert decode_image(tmp_path / "image.gif", COLOUR)[:, 0, 0].tolist() == list(BLUE)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif", "webp", "ppm"])
def test_a_file_that_was_cut_anywhere_is_refused(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    for part in range(8):
        path.write_bytes(content[: len(content) * part // 8])
        with pytest.raises(UnreadableImageError):
            decode_image(path, COLOUR)


@pytest.mark.parametrize("transparent", [False, True])
def test_palette_images_take_the_colours_of_their_palette(tmp_path, transparent):
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, *GREEN])
    settings = {"transparency": bytes([0, 255])} if transparent else {}
    image.save(tmp_path / "image.png", **settings)
    assert decode_image(tmp_path / "image.png", COLOUR)[:, 0, 0].tolist() == list(GREEN)


def test_the_shorter_side_is_resized_and_the_centre_kept(tmp_path):
    pixels = np.zeros((8, 24, 3), dtype=np.uint8)
    pixels[:, 8:16] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    Image.fromarray(pixels.transpose(1, 0, 2)).save(tmp_path / "tall.png")
    for name in ("wide.png", "tall.png"):
        decoded = decode_image(tmp_path / name, COLOUR)
        assert decoded.shape == (3, 4, 4)
        assert decoded[:, 1:3, 1:3].min() > 240


def test_an_image_of_the_right_size_is_left_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    assert np.array_equal(decode_image(tmp_path / "image.png", COLOUR), pixels.transpose(2, 0, 1))


def test_a_camera_held_sideways_is_turned_upright(tmp_path):
    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    pixels[:4] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(pixels).save(tmp_path / "image.png", exif=exif)
    decoded = decode_image(tmp_path / "image.png", COLOUR)
    assert decoded[:, 0].max() < 50
    assert decoded[:, 3].min() > 200


def write_map(folder, text):
    (folder / "map.yaml").write_text(text)
    return source(class_map="map.yaml")


def test_a_class_map_joins_folders_leaves_out_others_and_orders_the_classes(folder):
    paint(folder / "green" / "0.png", GREEN)
    paint(folder / "black" / "0.png", (0, 0, 0))
    dataset = write_map(folder, "red: warm\nblue: cold\ngreen: cold\n").load(folder)
    assert dataset.class_names == ("warm", "cold")
    assert dataset.train_labels.tolist() == [0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("red: warm\nyellow: cold\n", "names the folder 'yellow', which is not there"),
        ("red: warm\n1: cold\n", "reads 1 as int, not text; put it in quotes"),
        ("red: warm\nblue: off\n", "line 2: YAML reads off as bool"),
        ("- red\n- blue\n", "must be lines of"),
        ("", "must be lines of"),
        ("red: [", "cannot be read"),
        ("red: warm\nred: cold\n", "line 2: the folder 'red' is given twice"),
        ("red: &a [x]\nblue: *a\n", "reads the value as seq"),
        pytest.param("red: " + "[" * 5000, "nested too deeply", id="deep"),
        ("red: !!python/name:os.system\n", "not text; put it in quotes"),
        pytest.param("#" * 1_000_001, "larger than", id="large"),
        ("red: \x00", "cannot be read"),
        ("red: same\nblue: same\n", "two class folders or more, found same"),
    ],
)
def test_a_class_map_that_does_not_fit_is_refused(folder, text, words):
    with pytest.raises(DataError, match=words):
        write_map(folder, text).load(folder)


def test_a_class_map_that_is_not_there_is_refused_with_those_that_are(folder):
    with pytest.raises(DataError, match=r"no map named 'imagenet9'.*restricted_imagenet"):
        source(class_map="imagenet9").load(folder)
    with pytest.raises(DataError, match=r"nothing\.yaml cannot be read"):
        source(class_map="nothing.yaml").load(folder)


def test_restricted_imagenet_has_14_super_classes_of_five_but_for_four_kinds_of_monkey(tmp_path):
    mapping = load_class_map("restricted_imagenet", tmp_path)
    sizes = Counter(mapping.values())
    assert len(sizes) == 14
    assert sizes.pop("monkey") == 4
    assert set(sizes.values()) == {5}
    assert all(len(name) == 9 and name[0] == "n" and name[1:].isdigit() for name in mapping)


def test_an_imagenet_folder_becomes_restricted_imagenet(tmp_path):
    mapping = load_class_map("restricted_imagenet", tmp_path)
    for split in ("train", "val"):
        for name in [*mapping, "n09999999"]:
            paint(tmp_path / split / name / "0.jpeg")
    dataset = source(class_map="restricted_imagenet").load(tmp_path)
    assert dataset.num_classes == 14
    assert dataset.class_names[:2] == ("bird", "turtle")
    assert len(dataset.train_labels) == len(dataset.test_labels) == len(mapping) == 69


def test_the_shipped_map_is_sorted_like_the_folders_of_imagenet(tmp_path):
    names = list(load_class_map("restricted_imagenet", tmp_path))
    assert names == sorted(names)
    assert yaml.safe_load(yaml.safe_dump(names)) == names


def test_large_images_stay_in_the_file_and_small_ones_do_not(folder, mapped):
    for _ in range(2):
        found = source().load(folder)
        assert isinstance(found.train_images, MappedImages) == mapped
        assert not isinstance(found.in_memory().train_images, MappedImages)
        assert np.array_equal(found.in_memory().train_images, found.train_images)
        assert found.digest() == found.in_memory().digest()


def test_a_disk_that_is_too_full_for_the_cache_leaves_the_images_in_memory(folder, monkeypatch):
    usual = source().load(folder)
    _cache_of(folder).unlink()
    monkeypatch.setattr(
        image_cache.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 0})()
    )
    found = source().load(folder)
    assert np.array_equal(found.train_images, usual.train_images)


def test_a_broken_image_leaves_no_file_behind(folder):
    (folder / "red" / "1.png").write_bytes(b"broken")
    with pytest.raises(DataError, match="wrong"):
        source().load(folder)
    cache = folder / CACHE_FOLDER
    assert not cache.exists() or not list(cache.iterdir())
