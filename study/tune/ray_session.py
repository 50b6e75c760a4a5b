"""The Ray that a study runs on: a cluster's where one is named, else one of our own."""

import contextlib
import os
import socket
from collections.abc import Iterator, Sequence

from study.config.addresses import AUTO, LOCAL, ray_address
from study.tune.errors import StudyError
from study.tune.local_ray import RAY_SETTINGS, local_ray, opened_ray
from study.tune.shipping import code_environment

_VARIABLE = "RAY_ADDRESS"  # Ray's own; set in what `ray job submit` runs
_PROBE_S = 10
# The searcher says how many trials may wait; Tune would start their workers one by one.
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


def chosen_address(asked: str | None) -> str:
    """The cluster's address, or ``local``.

    Args:
        asked: By the command line or the study; else Ray's own variable counts.

    Raises:
        StudyError: The variable holds no cluster's address.
    """
    if asked is not None:
        return asked
    given = os.environ.get(_VARIABLE)
    if not given:
        return LOCAL
    try:
        return ray_address(given)
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
        except Exception as error:  # Ray raises errors of many kinds, of which none is ours
            raise StudyError(
                f"the Ray cluster at {address} cannot be joined: {_first_line(error)}; "
                f"{_AUTHENTICATION}; {_REMEDY}"
            ) from error
        yield


def _probe(address: str) -> None:
    """Make sure that somebody listens: Ray itself tries for minutes."""
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
