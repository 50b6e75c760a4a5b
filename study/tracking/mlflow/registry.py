"""The Model Registry of an MLflow store: versions of a model, and the alias of the one in use."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.exceptions import MlflowException

from study.tracking import names
from study.tracking.facts import ModelInfo
from study.tracking.mlflow.experiment import mlflow_errors_translated
from study.tracking.mlflow.logged_models import log_model
from study.tracking.mlflow.runs import MlflowStore
from study.tracking.tracker import TrackingError

_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_VERSIONS_TAG = "mlflow.modelVersions"  # by which MLflow's pages link a model with its versions


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model."""

    name: str
    version: str
    tags: Mapping[str, str]


class MlflowRegistry(MlflowStore):
    """Registers models of the trials in an MLflow experiment.

    Raises:
        TrackingError: The store cannot be opened; by any method, it fails.
    """

    @mlflow_errors_translated
    def with_alias(self, name: str, alias: str) -> RegisteredVersion | None:
        """The version that has the alias; None where there is none."""
        try:
            found = self._client.get_model_version_by_alias(name, alias)
        except MlflowException as error:
            if error.error_code in _NOT_THERE:
                return None
            raise
        return RegisteredVersion(name, str(found.version), found.tags)

    @mlflow_errors_translated
    def register(
        self,
        model: ModelInfo,
        *,
        run_tags: Mapping[str, str],
        name: str,
        tags: Mapping[str, str],
        alias: str | None = None,
    ) -> RegisteredVersion:
        """Log the model to the run that made it, and make it the newest version of ``name``.

        Args:
            model: Its files.
            run_tags: By which the run is found.
            name: Of the registered model; created where there is none.
            tags: Of the version.
            alias: To be moved to the new version, once it is whole.

        Raises:
            TrackingError: There is no such run.
        """
        runs = self.find(run_tags)
        if not runs:
            raise TrackingError(
                f"{self.address} has no run of this trial; give the store that the study was "
                "logged to with --tracking-uri"
            )
        run_id = runs[0].run_id
        model_tags = {**run_tags, names.TAG_MODEL: names.MODEL_EXPORTED}
        logged = log_model(
            self._client, self._experiment_id, model, run_id=run_id, tags=model_tags
        )
        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        # The place, not models:/ID, which MLflow would look up in its process-wide store.
        created = self._client.create_model_version(
            name,
            logged.artifact_location,
            run_id=run_id,
            tags=dict(tags),
            model_id=logged.model_id,
        )
        version = str(created.version)
        linked = json.dumps([{"name": name, "version": version}])
        self._client.set_logged_model_tags(logged.model_id, {_VERSIONS_TAG: linked})
        if alias is not None:
            self._client.set_registered_model_alias(name, alias, version)
        return RegisteredVersion(name, version, dict(tags))
