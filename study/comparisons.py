"""What comparisons of methods rest on, before a study and after it: settings, pairs, and a level.

A comparison is made within pairs of one seed, by an exact test of signs, with Holm's adjustment
over all that are made together.
"""

import math

# How often something false may be said of any of the comparisons that are made together.
SIGNIFICANCE = 0.05

# Equal in two sides of a comparison: the task, but for where its data lies, and the examples.
TASK_SECTIONS = ("data.", "model.", "stream.")
PLACES_OF_DATA = ("data.root", "data.download")
EQUAL_SAMPLES = 0.01  # relative: a megabatch's last mini-batch may be short

# What belongs to the method; the rest is the setting that it is tried in.
METHOD_SECTIONS = ("pruning.", "saliency.")
# How much is pruned is no part of the method: it is measured as density.
HOW_MUCH = frozenset({"pruning.final_density", "pruning.tau", "pruning.rate", "pruning.densities"})
# In the method's own name.
NAMED = frozenset({"pruning.schedule", "pruning.reference_compat"})


def smallest_p(num_pairs: int) -> float:
    """The smallest two-sided p that so many pairs can give: 2/2ⁿ, all differences one way."""
    return min(1.0, 2.0 ** (1 - num_pairs))


def pairs_needed(num_comparisons: int = 1) -> int:
    """How many pairs it takes for p below 0.05 to be possible, by Holm over the comparisons."""
    return math.floor(1 + math.log2(num_comparisons / SIGNIFICANCE)) + 1
