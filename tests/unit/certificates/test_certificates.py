"""What clients of one request each verify with."""

import ssl

from mlplatform.certificates import certificates


class TestCertificates:
    def test_are_read_once(self) -> None:
        assert certificates() is certificates()

    def test_the_name_and_the_chain_of_a_server_are_verified(self) -> None:
        assert (certificates().verify_mode, certificates().check_hostname) == (ssl.CERT_REQUIRED, True)
