"""How to speak of an address, such as a tracking store's, without its password."""

import re

# The second form is a password with a raw slash, which databases take; host:port/path is none.
_USER_INFO = re.compile(
    r"(?P<scheme>[A-Za-z][\w+.-]{0,30}://)"
    r"(?:[^\s/?#'\"]*|[^\s:/?#@'\"]+:(?!\d+[/?#])[^\s@'\"]*)@"
)
_SECRET_QUERY = re.compile(
    r"(?P<name>[?&](?:user|password|passwd|pwd|token|access_token|secret)=)[^&\s'\"]*",
    re.IGNORECASE,
)
_REDACTED = "***"

# The remedy for an address that holds some, where it would be kept, or seen by others.
REFUSED = (
    "holds a user, a password or a token, which would be kept on disk or seen in the list of "
    "processes; leave them out of the address and set MLFLOW_TRACKING_USERNAME and "
    "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, for an MLflow server; for a database "
    "give the whole address in MLFLOW_TRACKING_URI, which is kept nowhere"
)


def holds_credentials(text: str) -> bool:
    """Whether an address in ``text`` has a user, a password or a token in it."""
    return without_credentials(text) != text


def is_redacted(text: str) -> bool:
    """Whether something was left out of it by :func:`without_credentials`."""
    return _REDACTED in text


def without_credentials(text: str) -> str:
    """``text`` with user, password and tokens of every address in it replaced by ``***``."""
    hidden = _USER_INFO.sub(rf"\g<scheme>{_REDACTED}@", text)
    return _SECRET_QUERY.sub(rf"\g<name>{_REDACTED}", hidden)
