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


def without_credentials(text: str) -> str:
    """``text`` with user, password and tokens of every address in it replaced by ``***``."""
    hidden = _USER_INFO.sub(rf"\g<scheme>{_REDACTED}@", text)
    return _SECRET_QUERY.sub(rf"\g<name>{_REDACTED}", hidden)
