"""What can be wrong with what was uploaded.

* PlatformError
  + PayloadTooLarge
    x UploadTooLarge      413  a file, the files together, or what an archive unpacks to
  + UnsupportedMediaType
    x UnknownContent      415  the content is nothing that can be scored
  + Unprocessable
    x BadArchive          422  an archive that is broken, or made to do harm
    x BadForm             422  the form has not the parts that it should have
* FileError                    one file; its item fails, and the others of the job are scored
"""

from mlplatform.errors import PayloadTooLarge, Unprocessable, UnsupportedMediaType


class UploadTooLarge(PayloadTooLarge):
    """A limit of sizes or numbers is broken."""

    code = "upload_too_large"


class UnknownContent(UnsupportedMediaType):
    """The content is of no type that can be scored."""

    code = "unknown_content"


class BadArchive(Unprocessable):
    """The archive is broken, or made to do harm; nothing of it is unpacked."""

    code = "bad_archive"


class BadForm(Unprocessable):
    """The form has not the parts that it should have."""

    code = "bad_form"


class FileError(Exception):
    """A file cannot be scored.

    Attributes:
        code: Kind of the failure.
        detail: What is wrong, for its owner to read.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
