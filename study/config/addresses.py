"""Where a Ray cluster is, as a user says it."""

import re

LOCAL = "local"
AUTO = "auto"
_HOST_AND_PORT = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")


def ray_address(value: str) -> str:
    """The address of a cluster: ``auto``, ``HOST:PORT``, or ``local`` for a Ray of our own.

    Raises:
        ValueError: It is none of these; says what to do instead.
    """
    if value in (LOCAL, AUTO):
        return value
    if "://" in value:
        raise ValueError(_other_protocol(value.partition("://")[0]))
    match = _HOST_AND_PORT.fullmatch(value)
    if match is None or int(match[2]) > 65535:
        raise ValueError(
            f"must be auto (the cluster that this machine is a node of), HOST:PORT of a Ray head "
            f"(its port is 6379 by default), or local, got {value[:80]!r}"
        )
    return value


def _other_protocol(name: str) -> str:
    submit = "submit the study from here: ray job submit --working-dir . -- app-study launch …"
    if name == "ray":
        return (
            f"is a Ray client's address. Under Ray client the search would run on the cluster, "
            f"away from the study's record and from this display; {submit} (or call app-study on "
            f"a node of the cluster, with --address auto)"
        )
    return (
        f"is the address of a {name} server, such as Ray's dashboard, and no cluster's; with it, "
        f"{submit}"
    )
