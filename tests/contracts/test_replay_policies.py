"""What every replay policy must do, those of users included."""

import dataclasses
import pickle

import numpy as np
import pytest

from study.data.replay import REPLAY_POLICIES

ARRIVED = [np.array([7, 3, 11]), np.array([2, 9]), np.array([5, 4, 30, 1])]


@pytest.fixture(params=list(REPLAY_POLICIES))
def policy(request):
    return REPLAY_POLICIES.get(request.param)()


def test_a_replay_policy_is_frozen_documented_and_survives_pickling(policy):
    assert type(policy).__dataclass_params__.frozen
    assert type(policy).__doc__
    assert pickle.loads(pickle.dumps(policy)) == policy
    for field in dataclasses.fields(policy):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(policy, field.name, 1)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_replay_policy_chooses_each_at_most_once_and_only_what_has_arrived(policy, k):
    chosen = policy.select(ARRIVED[:k], seed=3)
    assert chosen.dtype == np.int64
    assert len(np.unique(chosen)) == len(chosen)
    assert set(chosen.tolist()) <= set(np.concatenate(ARRIVED[:k]).tolist())
    assert set(ARRIVED[k - 1].tolist()) <= set(chosen.tolist())


def test_a_replay_policy_answers_the_same_again_and_leaves_its_input_alone(policy):
    arrived = [part.copy() for part in ARRIVED]
    for part in arrived:
        part.flags.writeable = False
    once = policy.select(arrived, seed=3)
    once_more = policy.select(tuple(arrived), seed=3)
    assert np.array_equal(once, once_more)
    once[:] = -1
    assert all(np.array_equal(a, b) for a, b in zip(arrived, ARRIVED, strict=True))
