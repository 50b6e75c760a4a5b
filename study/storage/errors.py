"""What can be wrong with a store at a URL."""


class StorageError(OSError):
    """The store refuses something, or what it holds is not what was written; says where."""


class OvertakenError(StorageError):
    """Somebody else has written, since we last looked, what is ours alone to write."""
