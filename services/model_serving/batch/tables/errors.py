"""What can be wrong with a table as a whole; a row that is wrong fails by itself."""

from mlplatform.errors import Unprocessable


class TableRefused(Unprocessable):
    """Nothing of a table, or of a chunk of it, can be scored with the model."""

    code = "table_refused"
