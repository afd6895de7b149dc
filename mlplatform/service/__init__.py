"""What makes a FastAPI application a service of the platform."""

from mlplatform.service.caller import ClientGone, unless_gone
from mlplatform.service.direct import DirectRequest, DirectResponse, DirectRoute
from mlplatform.service.direct_json import json_body, validate_body
from mlplatform.service.factory import create_service
from mlplatform.service.fault import Fault
from mlplatform.service.health import HealthChecks
from mlplatform.service.json_route import JsonResponse, JsonRoute, ServiceRouter, check_content_type
from mlplatform.service.kernel import Kernel, connect_redis, get_kernel, open_kernel
from mlplatform.service.leaving import is_leaving
from mlplatform.service.runner import run_service

__all__ = [
    "ClientGone",
    "DirectRequest",
    "DirectResponse",
    "DirectRoute",
    "Fault",
    "HealthChecks",
    "JsonResponse",
    "JsonRoute",
    "Kernel",
    "ServiceRouter",
    "check_content_type",
    "connect_redis",
    "create_service",
    "get_kernel",
    "is_leaving",
    "json_body",
    "open_kernel",
    "run_service",
    "unless_gone",
    "validate_body",
]
