"""The signature of a webhook."""

import hashlib
import hmac

from services.model_serving.batch.webhook.signature import sign, tenant_key

SECRET = b"a secret of the operator, of some length"


class TestSign:
    def test_a_receiver_needs_nothing_of_ours(self) -> None:
        key = tenant_key(SECRET, "acme")
        expected = hmac.new(key.encode(), b"1700000000." + b'{"a":1}', hashlib.sha256).hexdigest()
        assert sign(key, 1700000000, b'{"a":1}') == f"v1={expected}"

    def test_each_part_counts(self) -> None:
        key = tenant_key(SECRET, "acme")
        signed = {sign(key, 1, b"a"), sign(key, 2, b"a"), sign(key, 1, b"b"), sign(tenant_key(SECRET, "b"), 1, b"a")}
        assert len(signed) == 4


class TestTenantKey:
    def test_one_for_each_tenant_and_secret(self) -> None:
        keys = {tenant_key(SECRET, "a"), tenant_key(SECRET, "b"), tenant_key(SECRET[:-1], "a")}
        assert len(keys) == 3
        assert all(len(key) == 64 for key in keys)
