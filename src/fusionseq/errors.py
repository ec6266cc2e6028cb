"""What a person can mend."""


class PipelineError(Exception):
    """What happened, what was expected and how to mend it, in one line."""


class BadImageError(PipelineError):
    """The bytes of one image cannot be decoded.

    Attributes
    ----------
    name
        What the image is called.
    reason
        What is wrong with it, in a few words.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"{name}: is not an image that can be decoded ({reason}); repair or remove it, or set "
            "data.on_bad_image: skip in params.yaml."
        )
        self.name = name
        self.reason = reason
