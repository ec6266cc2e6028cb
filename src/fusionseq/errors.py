"""The one exception that a person can mend."""


class PipelineError(Exception):
    """What happened, what was expected and how to mend it, in one line."""
