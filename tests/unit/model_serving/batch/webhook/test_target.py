"""The address that a caller gives."""

import ipaddress

import pytest

from services.model_serving.batch.webhook.errors import InvalidWebhook
from services.model_serving.batch.webhook.networks import Networks
from services.model_serving.batch.webhook.target import Target, read_target

PORTS = (443, 8443)


def read(url: str, *allowed: str) -> Target:
    return read_target(url, ports=PORTS, networks=Networks([ipaddress.ip_network(one) for one in allowed]))


class TestRead:
    def test_what_is_called(self) -> None:
        assert read("https://example.com") == Target("https", "example.com", 443, "/")
        assert read("https://Example.com:8443/a/b?c=d") == Target("https", "example.com", 8443, "/a/b?c=d")
        assert read("https://[2606:4700:4700::1111]/x").authority == "[2606:4700:4700::1111]"
        assert read("https://example.com:8443/").authority == "example.com:8443"

    def test_an_address_in_an_allowed_network(self) -> None:
        assert read("https://10.1.2.3/", "10.1.0.0/16").host == "10.1.2.3"

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("", "visible ASCII"),
            ("https://example.com/" + "a" * 2000, "visible ASCII"),
            ("https://example.com/a b", "visible ASCII"),
            ("https://example.com/\r\nX-Header: 1", "visible ASCII"),
            ("https://exämple.com/", "visible ASCII"),
            ("https://example.com\\@127.0.0.1/", "visible ASCII"),
            ("example.com", "such as"),
            ("ftp://example.com/", "such as"),
            ("file:///etc/passwd", "such as"),
            ("https://", "such as"),
            ("https://example.com:port/", "such as"),
            ("https://[::1/", "such as"),
            ("https://user:secret@example.com/", "user name"),
            ("https://@example.com/", "user name"),
            ("https://example.com/#part", "fragment"),
            ("https://example.com:22/", "8443"),
            ("https://example.com:0/", "8443"),
            ("http://example.com/", "8443"),
            ("https://exa*mple.com/", "name a host"),
            ("https://127.0.0.1/", "private"),
            ("https://169.254.169.254/latest/meta-data/", "private"),
            ("https://[::1]/", "private"),
            ("https://[::ffff:127.0.0.1]/", "private"),
            ("https://[fe80::1%25eth0]/", "private"),
            ("https://[fd00::1]/", "private"),
            ("https://[64:ff9b::7f00:1]/", "private"),
            ("http://8.8.8.8:443/", "private"),
        ],
    )
    def test_what_is_none(self, url: str, said: str) -> None:
        with pytest.raises(InvalidWebhook) as refused:
            read(url)
        (wrong,) = refused.value.errors
        assert wrong.field == "body.webhook"
        assert said in wrong.message
