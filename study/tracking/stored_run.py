"""A run as a store has it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class StoredRun:
    """A study or a trial.

    ``start_time`` is in milliseconds since 1970; of each metric there is the last value.
    """

    run_id: str
    status: str
    start_time: int
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
