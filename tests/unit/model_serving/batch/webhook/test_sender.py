"""Deliveries to receivers on loopback, which stands for the private network here."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.model_serving.batch.webhook.errors import DeliveryError
from services.model_serving.batch.webhook.guard import resolve
from services.model_serving.batch.webhook.networks import Networks
from services.model_serving.batch.webhook.sender import Sender
from services.model_serving.batch.webhook.target import Target
from tests.unit.model_serving.batch.webhook.receivers import Detour, Names, receiver

PUBLIC, MAPPED = "93.184.216.34", "::ffff:127.0.0.1"
LOOPBACK = Networks([ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")])
PATIENT = timedelta(seconds=30)
REFUSED = "private or reserved"


def target(port: int, host: str = "receiver.example", scheme: str = "http") -> Target:
    return Target(scheme, host, port, "/jobs?a=b")


def sender(networks: Networks, *answers: list[str], timeout: timedelta = PATIENT, **parts) -> Sender:
    return Sender(networks, timeout=timeout, resolve=Names(*(answers or [["127.0.0.1"]])), **parts)


class TestDelivered:
    async def test_what_arrives(self) -> None:
        async with receiver() as seen:
            await sender(LOOPBACK).post(target(seen.port), {"ML-Webhook-Id": "1"}, b'{"a": 1}')
        ((line, headers, body),) = seen.requests
        assert line == "POST /jobs?a=b HTTP/1.1"
        assert headers["host"] == f"receiver.example:{seen.port}"
        assert headers["ml-webhook-id"] == "1"
        assert body == b'{"a": 1}'

    async def test_over_ipv6(self) -> None:
        async with receiver(host="::1") as seen:
            await sender(LOOPBACK, ["::1"]).post(target(seen.port, "::1"), {}, b"")
        assert seen.requests[0][1]["host"] == f"[::1]:{seen.port}"

    async def test_each_has_a_connection_of_its_own(self) -> None:
        async with receiver() as seen:
            one = sender(LOOPBACK)
            await one.post(target(seen.port), {}, b"")
            await one.post(target(seen.port), {}, b"")
        assert seen.connections == 2

    async def test_the_next_address_when_one_does_not_answer(self) -> None:
        async with receiver() as seen:
            await sender(LOOPBACK, ["127.0.0.2", "127.0.0.1"]).post(target(seen.port), {}, b"")
        assert len(seen.requests) == 1

    async def test_no_proxy_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with receiver() as proxy, receiver() as seen:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            await sender(LOOPBACK).post(target(seen.port), {}, b"")
        assert (proxy.connections, seen.connections) == (0, 1)


class TestRefused:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "::1",
            MAPPED,
            "169.254.169.254",
            "10.0.0.1",
            "fe80::1",
            "fd00::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
        ],
    )
    async def test_a_name_that_leads_inside_is_not_connected_to(self, address: str) -> None:
        network = Detour()
        async with receiver() as seen:
            with pytest.raises(DeliveryError, match=REFUSED):
                await sender(Networks(), [address], inner=network).post(target(seen.port, scheme="https"), {}, b"")
        assert (network.asked, seen.connections) == ([], 0)

    @pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f000001", "127.1", "017700000001", "localhost"])
    async def test_nor_one_that_the_system_takes_for_loopback(self, host: str) -> None:
        async with receiver() as seen:
            guarded = Sender(Networks(), timeout=PATIENT, resolve=resolve)
            with pytest.raises(DeliveryError, match=REFUSED):
                await guarded.post(target(seen.port, host, "https"), {}, b"")
        assert seen.connections == 0

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    async def test_the_peer_of_the_socket_counts_and_not_the_address_that_was_asked_for(self, host: str) -> None:
        network = Detour(host)
        async with receiver(host=host) as seen:
            with pytest.raises(DeliveryError, match=REFUSED):
                await sender(Networks(), [PUBLIC], inner=network).post(target(seen.port, scheme="https"), {}, b"x")
        assert network.asked == [PUBLIC]
        assert seen.requests == []

    async def test_a_name_is_looked_up_once_so_that_a_second_answer_changes_nothing(self) -> None:
        names, network = Names([PUBLIC], ["127.0.0.1"]), Detour()
        async with receiver() as seen:
            guarded = Sender(Networks(), timeout=PATIENT, resolve=names, inner=network)
            with pytest.raises(DeliveryError, match=REFUSED):
                await guarded.post(target(seen.port, scheme="https"), {}, b"")
            assert (names.asked, network.asked) == (["receiver.example"], [PUBLIC])
            with pytest.raises(DeliveryError, match=REFUSED):
                await guarded.post(target(seen.port, scheme="https"), {}, b"")
        assert network.asked == [PUBLIC]
        assert seen.requests == []

    async def test_of_several_addresses_only_those_that_are_permitted_are_tried(self) -> None:
        network = Detour()
        async with receiver() as seen:
            with pytest.raises(DeliveryError, match=REFUSED):
                await sender(Networks(), ["127.0.0.1", PUBLIC], inner=network).post(
                    target(seen.port, scheme="https"), {}, b""
                )
        assert network.asked == [PUBLIC]

    async def test_without_tls_nothing_but_an_allowed_network(self) -> None:
        network = Detour()
        with pytest.raises(DeliveryError, match=REFUSED):
            await sender(LOOPBACK, [PUBLIC], inner=network).post(target(80), {}, b"")
        assert network.asked == []


class TestFailed:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_a_redirect_is_not_followed(self, status: int) -> None:
        async with receiver() as inside:
            place = f"http://127.0.0.1:{inside.port}/".encode()
            answer = b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, place)
            async with receiver(answer) as seen:
                with pytest.raises(DeliveryError, match="redirect"):
                    await sender(LOOPBACK).post(target(seen.port), {}, b"")
        assert (len(seen.requests), inside.connections) == (1, 0)

    @pytest.mark.parametrize(("status", "for_good"), [(400, False), (410, True), (429, False), (500, False)])
    async def test_another_status(self, status: int, for_good: bool) -> None:
        async with receiver(b"HTTP/1.1 %d No\r\nContent-Length: 6\r\n\r\nsecret" % status) as seen:
            with pytest.raises(DeliveryError, match=str(status)) as failed:
                await sender(LOOPBACK).post(target(seen.port), {}, b"")
        assert failed.value.for_good is for_good
        assert "secret" not in str(failed.value)

    @pytest.mark.parametrize(
        ("answer", "endless"),
        [
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 102 Processing\r\n\r\n" * 9),
            (b"HTTP/1.1 200 OK\r\n", b"X-Header: " + b"a" * 1000 + b"\r\n"),
            (b"HTTP/1.1 200 OK\r\nX-Header: ", b"a" * 1000),
        ],
    )
    async def test_a_head_without_end(self, answer: bytes, endless: bytes) -> None:
        async with receiver(answer, endless=endless) as seen:
            with pytest.raises(DeliveryError):
                await sender(LOOPBACK, timeout=timedelta(seconds=2)).post(target(seen.port), {}, b"")

    async def test_a_body_without_end_is_not_read(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        async with receiver(head, endless=b"3e8\r\n" + b"a" * 1000 + b"\r\n") as seen:
            await sender(LOOPBACK).post(target(seen.port), {}, b"")
        assert len(seen.requests) == 1

    async def test_what_is_no_http(self) -> None:
        async with receiver(b"SSH-2.0-OpenSSH_9.2\r\n\r\n") as seen:
            with pytest.raises(DeliveryError, match="RemoteProtocolError"):
                await sender(LOOPBACK).post(target(seen.port), {}, b"")

    async def test_nobody_listens(self) -> None:
        async with receiver() as seen:
            port = seen.port
        with pytest.raises(DeliveryError, match="ConnectError"):
            await sender(LOOPBACK).post(target(port), {}, b"")


class TestEncrypted:
    async def test_only_a_certificate_of_that_name(self, tmp_path: Path) -> None:
        served, trusted = certificate(tmp_path, "receiver.example")
        async with receiver(context=served) as seen:
            one = sender(LOOPBACK, context=trusted)
            await one.post(target(seen.port, scheme="https"), {}, b"x")
            with pytest.raises(DeliveryError, match="could not be reached"):
                await one.post(target(seen.port, "other.example", "https"), {}, b"x")
            with pytest.raises(DeliveryError, match="could not be reached"):
                await sender(LOOPBACK).post(target(seen.port, scheme="https"), {}, b"x")
        assert len(seen.requests) == 1


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate, and return the context of its server and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "receiver.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(file)
    return served, ssl.create_default_context(cafile=str(file))
