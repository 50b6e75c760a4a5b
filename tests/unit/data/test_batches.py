import math

import numpy as np
import pytest
import torch

from study.data.augmentation import AREAS, CROP_PADDING, RATIOS
from study.data.batches import ImagePool, num_minibatches

CPU = torch.device("cpu")
MEAN, STD = (0.1, 0.5, 0.8), (0.2, 0.25, 0.3)


@pytest.fixture
def images():
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 6, 5), dtype=np.uint8)
    images.flags.writeable = False  # as Ray's object store hands them out
    return images


@pytest.fixture
def labels():
    labels = np.arange(20, dtype=np.int64) % 7
    labels.flags.writeable = False
    return labels


@pytest.fixture
def pool(images, labels):
    return ImagePool(images, labels, mean=MEAN, std=STD, device=CPU)


def normalised(images):
    mean, std = np.array(MEAN).reshape(3, 1, 1), np.array(STD).reshape(3, 1, 1)
    return (images / 255 - mean) / std


def drawn(pool, order, **settings):
    pairs = list(pool.minibatches(order, **settings))
    return torch.cat([pair[0] for pair in pairs]), torch.cat([pair[1] for pair in pairs])


@pytest.mark.parametrize(
    ("num_examples", "batch_size", "expected"),
    [(0, 4, 0), (1, 4, 1), (4, 4, 1), (5, 4, 1), (6, 4, 2), (8, 4, 2), (9, 4, 2), (3, 1, 3)],
)
def test_a_last_minibatch_of_one_joins_the_one_before(num_examples, batch_size, expected):
    assert num_minibatches(num_examples, batch_size) == expected


def test_minibatches_come_in_the_number_said_and_none_of_several_holds_a_single_example(pool):
    for num_examples in range(1, 21):
        order = np.arange(num_examples)
        sizes = [len(y) for _, y in pool.minibatches(order, batch_size=3)]
        assert len(sizes) == num_minibatches(num_examples, 3)
        assert sum(sizes) == num_examples
        assert 1 not in sizes or num_examples == 1


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        num_minibatches(5, 0)


def test_images_come_normalised_in_the_order_asked_for_repeats_included(pool, images, labels):
    order = np.array([3, 3, 19, 0, 7])
    pixels, classes = drawn(pool, order, batch_size=2)
    assert pixels.dtype == torch.float32
    assert classes.dtype == torch.int64
    assert classes.tolist() == labels[order].tolist()
    np.testing.assert_allclose(pixels.numpy(), normalised(images[order]), atol=1e-5)
    assert len(pool) == 20


def test_writing_into_a_minibatch_does_not_reach_the_images(labels):
    images = np.zeros((20, 3, 6, 5), dtype=np.uint8)
    pool = ImagePool(images, labels, mean=MEAN, std=STD, device=CPU)
    for pixels, classes in pool.minibatches(np.arange(20), batch_size=20):
        pixels.fill_(9)
        classes.fill_(9)
    assert not images.any()
    assert labels.max() == 6


def test_an_augmented_image_is_a_crop_of_the_black_padded_image_or_of_its_mirror(pool, images):
    order = np.repeat(np.arange(20), 5)
    pixels, _ = drawn(
        pool,
        order,
        batch_size=16,
        augment="crop_and_flip",
        generator=torch.Generator().manual_seed(0),
    )
    corners, mirrored = set(), set()
    for position, example in enumerate(order):
        padded = np.pad(images[example], ((0, 0), (CROP_PADDING,) * 2, (CROP_PADDING,) * 2))
        matches = [
            (top, left, flip)
            for flip in (False, True)
            for top in range(2 * CROP_PADDING + 1)
            for left in range(2 * CROP_PADDING + 1)
            if np.allclose(
                normalised(crop(padded, top, left, flip)), pixels[position].numpy(), atol=1e-5
            )
        ]
        assert len(matches) == 1
        corners.add(matches[0][:2])
        mirrored.add(matches[0][2])
    assert mirrored == {False, True}
    assert len(corners) > 40


def crop(padded, top, left, flip):
    cut = padded[:, top : top + 6, left : left + 5]
    return cut[:, :, ::-1] if flip else cut


def test_half_of_the_images_are_mirrored_and_every_corner_is_as_likely():
    ramp = np.broadcast_to(np.arange(16, dtype=np.uint8) * 4 + 100, (4000, 1, 16, 16))
    pool = ImagePool(ramp, np.zeros(4000, np.int64), mean=(0.0,), std=(1.0,), device=CPU)
    pixels, _ = drawn(
        pool,
        np.arange(4000),
        batch_size=500,
        augment="crop_and_flip",
        generator=torch.Generator().manual_seed(1),
    )
    rising = (pixels[:, 0, 8, 8] > pixels[:, 0, 8, 7]).double().mean()
    assert float(rising) == pytest.approx(0.5, abs=3 * math.sqrt(0.25 / 4000))
    black_rows = (pixels[:, 0].amax(dim=2) == 0).sum(dim=1)
    counts = torch.bincount(black_rows, minlength=5)
    assert float(counts[0] / 4000) == pytest.approx(1 / 9, abs=0.02)
    assert (counts[1:] / 4000).tolist() == pytest.approx([2 / 9] * 4, abs=0.03)


def test_a_resized_crop_is_a_part_of_the_image_brought_to_its_size():
    """Of two ramps, across and down, a part has the slopes and the ends of its place."""
    size, number = 24, 600
    across = np.broadcast_to(np.arange(size, dtype=np.uint8) * 10, (number, 1, size, size))
    ramps = np.concatenate([across, across.swapaxes(2, 3)], axis=1)
    pool = ImagePool(
        ramps, np.zeros(number, np.int64), mean=(0.0, 0.0), std=(1 / 255,) * 2, device=CPU
    )
    pixels, _ = drawn(
        pool,
        np.arange(number),
        batch_size=100,
        augment="random_resized_crop",
        generator=torch.Generator().manual_seed(0),
    )
    middle = slice(size // 4, 3 * size // 4)
    slopes = pixels[:, 0, :, middle].diff(dim=2).mean(dim=(1, 2)) / 10
    widths, heights = slopes.abs(), pixels[:, 1, middle].diff(dim=1).mean(dim=(1, 2)) / 10
    areas, ratios = widths * heights, widths / heights
    assert AREAS[0] - 0.02 <= float(areas.min()) < 0.15
    assert 0.85 < float(areas.max()) <= AREAS[1] + 0.02
    assert float(ratios.min()) >= RATIOS[0] * 0.97
    assert float(ratios.max()) <= RATIOS[1] * 1.03
    mirrored = float((slopes < 0).double().mean())
    assert mirrored == pytest.approx(0.5, abs=3 * math.sqrt(0.25 / number))
    assert float(pixels.min()) >= 0
    assert float(pixels.max()) <= 10 * (size - 1) + 1e-3


def test_augmentation_is_equal_to_the_bit_for_equal_generators_and_differs_otherwise(pool):
    def once(seed):
        generator = torch.Generator().manual_seed(seed)
        return drawn(
            pool, np.arange(20), batch_size=8, augment="crop_and_flip", generator=generator
        )[0]

    assert torch.equal(once(5), once(5))
    assert not torch.equal(once(5), once(6))


def test_augmentation_leaves_torchs_own_random_state_alone(pool):
    before = torch.get_rng_state()
    generator = torch.Generator().manual_seed(0)
    drawn(pool, np.arange(20), batch_size=8, augment="crop_and_flip", generator=generator)
    assert torch.equal(torch.get_rng_state(), before)


def test_augmentation_without_a_generator_is_refused(pool):
    with pytest.raises(ValueError, match="augment needs a generator"):
        next(pool.minibatches(np.arange(4), batch_size=2, augment="crop_and_flip"))


def test_on_another_device_images_are_put_there_once_and_minibatches_stay_there(images, labels):
    meta = torch.device("meta")
    pool = ImagePool(images, labels, mean=MEAN, std=STD, device=meta)
    generator = torch.Generator().manual_seed(0)
    for augment in ("none", "crop_and_flip", "random_resized_crop"):
        pixels, classes = next(
            pool.minibatches(np.arange(4), batch_size=4, augment=augment, generator=generator)
        )
        assert pixels.device == classes.device == meta
        assert pixels.shape == (4, 3, 6, 5)


@pytest.mark.gpu
def test_cuda_gives_the_minibatches_of_the_cpu(images, labels, pool):
    cuda = ImagePool(images, labels, mean=MEAN, std=STD, device=torch.device("cuda"))

    def once(source):
        generator = torch.Generator().manual_seed(3)
        return drawn(
            source, np.arange(20), batch_size=8, augment="crop_and_flip", generator=generator
        )

    torch.testing.assert_close(once(cuda)[0].cpu(), once(pool)[0])
