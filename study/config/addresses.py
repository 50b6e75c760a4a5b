"""Where a study's store and a Ray cluster are, as a user writes them."""

import re

from study.credentials import without_credentials

LOCAL = "local"
AUTO = "auto"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_NO_PLACE = re.compile(r"[?#*\[\]\s]|::")
_HOST_AND_PORT = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")


def ray_address(value: str) -> str:
    """The address of a cluster: ``auto``, ``HOST:PORT``, or ``local`` for a Ray of our own.

    Raises:
        ValueError: It is none of these; with what to do instead.
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


def store_address(value: str) -> str:
    """Where studies are to live: a folder's path, or a URL that fsspec has a driver for.

    Raises:
        ValueError: It holds a secret, or what no store can be called; with what to do instead.
    """
    scheme, separator, rest = value.partition("://")
    if not separator:
        return value
    if re.search(r":(?!\d+/)[^@]*@", rest):
        raise ValueError(
            "must hold no password, key or token: it is written into study files and shown at "
            "terminals. Give them to the driver by its own means, such as AWS_PROFILE or "
            "~/.aws/credentials for s3://, GOOGLE_APPLICATION_CREDENTIALS for gs://, an ssh agent "
            "for sftp://"
        )
    if scheme == "memory":
        raise ValueError("is gone with the process that wrote it; give a folder or another URL")
    if not _SCHEME.fullmatch(scheme) or not rest.strip("/") or _NO_PLACE.search(rest):
        raise ValueError(
            f"must be a URL such as s3://bucket/studies, without options, wildcards, blanks and "
            f"chains (::), got {without_credentials(value)[:80]!r}; options are given to the "
            f"driver by its own variables"
        )
    return value
