"""Why trials failed, by cause: reasons that differ in numbers alone are one."""

import collections
import re
from collections.abc import Iterable

_NUMBER = re.compile(r"(?<![A-Za-z_])[-+]?(?:\d[\d.,]*(?:e[-+]?\d+)?|nan|inf)\b")


def by_cause(reasons: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """The first reason of each cause and how many there are, the most frequent first."""
    counts: collections.Counter[str] = collections.Counter()
    first: dict[str, str] = {}
    for reason in reasons:
        cause = _NUMBER.sub("#", reason)
        counts[cause] += 1
        first.setdefault(cause, reason)
    return tuple((first[cause], count) for cause, count in counts.most_common())
