"""Puts the parts together that deliver webhooks."""

from pydantic import SecretStr

from mlplatform.database import Database
from services.model_serving.batch.settings import BatchSettings
from services.model_serving.batch.webhook.deliverer import Deliverer
from services.model_serving.batch.webhook.networks import Networks
from services.model_serving.batch.webhook.sender import Sender


def make_deliverer(database: Database, settings: BatchSettings, secret: SecretStr) -> Deliverer:
    """Return what delivers with the operator's settings."""
    networks = Networks(settings.batch_webhook_networks)
    return Deliverer(
        database,
        Sender(networks, timeout=settings.batch_webhook_timeout),
        secret=secret.get_secret_value().encode(),
        networks=networks,
        ports=settings.batch_webhook_ports,
        timeout=settings.batch_webhook_timeout,
        poll=settings.batch_poll_interval,
    )
