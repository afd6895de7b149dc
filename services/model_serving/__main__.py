"""`python -m services.model_serving` runs the service."""

from fastapi import FastAPI

from mlplatform.service import run_service
from services.model_serving.process import prepare_process
from services.model_serving.settings import ServingSettings

NAME = "serving"


def main() -> None:
    """Serve until told to stop."""
    prepare_process()
    settings = ServingSettings()

    def factory() -> FastAPI:
        # numpy reads the number of its threads when it is imported, so nothing may import it before the lines above.
        from services.model_serving.app import create_app  # noqa: PLC0415 (the reason is above)

        return create_app(settings)

    run_service(factory, settings, settings.serving_port, name=NAME)


if __name__ == "__main__":
    main()
