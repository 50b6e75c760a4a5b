from study.results import EpochRecord, LayerDensity, MegabatchRecord, TrialHistory
from tests.helpers.small_trials import trained, trial

LAYER = LayerDensity("conv.weight", 27, 9, 1 / 3, 9 / 27, 1.0, None)


def test_a_history_comes_back_from_json_equal_in_every_field() -> None:
    history = TrialHistory(
        epochs=(EpochRecord(0, 1, 1, {"train_loss": 0.1 + 0.2, "lr": 1e-30}),),
        megabatches=(
            MegabatchRecord(0, 1 / 3, 1, {"density": 1 / 3}, layers=(LAYER,)),
            MegabatchRecord(1, 1.0, 0, {"density": 0.1}, summary={"final_density": 0.1}),
        ),
    )
    assert TrialHistory.from_json(history.to_json()) == history
    assert "\n" not in history.to_json()


def test_the_history_of_a_real_trial_comes_back_equal_to_the_last_bit() -> None:
    history = trained(trial()).history
    assert TrialHistory.from_json(history.to_json()) == history


def test_an_empty_history_comes_back_empty() -> None:
    assert TrialHistory.from_json(TrialHistory().to_json()) == TrialHistory()


def test_the_megabatch_that_sums_up_the_trial_is_the_last() -> None:
    assert MegabatchRecord(1, 1.0, 0, {}, summary={"final_error": 0.1}).is_last
    assert not MegabatchRecord(0, 0.5, 0, {}).is_last
