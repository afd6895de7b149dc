"""Promotes a version and is killed after one step: `python -m tests.integration.registry.crash MODEL VERSION STEP`."""

import asyncio
import os
import signal
import sys
from functools import partial

from mlplatform.audit import AuditLog
from mlplatform.database import Database
from mlplatform.objects import ObjectStore
from mlplatform.registry.promotion import Promoter
from mlplatform.registry.publication import publish_outbox
from mlplatform.registry.registry import Registry
from mlplatform.registry.request import PromotionRequest
from mlplatform.registry.settings import PromotionSettings
from mlplatform.registry.stages import Stage
from mlplatform.registry.steps import Step


def main(model: str, version: str, fatal: str) -> None:
    """Promote until the step is done."""

    def die(step: Step) -> None:
        if step == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = PromotionSettings()
    promoter = Promoter(
        settings,
        Registry(settings.mlflow_url),
        ObjectStore(settings),
        AuditLog(Database(settings.database_url.get_secret_value())),
        publish=partial(publish_outbox, settings),
        observe=die,
    )
    asyncio.run(promoter.promote(PromotionRequest(model=model, stage=Stage.PRODUCTION, version=version, actor="ada")))


if __name__ == "__main__":
    main(*sys.argv[1:])
