"""Which addresses a webhook may lead to."""

import ipaddress

import pytest

from services.model_serving.batch.webhook.networks import Networks


class TestPermits:
    @pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
    def test_the_internet(self, address: str) -> None:
        assert Networks().permits(address)

    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",  # noqa: S104 (an address to refuse)
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "192.0.0.8",
            "192.88.99.1",
            "198.18.0.1",
            "224.0.0.1",
            "239.255.255.250",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0a00:0001",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::a00:1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "2001:0:7f00:1::",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fe80::1%eth0",
            "fec0::1",
            "::ffff:0:7f00:1",
            "4000::1",
            "2606:4700::5efe:7f00:1",
            "2606:4700::200:5efe:7f00:1",
            "ff02::1",
            "example.com",
            "",
            "127.1",
        ],
    )
    def test_nothing_else(self, address: str) -> None:
        assert not Networks().permits(address)

    def test_but_what_the_operator_allows(self) -> None:
        networks = Networks([ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00:1::/32")])
        assert networks.permits("10.1.2.3")
        assert networks.permits("::ffff:10.1.2.3")
        assert networks.permits("fd00:1::5")
        assert not networks.permits("10.2.0.1")
        assert not networks.permits("fd00:2::5")


class TestAllows:
    def test_only_by_name(self) -> None:
        networks = Networks([ipaddress.ip_network("10.1.0.0/16")])
        assert networks.allows("10.1.2.3")
        assert not networks.allows("8.8.8.8")
