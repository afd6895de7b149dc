"""The command to type next."""

from mlplatform.registry.model_version import ModelVersion
from mlplatform.settings import PlatformSettings


def predict_command(settings: PlatformSettings, version: ModelVersion) -> str:
    """Give the line that fetches the version's own input example from the serving service and predicts with it.

    Args:
        settings: Where the service is, and whether callers need a token.
        version: The version that was promoted.
    """
    token = ' -H "Authorization: Bearer $TOKEN"' if settings.auth_enabled else ""
    api = f"{settings.serving_url}/api/v1"
    example = f"curl -s{token} {api}/models/{version.name}/versions/{version.version}/example"
    return f"{example} | curl -s{token} {api}/predict -H 'content-type: application/json' -d @-"
