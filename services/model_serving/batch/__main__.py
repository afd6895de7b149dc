"""`python -m services.model_serving.batch` works on batch jobs."""

from mlplatform.service import run_service
from services.model_serving.process import prepare_process
from services.model_serving.settings import ServingSettings

NAME = "batch"


def main() -> None:
    """Work until told to stop."""
    settings = ServingSettings()
    prepare_process()
    # numpy reads the number of its threads when it is imported, so nothing may import it before the line above.
    from services.model_serving.batch.app import create_app  # noqa: PLC0415 (the reason is above)

    run_service(lambda: create_app(settings), settings, settings.batch_port, name=NAME)


if __name__ == "__main__":
    main()
