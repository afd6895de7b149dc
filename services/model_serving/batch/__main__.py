"""`python -m services.model_serving.batch` works on batch jobs.

This process holds leases and no models: what those need is imported by the processes that score.
"""

import signal
import sys
from types import FrameType

from mlplatform.service import Fault, run_service
from mlplatform.service.fault import EXIT_STATUS
from services.model_serving.batch.app import NAME, create_app
from services.model_serving.settings import ServingSettings


def main() -> None:
    """Work until told to stop, or until something that it is there for has ended by itself."""
    fault = Fault()

    def end(_number: int, _frame: FrameType | None) -> None:
        """End with status 0, as whoever told a worker to end has not seen it fail, unless it has failed."""
        sys.exit(EXIT_STATUS if fault.has_happened else 0)

    signal.signal(signal.SIGTERM, end)  # uvicorn hands it on to who was there before, once the worker has drained
    settings = ServingSettings()
    run_service(lambda: create_app(settings, fault), settings, settings.batch_port, name=NAME, fault=fault)


if __name__ == "__main__":
    main()
