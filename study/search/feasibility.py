"""What is known of a trial's constraints, before and after its end."""

from study.config.trial import TrialConfig, parse_trial
from study.constraints import Constraint, allows_all
from study.metrics import METRICS
from study.results import MegabatchRecord, Outcome
from study.store.record import RecordedTrial
from study.trial.assembly import exact_density


def violations(recorded: RecordedTrial, constraints: tuple[Constraint, ...]) -> dict[str, float]:
    """Constraint → how far it is broken, at most 0 where it is kept.

    Of a complete trial all of them; of another those that it is known to break.
    """
    if not constraints or recorded.outcome is None:
        return {}
    if recorded.outcome is Outcome.COMPLETE:
        values = recorded.final_values
        return {str(c): c.violation(values.get(c.metric, float("nan"))) for c in constraints}
    newest = recorded.history.megabatches[-1:]
    return broken(parse_trial(recorded.config), newest, constraints)


def broken(
    trial: TrialConfig,
    newest: tuple[MegabatchRecord, ...],
    constraints: tuple[Constraint, ...],
) -> dict[str, float]:
    """The constraints that a trial is certain to break at its end, and how far.

    Args:
        trial: Its configuration.
        newest: The last megabatch that it has reported, if any.
        constraints: The study's.
    """
    sure: dict[str, float] = {}
    density = exact_density(trial)
    if density is not None:
        sure["final_density"] = density
    for megabatch in newest:
        # Once above a bound, always above it.
        sure |= {name: v for name, v in megabatch.metrics.items() if _grows(name)}
    return {
        str(c): c.violation(sure[c.metric])
        for c in constraints
        if c.metric in sure
        and c.violation(sure[c.metric]) > 0
        and (c.symbol == "<=" or not _grows(c.metric))
    }


def _grows(name: str) -> bool:
    return name in METRICS and METRICS[name].grows


def may_win(recorded: RecordedTrial, constraints: tuple[Constraint, ...]) -> bool:
    """Whether a trial is complete and keeps every constraint."""
    if recorded.outcome is not Outcome.COMPLETE:
        return False
    return allows_all(constraints, recorded.final_values)
