"""What every worker process imports as it starts, while the driver is still at other things."""

import torch._dynamo  # a second, which the first optimiser would take in the midst of a trial

import study.tune.trainable  # noqa: F401  # imported for the trials to come
from study.plugins import load_builtin_plugins

load_builtin_plugins()
