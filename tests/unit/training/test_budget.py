import pytest

from study.training.budget import Budget, Cost

ONE = Cost(1, 300)


def test_megabatches_share_the_examples_in_proportion_to_what_they_train_on() -> None:
    budget = Budget("samples", 600, (10, 20, 30), 3)
    assert budget.planned_samples([0, 0, 0], ONE) == [100, 200, 300]


def test_scoring_is_paid_out_of_the_share_of_its_megabatch() -> None:
    budget = Budget("flops", 600 * 300, (10, 20, 30), 3)
    assert budget.planned_samples([0, 50, 0], ONE) == [100, 150, 300]


def test_a_network_of_half_the_flops_trains_on_twice_the_examples_and_scores_before_its_cut() -> (
    None
):
    budget = Budget("flops", 60_000, (10, 10), 2)
    spent = ONE.times(budget.num_samples(0, spent=Cost(0, 0), scoring=Cost(0, 0), each=ONE))
    assert spent == Cost(100, 30_000)
    scoring = ONE.times(20)
    assert budget.num_samples(1, spent=spent, scoring=scoring, each=Cost(1, 150)) == 160


def test_too_few_examples_are_refused_with_the_least_number_that_is_enough() -> None:
    budget = Budget("samples", 3, (10, 20, 30), 3)
    with pytest.raises(ValueError, match=r"training\.total_samples = 3 .*At least 12 are") as e:
        budget.planned_samples([0, 0, 0], ONE)
    assert "stream.num_megabatches = 3" in str(e.value)


def test_too_few_flops_are_refused_with_what_an_example_and_the_scoring_take() -> None:
    budget = Budget("flops", 9_000, (10, 10, 10), 3)
    with pytest.raises(ValueError, match=r"training\.total_flops = 9,000 leaves megabatch 1") as e:
        budget.planned_samples([0, 9, 0], ONE)
    assert "its share is 3,000 FLOPs, of which scoring its weights takes 2,700" in str(e.value)
    assert "an example takes 300. At least 9,900 are needed" in str(e.value)
    assert min(Budget("flops", 9_900, (10, 10, 10), 3).planned_samples([0, 9, 0], ONE)) == 2
