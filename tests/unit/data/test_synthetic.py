import numpy as np
import pytest

from study.data.sources.digits import Digits
from study.data.sources.synthetic import Synthetic


def test_digits_are_the_1797_of_scikit_learn_over_the_whole_grey_scale():
    dataset = Digits().load(None)
    assert dataset.train_images.shape == (1797, 1, 8, 8)
    assert (dataset.train_images.min(), dataset.train_images.max()) == (0, 255)
    assert dataset.class_names == tuple("0123456789")
    assert not dataset.crop_and_flip
    assert dataset.test_images is None


def test_synthetic_images_have_the_sizes_asked_for_and_classes_are_equally_frequent():
    source = Synthetic(
        num_examples=30, num_test_examples=7, num_classes=3, image_size=9, num_channels=2
    )
    dataset = source.load(None)
    assert dataset.train_images.shape == (30, 2, 9, 9)
    assert dataset.test_images.shape == (7, 2, 9, 9)
    assert np.bincount(dataset.train_labels).tolist() == [10, 10, 10]
    assert dataset.num_classes == 3


def test_synthetic_without_test_examples_has_no_test_split():
    dataset = Synthetic(num_test_examples=0).load(None)
    assert dataset.test_images is None
    assert dataset.test_labels is None


def test_synthetic_classes_can_be_told_apart_by_the_nearest_mean_and_less_so_with_more_noise():
    def accuracy(noise):
        data = Synthetic(noise=noise).load(None)
        train = data.train_images.reshape(len(data.train_images), -1).astype(float)
        test = data.test_images.reshape(len(data.test_images), -1).astype(float)
        means = np.stack([train[data.train_labels == c].mean(0) for c in range(4)])
        nearest = ((test[:, None] - means) ** 2).sum(2).argmin(1)
        return (nearest == data.test_labels).mean()

    assert accuracy(0.25) > 0.95
    assert accuracy(8.0) < accuracy(0.25)


def test_synthetic_seeds_make_other_patterns():
    one, other = Synthetic().load(None), Synthetic(synthetic_seed=1).load(None)
    assert not np.array_equal(one.train_images, other.train_images)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_classes", 1),
        ("image_size", 2),
        ("num_channels", 0),
        ("num_test_examples", -1),
        ("num_examples", 3),
        ("noise", -0.1),
    ],
)
def test_a_synthetic_field_out_of_range_is_refused_by_its_name(field, value):
    with pytest.raises(ValueError, match=rf"^{field} must .*got {value}"):
        Synthetic(**{field: value})
