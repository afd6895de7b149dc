"""What ends an upload before its last line. The lines that were acknowledged before are stored.

* UploadStopped
  + UploadInterrupted
    x UploadTaken
  + UploadRefused
    x UploadDiffers
"""


class UploadStopped(Exception):
    """The rest of the upload is not read.

    Args:
        reason: What is wrong and how to mend it, for the caller to read.
    """

    status = "refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UploadInterrupted(UploadStopped):
    """Something was away. The same body, sent again under the same name, goes on."""

    status = "interrupted"


class UploadTaken(UploadInterrupted):
    """Another request goes on with the same upload, as one whose client has left may do for a moment."""

    def __init__(self) -> None:
        super().__init__("Another request goes on with this upload; send the same again when that has ended.")


class UploadRefused(UploadStopped):
    """The body cannot be read on, whenever it is sent."""


class UploadDiffers(UploadRefused):
    """The body begins otherwise than the one that was sent under this name before."""

    def __init__(self) -> None:
        super().__init__(
            "This body begins otherwise than the one sent under this Idempotency-Key before; give it a key of its own."
        )
