"""What can be wrong with a study, for its user."""


class StudyError(RuntimeError):
    """Something about a study that its user can mend; the message says how."""


class RayDiedError(BaseException):
    """Ray is gone from under the study.

    No Exception, for which Tune would first wait for its actors: before that is over Ray ends the
    whole process, without a word.
    """
