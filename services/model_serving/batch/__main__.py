"""`python -m services.model_serving.batch` works on batch jobs.

This process holds leases and no models: what those need is imported by the processes that score.
"""

from mlplatform.service import run_service
from services.model_serving.batch.app import NAME, create_app
from services.model_serving.settings import ServingSettings


def main() -> None:
    """Work until told to stop."""
    settings = ServingSettings()
    run_service(lambda: create_app(settings), settings, settings.batch_port, name=NAME)


if __name__ == "__main__":
    main()
