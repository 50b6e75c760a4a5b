"""Whether a new model may take the place of the one that is in use."""

from collections.abc import Mapping

from study.export.card import ModelCard
from study.export.info import version_tags
from study.tracking import names


def is_same_model(card: ModelCard, tags: Mapping[str, str]) -> bool:
    """Whether a registered version with these tags is the model of this card already."""
    own = version_tags(card)
    same = (names.TAG_STUDY, names.TAG_TRIAL_KEY, names.TAG_MEGABATCH, "format")
    return all(tags.get(name) == own[name] for name in same)


def refusal(card: ModelCard, tags: Mapping[str, str]) -> str:
    """Why the version with these tags stays in its place; empty where the new model may have it.

    The new one may have it if its error rate on the holdout is not higher, the holdout being the
    same images.
    """
    own = version_tags(card)
    new, old = own.get(names.TAG_HOLDOUT_ERROR), tags.get(names.TAG_HOLDOUT_ERROR)
    if new is None or old is None:
        which = "the new model" if new is None else "the one in use"
        return f"{which} has no error rate on a holdout, by which the two could be compared"
    if own[names.TAG_HOLDOUT] != tags.get(names.TAG_HOLDOUT):
        return (
            f"its error rate of {float(new):.4g} and the {float(old):.4g} of the one in use were "
            f"measured on different holdouts, and say nothing of each other"
        )
    if float(new) > float(old):
        return (
            f"the new model's error rate on the holdout is {float(new):.4g}, that of the one in "
            f"use {float(old):.4g}"
        )
    return ""
