"""A small study as its trackers are told of it."""

from study.results import EpochRecord, LayerDensity, MegabatchRecord, TrialHistory
from study.tracking.facts import StudyInfo, TrialInfo


def study_info(name="digits", **changes):
    facts = {
        "description": "How small may it be?",
        "config_yaml": f"name: {name}\n",
        "objectives": ("service_error", "final_density"),
        "params": {"budget.num_trials": 2, "objective.service_after": 1.0},
        "fingerprint": "f00d",
    }
    return StudyInfo(name=name, **(facts | changes))


def trial_info(key="a1", number=0, **changes):
    facts = {
        "title": f"app d=0.20 T=2 mlp seed={number}",
        "params": {
            "pruning.schedule": "app",
            "pruning.final_density": 0.2,
            "train.nesterov": True,
        },
        "hyperparameters": {"pruning.final_density": 0.2},
        "tags": {"method": "app", "architecture": "mlp", "dataset": "digits", "fingerprint": key},
        "config_yaml": f"seed: {number}\n",
    }
    return TrialInfo(key=key, number=number, **(facts | changes))


def history(num_megabatches=2, *, of=2, epochs_each=2, offset=0.0):
    """The first ``num_megabatches`` of a trial of ``of``, its values told apart by ``offset``."""
    epochs = tuple(
        EpochRecord(
            k, e, k * epochs_each + e, {"train_loss": 1.0 / (1 + k + e) + offset, "lr": 0.1}
        )
        for k in range(num_megabatches)
        for e in range(epochs_each)
    )
    return TrialHistory(epochs, tuple(_megabatch(k, of, offset) for k in range(num_megabatches)))


def _megabatch(k, of, offset):
    density = 0.5 ** (k + 1)
    return MegabatchRecord(
        megabatch_index=k,
        stream_fraction=(k + 1) / of,
        kept_epoch_index=k % 2,
        metrics={
            "error_rate": 0.5 / (k + 1) + offset,
            "density": density,
            "samples_seen": 100 * k,
        },
        summary={"service_error": 0.3 + offset} if k == of - 1 else {},
        layers=(
            LayerDensity("hidden.weight", 100, int(100 * density), density, density, 1.0, density),
            LayerDensity("out.weight", 10, 5, 0.5, 0.5, 1.0, None),
        ),
    )


def before(whole, step):
    """``whole`` up to its megabatch ``step``, epochs included, as reported on the way."""
    return TrialHistory(
        tuple(e for e in whole.epochs if e.megabatch_index < step), whole.megabatches[:step]
    )
