"""Settings as they are tracked: a number, a word, or a list as text."""

from typing import Any

from study.tracking import names

Scalar = str | int | float | bool
# Where files lie on this machine, which is nobody else's.
PATHS = ("data.root", "model.weights")


def as_param(value: Any) -> Scalar:
    """A setting as it is tracked: lists as text, ``none`` for one that a trial has not."""
    if value is None:
        return names.NOT_APPLICABLE
    if isinstance(value, str | int | float | bool):
        return value
    return ",".join(str(part) for part in value) or names.NOT_APPLICABLE
