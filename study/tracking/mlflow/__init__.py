"""A study in MLflow.

What MLflow reads when it is imported is set here, before any module of ours imports it. Each can
be set otherwise in the environment.
"""

import os

# A study reports to nobody but its user's store, and on closing a run MLflow would print its
# address, password included.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# A call that fails is made again by the study itself; seven times over minutes is too long.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
