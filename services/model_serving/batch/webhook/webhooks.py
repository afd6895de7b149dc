"""Webhooks as those see them who submit jobs."""

from uuid import UUID

from psycopg.rows import DictRow

from mlplatform.audit import AuditLog
from mlplatform.auth import Principal
from mlplatform.database import Database
from mlplatform.errors import NotFound
from services.model_serving.batch.settings import BatchSettings
from services.model_serving.batch.webhook import repository
from services.model_serving.batch.webhook.errors import InvalidWebhook
from services.model_serving.batch.webhook.networks import Networks
from services.model_serving.batch.webhook.signature import tenant_key
from services.model_serving.batch.webhook.target import read_target


class Webhooks:
    """Checks addresses, and shows what became of deliveries.

    Args:
        database: Where the deliveries are.
        audit: Who read the key.
        settings: Which addresses are allowed.
    """

    def __init__(self, database: Database, audit: AuditLog, settings: BatchSettings) -> None:
        self._database = database
        self._audit = audit
        self._secret = settings.batch_webhook_secret
        self._ports = settings.batch_webhook_ports
        self._networks = Networks(settings.batch_webhook_networks)

    def check(self, url: str | None) -> None:
        """Refuse an address that would never be called.

        Raises:
            InvalidWebhook: It is none, or webhooks are off.
        """
        if url is None:
            return
        if self._secret is None:
            raise InvalidWebhook("is off here: the operator has to set ML_BATCH_WEBHOOK_SECRET")
        read_target(url, ports=self._ports, networks=self._networks)

    async def read_key(self, principal: Principal) -> str:
        """Return the key that the webhooks of the caller's tenant are signed with, and note who read it.

        Raises:
            NotFound: Webhooks are off.
        """
        if self._secret is None:
            raise NotFound("Webhooks are off here: the operator has to set ML_BATCH_WEBHOOK_SECRET.")
        await self._audit.record(action="webhook_key.read", resource="webhook key", principal=principal)
        return tenant_key(self._secret.get_secret_value().encode(), principal.tenant)

    async def of_job(self, tenant: str, job: UUID) -> list[DictRow]:
        """Return the deliveries of a job of a tenant, newest first."""
        async with self._database.transaction(tenant) as connection:
            return await repository.of_job(connection, job)
