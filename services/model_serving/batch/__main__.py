"""`python -m services.model_serving.batch` works on batch jobs.

This process holds leases and no models: what those need is imported by the processes that score.
"""

from mlplatform.service import Fault, run_service
from services.model_serving.batch.app import NAME, create_app
from services.model_serving.settings import ServingSettings


def main() -> None:
    """Work until told to stop, or until something that it is there for has ended by itself."""
    settings, fault = ServingSettings(), Fault()
    run_service(lambda: create_app(settings, fault), settings, settings.batch_port, name=NAME, fault=fault)


if __name__ == "__main__":
    main()
