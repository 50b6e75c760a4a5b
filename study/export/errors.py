"""What goes wrong on the way out."""


class ExportError(RuntimeError):
    """A model that cannot be exported, registered or replaced; says why and what to do."""
