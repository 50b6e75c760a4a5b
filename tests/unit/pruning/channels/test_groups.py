"""Channel groups as values: masks, counts and slices of kept groups, and back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from study.pruning.channels.groups import Axes, ChannelGroups
from study.pruning.mask import Mask


def ids(*values: int) -> Tensor:
    return torch.tensor(values)


# Images of 2 channels → conv of 3 → depthwise conv → linear on 2×1 pixels → 2 logits.
GROUPS = ChannelGroups(
    axes={
        "conv.weight": Axes(ids(0, 1, 2), None),
        "conv.bias": Axes(ids(0, 1, 2), None),
        "depthwise.weight": Axes(ids(0, 1, 2), None),
        "hidden.weight": Axes(ids(3, 4, -1, 5), ids(0, 0, 1, 1, 2, 2)),
        "fc.weight": Axes(None, ids(3, 4, -1, 5)),
    },
    sets=ids(0, 0, 0, 1, 1, 1),
    sizes={
        "conv.weight": torch.Size((3, 2, 3, 3)),
        "depthwise.weight": torch.Size((3, 1, 3, 3)),
        "hidden.weight": torch.Size((4, 6)),
        "fc.weight": torch.Size((2, 4)),
        "elsewhere.weight": torch.Size((1, 2)),  # no group reaches it
    },
)


def kept(*groups: int) -> Tensor:
    flags = torch.zeros(6, dtype=torch.bool)
    flags[list(groups)] = True
    return flags


# Some channel of each layer is left.
KEPT = st.lists(st.booleans(), min_size=6, max_size=6).map(torch.tensor).filter(
    lambda flags: bool(flags[:3].any())
)  # fmt: skip


def test_a_weight_is_kept_where_its_rows_and_its_columns_group_are() -> None:
    mask = GROUPS.mask(kept(0, 2, 4))
    assert mask.tensors["conv.weight"][:, 0, 0, 0].tolist() == [True, False, True]
    assert mask.tensors["conv.weight"].sum() == 2 * 2 * 9
    expected = torch.zeros(4, 6, dtype=torch.bool)
    expected[1:3] = torch.tensor([True, True, False, False, True, True])
    assert torch.equal(mask.tensors["hidden.weight"], expected)
    assert mask.tensors["fc.weight"].tolist() == [[False, True, True, False]] * 2
    assert mask.tensors["elsewhere.weight"].all()


@given(KEPT)
def test_the_count_is_the_masks_and_the_mask_says_which_groups_are_kept(flags: Tensor) -> None:
    mask = GROUPS.mask(flags)
    assert GROUPS.count(flags) == mask.num_kept
    assert torch.equal(GROUPS.kept_in(mask), flags)
    as_in_a_file = Mask(dict(reversed(mask.tensors.items())))
    assert torch.equal(GROUPS.kept_in(as_in_a_file), flags)


def test_everything_is_the_dense_network() -> None:
    assert GROUPS.num_groups == 6
    assert GROUPS.num_sets == 2
    assert GROUPS.mask(GROUPS.everything()).is_dense


def test_slices_are_the_indices_that_are_left() -> None:
    rows, columns = GROUPS.slices("hidden.weight", kept(0, 2, 4))
    assert rows is not None
    assert columns is not None
    assert rows.tolist() == [1, 2]
    assert columns.tolist() == [0, 1, 4, 5]
    assert GROUPS.slices("elsewhere.weight", kept(0)) == (None, None)
    assert GROUPS.slices("conv.bias", kept(1))[1] is None


def test_a_mask_of_parts_of_channels_or_of_other_layers_is_refused() -> None:
    mask = GROUPS.mask(kept(0, 1, 4))
    mask.tensors["conv.weight"][0, 0, 0, 0] = False
    with pytest.raises(ValueError, match="parts of channels"):
        GROUPS.kept_in(mask)
    with pytest.raises(ValueError, match="is not one of"):
        GROUPS.kept_in(Mask({"conv.weight": mask.tensors["conv.weight"]}))
