"""fp32 is fp32: the flags that make a GPU multiply so, set and put back on any machine."""

import torch

from study.training.precision import exact_fp32


def may_round() -> tuple[bool, bool]:
    return (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)


def test_a_gpu_multiplies_fp32_exactly_within_and_as_before_afterwards() -> None:
    before = may_round()
    with exact_fp32(torch.device("cuda")):
        assert may_round() == (False, False)
    assert may_round() == before == (True, False)  # torch's own


def test_on_a_cpu_nothing_is_set() -> None:
    before = may_round()
    with exact_fp32(torch.device("cpu")):
        assert may_round() == before
