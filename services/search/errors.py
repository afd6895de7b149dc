"""What can go wrong with the search service.

* NotFound
  + ItemNotFound        404
  + UploadNotFound      404
  + RerankerMissing     404
* Conflict
  + SpaceMismatchError  409
* Forbidden
  + ForeignTenant       403
* RateLimited
  + TooManyUploads      429
* Unprocessable
  + CursorRefused       422
  + LanguageRefused     422
"""

from mlplatform.errors import Conflict, FieldError, Forbidden, NotFound, RateLimited, Unprocessable


class ItemNotFound(NotFound):
    """The tenant has no such item."""

    code = "item_not_found"


class UploadNotFound(NotFound):
    """The tenant sent no upload under this name, or long ago."""

    code = "upload_not_found"


class RerankerMissing(NotFound):
    """The embedding service has no re-ranker in production. It degrades an answer and never is one."""

    code = "no_reranker"


class SpaceMismatchError(Conflict):
    """The query was embedded by other weights than the index."""

    code = "embedding_space_mismatch"


class ForeignTenant(Forbidden):
    """The request names another tenant than the caller's."""

    code = "foreign_tenant"


class TooManyUploads(RateLimited):
    """The process reads as many uploads as it may, in all or of one tenant."""

    code = "too_many_uploads"

    def __init__(self) -> None:
        super().__init__("Too many uploads come in at once; try again shortly.", headers={"Retry-After": "5"})


class CursorRefused(Unprocessable):
    """The cursor is not one that this query gave.

    Args:
        message: What is wrong with it.
    """

    code = "invalid_cursor"

    def __init__(self, message: str) -> None:
        super().__init__("The cursor cannot be used.", errors=[FieldError("body.cursor", message)])


class LanguageRefused(Unprocessable):
    """The items of an index cannot be indexed in this language.

    Args:
        message: Why not.
    """

    code = "language_refused"

    def __init__(self, message: str) -> None:
        super().__init__("The language cannot be set.", errors=[FieldError("body.language", message)])
