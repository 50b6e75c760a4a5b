"""The Ray that a study runs on: a cluster's where one is named, else one of our own."""

import contextlib
import logging
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from study.config.addresses import AUTO, LOCAL, ray_address
from study.errors import StudyError
from study.signals import terminated_as_interrupted
from study.tune.cluster.code_shipping import code_environment
from study.tune.cluster.token import make_token

# Ray reads these when it is imported: it is, below, only once they are set.
RAY_SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",  # our own display, not Tune's
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # results go to the record and to MLflow
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # trial metrics exist at the end only
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative plug-ins and data are the user's
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
# Ray listens on loopback alone where it thinks itself unfit for clusters, as on macOS; elsewhere
# its ports would be open to the network. For a Ray of our own only: a cluster's nodes must meet.
_ON_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
# A Ray that starts has a worker a core begin too. Tune's trials have a runtime environment and get
# workers of their own, so that these would only take the cores from the first trials.
_NO_IDLE_WORKERS = {"RAY_prestart_worker_first_driver": "0"}
_VARIABLE = "RAY_ADDRESS"  # Ray's own; set in what `ray job submit` runs
_PROBE_S = 10
# The searcher decides how many trials may wait; Tune would start their workers one by one.
_CLUSTER_SETTINGS = {**RAY_SETTINGS, "TUNE_MAX_PENDING_TRIALS_PG": "1000000"}
_AUTHENTICATION = (
    "a cluster that asks for a token, as one from `ray start` does, needs RAY_AUTH_MODE=token and "
    "its token in ~/.ray/auth_token, RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"
)
_REMEDY = (
    "app-study must be called on a node of the cluster, or through ray job submit; without "
    "--address, resources.address and RAY_ADDRESS, or with --address local, it starts a Ray of "
    "its own"
)


def chosen_address(requested: str | None) -> str:
    """The cluster's address, or ``local``.

    Args:
        requested: By the command line or the study; else Ray's own variable counts.

    Raises:
        StudyError: The variable holds no cluster's address.
    """
    if requested is not None:
        return requested
    value = os.environ.get(_VARIABLE)
    if not value:
        return LOCAL
    try:
        return ray_address(value)
    except ValueError as error:
        raise StudyError(f"the environment variable {_VARIABLE} {error}") from None


@contextlib.contextmanager
def ray_session(address: str, plugins: Sequence[str]) -> Iterator[None]:
    """Ray while a study runs.

    Args:
        address: From :func:`chosen_address`.
        plugins: Modules of the user's, which a cluster's nodes are sent with our own code.

    Raises:
        StudyError: No cluster can be reached there.
    """
    if address == LOCAL:
        with local_ray():
            yield
        return
    _probe(address)
    with contextlib.ExitStack() as stack:
        session = opened_ray(
            _CLUSTER_SETTINGS,
            address=address,
            runtime_env=code_environment(plugins, RAY_SETTINGS),
        )
        try:
            stack.enter_context(session)
        except ImportError:
            raise
        except Exception as error:  # Ray raises errors of many kinds, of which none is ours
            raise StudyError(
                f"the Ray cluster at {address} cannot be joined: {_first_line(error)}; "
                f"{_AUTHENTICATION}; {_REMEDY}"
            ) from error
        yield


def _probe(address: str) -> None:
    """Check that the address answers: Ray itself tries for minutes."""
    if address == AUTO:
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PROBE_S).close()
    except OSError as error:
        raise StudyError(
            f"there is no Ray cluster at {address} ({error.strerror or error}); {_REMEDY}"
        ) from None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__


@contextlib.contextmanager
def local_ray() -> Iterator[None]:
    """Start Ray on this machine, and end it.

    Raises:
        StudyError: It does not start, as on a machine that is far too busy.
    """
    make_token()
    settings = RAY_SETTINGS | _ON_LOOPBACK | _NO_IDLE_WORKERS
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(opened_ray(settings, address="local", include_dashboard=False))
        except ImportError:
            raise
        except Exception as error:  # Ray raises errors of many kinds, of which none is ours
            raise StudyError(
                f"Ray cannot be started on this machine: {_first_line(error)}; try again when it "
                f"is less busy, or join a cluster with --address"
            ) from error
        yield


@contextlib.contextmanager
def opened_ray(settings: Mapping[str, str], **options: Any) -> Iterator[None]:
    """Ray with these environment variables and options of ``ray.init``, in silence."""
    with tuning(settings):
        import ray

        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
        except Exception:
            ray.shutdown()  # what is left of it
            raise
        # Ray would print its own deaths, log lines included: by its logs, and as errors.
        dispatcher = ray._private.ray_logging.global_worker_stdstream_dispatcher
        dispatcher.remove_handler("ray_print_logs")
        printing = ray._private.worker.print_to_stdstream
        ray._private.worker.print_to_stdstream = lambda *_, **__: None
        try:
            yield
        finally:
            ray.shutdown()
            ray._private.worker.print_to_stdstream = printing


@contextlib.contextmanager
def tuning(settings: Mapping[str, str]) -> Iterator[None]:
    """Ray and Tune as studies need them: set up, silent, ended alike by Ctrl-C and SIGTERM.

    Afterwards the process is as it was. What has a value in the environment keeps it.
    """
    ours = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(ours)
    import ray  # noqa: F401  # it sets the levels of its loggers

    logger = logging.getLogger("ray.tune")
    level = logger.level
    # What goes wrong in a trial is reported as the trial's reason, not as Tune's log.
    logger.setLevel(logging.CRITICAL)
    try:
        with terminated_as_interrupted():
            yield
    finally:
        logger.setLevel(level)
        for name in ours:
            os.environ.pop(name, None)


def is_open() -> bool:
    """Whether this process has started or joined a Ray."""
    ray = sys.modules.get("ray")  # nothing else may import it: its settings come first
    return bool(ray and ray.is_initialized())


def alive_nodes() -> list[dict[str, float]]:
    """CPU and GPU of each node, as Ray counts them."""
    return [node["Resources"] for node in nodes_alive()]


def nodes_alive() -> list[dict[str, Any]]:
    """What Ray knows of each node that is alive."""
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray's
    return [node for node in nodes if node["Alive"]]
