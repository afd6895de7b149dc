"""Where a process that scores begins.

The process that holds the leases imports this to name it, and nothing of what scoring needs.
"""

from multiprocessing.connection import Connection

from services.model_serving.settings import ServingSettings


def main(connection: Connection, settings: ServingSettings) -> None:
    """Score until the other end is closed."""
    from services.model_serving.batch.scoring.child import run  # noqa: PLC0415 (heavy, and there in a fork already)

    run(connection, settings)
