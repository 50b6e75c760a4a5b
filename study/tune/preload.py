"""What every worker process imports as it starts, while the driver is still at other things."""

# The first optimiser of a process needs it, and it takes a second: here, not in a trial.
import torch._dynamo  # noqa: F401  # as said

import study.tune.trainable  # noqa: F401  # imported for the trials to come
from study.plugins import load_builtin_plugins

load_builtin_plugins()
