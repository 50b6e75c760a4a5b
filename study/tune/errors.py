"""What can be wrong with a study, for its user."""


class StudyError(RuntimeError):
    """Something about a study that its user can mend; the message says how."""
