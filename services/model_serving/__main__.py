"""`python -m services.model_serving` runs the service."""

from collections.abc import Callable

from fastapi import FastAPI

from mlplatform.service import run_service
from mlplatform.service.processes import run_processes
from services.model_serving.process import after_fork, prepare_process
from services.model_serving.settings import ServingSettings

NAME = "serving"


def main() -> None:
    """Serve until told to stop, with as many processes as the settings say."""
    settings = ServingSettings()
    if settings.serving_processes == 1:
        run_service(prepare(settings, share=False), settings, settings.serving_port, name=NAME)
        return
    run_processes(
        lambda share: prepare(settings, share=share),
        settings,
        settings.serving_port,
        name=NAME,
        processes=settings.serving_processes,
        renew_after=settings.serving_renew_after,
    )


def prepare(settings: ServingSettings, *, share: bool) -> Callable[[], FastAPI]:
    """Set the process up, and return what makes the application, in it or in forks of it.

    Args:
        settings: of the service.
        share: whether to load the models in production now, for forks to share them.
    """
    prepare_process()
    # numpy reads the number of its threads when it is imported, so nothing may import it before the line above.
    from services.model_serving.app import create_app  # noqa: PLC0415 (the reason is above)
    from services.model_serving.versions.image import load_image  # noqa: PLC0415 (as well)

    image = load_image(settings) if share else None

    def make() -> FastAPI:
        after_fork()
        return create_app(settings, image)

    return make


if __name__ == "__main__":
    main()
