"""What can go wrong with the search service.

* NotFound
  + ItemNotFound        404
* Conflict
  + SpaceMismatchError  409
* Forbidden
  + ForeignTenant       403
"""

from mlplatform.errors import Conflict, Forbidden, NotFound


class ItemNotFound(NotFound):
    """The tenant has no such item."""

    code = "item_not_found"


class SpaceMismatchError(Conflict):
    """The query was embedded by other weights than the index."""

    code = "embedding_space_mismatch"


class ForeignTenant(Forbidden):
    """The request names another tenant than the caller's."""

    code = "foreign_tenant"
