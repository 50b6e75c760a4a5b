"""What planned configurations with several seeds say against dense, in sentences."""

from collections.abc import Sequence

from analysis.comparison.comparisons import Comparison
from analysis.comparison.measure import Measure
from analysis.comparison.planned_verdicts import Planned, PlannedSequence
from analysis.presentation.method_differences import with_sign
from analysis.wording import label, margin_words
from study.text import count


def planned_sentences(
    found: Sequence[PlannedSequence], measure: Measure, margin: float
) -> list[str]:
    """A sentence for each setting: the smallest configuration that is as good as dense."""
    return [_sentence(sequence, measure, margin) for sequence in found]


def _sentence(sequence: PlannedSequence, measure: Measure, margin: float) -> str:
    largest, smallest = sequence.tested[0], sequence.smallest
    at = f"at a margin of {margin_words(margin)}"
    where = _where(largest.service)
    if smallest is not None:
        return (
            f"The smallest configuration that is as good as dense {at}{where}: "
            f"{_errors(smallest, measure)}."
        )
    few = largest.service.result.num_pairs
    why = (
        f" {count(few, 'pair')} cannot decide that: {sequence.pairs_needed} would."
        if few < sequence.pairs_needed
        else ""
    )
    return (
        f"No configuration is shown to be as good as dense {at}{where}. The largest: "
        f"{_errors(largest, measure)}.{why}"
    )


def _where(comparison: Comparison) -> str:
    t = f"T = {comparison.num_megabatches}" if comparison.num_megabatches else ""
    return f", {', '.join(filter(None, (comparison.architecture, t)))}"


def _errors(one: Planned, measure: Measure) -> str:
    service, final = one.service.result, one.final.result
    return (
        f"{one.service.a}, {one.service.density} of the weights, {label(measure.service)} "
        f"{with_sign(service.estimate, measure.service, service.interval())}, "
        f"{label(measure.final)} {with_sign(final.estimate, measure.final, final.interval())}, "
        f"in {count(service.num_pairs, 'pair')} of one seed"
    )
