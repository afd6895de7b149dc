"""The decisions on a model, as a service or a gate reads them."""

from mlplatform.database import Database
from mlplatform.database.pages import cut_page, read_cursor
from mlplatform.registry.approvals import repository
from mlplatform.registry.approvals.approval import Approval, read_approval


class ApprovalBook:
    """Reads approvals for a service.

    Args:
        database: The service's pool.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self, model: str, *, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[Approval], str | None]:
        """List a page of the decisions on a model, newest first.

        Returns:
            The decisions, and the cursor of the next page or None.

        Raises:
            InvalidCursor: It is not one of ours.
        """
        before = read_cursor(cursor)
        async with self._database.transaction() as connection:
            rows = await repository.page(connection, model, limit + 1, before)
        page, following = cut_page(rows, limit, "id")
        return [read_approval(row) for row in page], following
