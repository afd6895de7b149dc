"""What tells a receiver that a webhook is ours, and when it was sent.

The signature is the HMAC-SHA256 of "timestamp.body" with the key of the tenant. That key comes of the operator's secret
and the tenant's name, so no key is stored, and none of them tells about another.
"""

import hashlib
import hmac

ID, TIMESTAMP, SIGNATURE = "ML-Webhook-Id", "ML-Webhook-Timestamp", "ML-Webhook-Signature"
SCHEME = "v1="


def tenant_key(secret: bytes, tenant: str) -> str:
    """Return the key of a tenant, as hexadecimal digits; these are the key, as text."""
    return hmac.new(secret, b"ml.batch.webhook\0" + tenant.encode(), hashlib.sha256).hexdigest()


def sign(key: str, timestamp: int, body: bytes) -> str:
    """Return the value of the signature's header.

    Args:
        key: Of the tenant.
        timestamp: Seconds since 1970.
        body: As it is sent.
    """
    return SCHEME + hmac.new(key.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()
