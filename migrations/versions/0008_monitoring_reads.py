"""Indexes by which monitoring reads the newest rows only, and the right to move a label to a newer answer.

* ``prediction_log_answers`` takes the place of ``prediction_log_request``: the newest answers under an id come out of
  it in order, so that reading them costs the same however often a caller used the id.
* ``monitoring_windows_history`` is the order in which windows are listed, ``monitoring_windows_age`` finds the newest
  of all models and those to delete.
* The service role may set ``predicted_at`` of a label: under an id that is used again it is of the newer answer.

Building the first index holds writers of the log up; what does not fit into their queues meanwhile is dropped and
counted.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

UP = """
CREATE INDEX prediction_log_answers ON prediction_log (tenant_id, request_id, at) WHERE error IS NULL;
DROP INDEX prediction_log_request;
CREATE INDEX monitoring_windows_history ON monitoring_windows (model, ended_at, version);
CREATE INDEX monitoring_windows_age ON monitoring_windows (ended_at);
GRANT UPDATE (predicted_at) ON prediction_feedback TO ml_app;
"""

DOWN = """
REVOKE UPDATE (predicted_at) ON prediction_feedback FROM ml_app;
DROP INDEX monitoring_windows_age, monitoring_windows_history;
CREATE INDEX prediction_log_request ON prediction_log (tenant_id, request_id);
DROP INDEX prediction_log_answers;
"""


def upgrade() -> None:
    """Create the indexes and give the right."""
    op.execute(UP)


def downgrade() -> None:
    """Go back to the index and the rights of before."""
    op.execute(DOWN)
