import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from mlplatform.settings import PlatformSettings, VaultUnavailable

TOKEN = "vault-token-of-this-test"


class Vault(ThreadingHTTPServer):
    """Speaks as much of KV v2 and AppRole as a client that reads one secret needs."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.secret: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Vault

    def do_GET(self) -> None:
        if self.headers.get("X-Vault-Token") != TOKEN:
            self.answer(403, {"errors": ["permission denied"]})
        elif self.path != "/v1/kv/data/team/ml":
            self.answer(404, {"errors": []})
        else:
            self.answer(200, {"data": {"data": self.server.secret, "metadata": {"version": 1}}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/auth/approle/login" and body == {"role_id": "role", "secret_id": "secret-id"}:
            self.answer(200, {"auth": {"client_token": TOKEN}})
        else:
            self.answer(400, {"errors": ["invalid role or secret ID"]})

    def answer(self, status: int, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature is the library's
        """Write nothing to the test's output."""


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    monkeypatch.chdir(tmp_path)
    with Vault() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("ML_VAULT_ADDR", server.url)
        monkeypatch.setenv("ML_VAULT_PATH", "kv/team/ml")
        monkeypatch.setenv("ML_VAULT_TOKEN", TOKEN)
        monkeypatch.delenv("VAULT_TOKEN", raising=False)
        yield server
        server.shutdown()
        thread.join()


class TestRead:
    @pytest.mark.parametrize("key", ["ML_S3_BUCKET", "s3_bucket"])
    def test_key_like_the_variable_or_the_field(self, vault: Vault, key: str) -> None:
        vault.secret = {key: "from-vault", "unrelated": "x"}
        assert PlatformSettings().s3_bucket == "from-vault"

    def test_over_dotenv(self, vault: Vault, tmp_path: Path) -> None:
        vault.secret = {"s3_bucket": "from-vault"}
        (tmp_path / ".env").write_text("ML_S3_BUCKET=from-dotenv\n")
        assert PlatformSettings().s3_bucket == "from-vault"

    def test_under_environment(self, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
        vault.secret = {"s3_bucket": "from-vault"}
        monkeypatch.setenv("ML_S3_BUCKET", "from-environment")
        assert PlatformSettings().s3_bucket == "from-environment"

    def test_approle(self, vault: Vault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        vault.secret = {"s3_bucket": "from-vault"}
        monkeypatch.setenv("HOME", str(tmp_path))  # else the client finds the token of this account's own Vault
        monkeypatch.delenv("ML_VAULT_TOKEN")
        monkeypatch.setenv("ML_VAULT_ROLE_ID", "role")
        monkeypatch.setenv("ML_VAULT_SECRET_ID", "secret-id")
        assert PlatformSettings().s3_bucket == "from-vault"

    def test_secrets_of_production(self, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
        vault.secret = {
            "ML_JWT_SECRET": "8d1f0e7b6a5c4938271605f4e3d2c1b0a9",
            "ML_API_KEY_PEPPER": "0f1e2d3c4b5a69788796a5b4c3d2e1f0a1",
            "ML_S3_SECRET_KEY": "9a8b7c6d5e4f3021",
            "ML_DATABASE_URL": "postgresql://ml_app:1a2b3c4d5e6f7081@db.example.org/platform",
        }
        monkeypatch.setenv("ML_ENV", "production")
        secret = PlatformSettings().jwt_secret
        assert secret is not None
        assert secret.get_secret_value() == vault.secret["ML_JWT_SECRET"]


@pytest.mark.usefixtures("vault")
class TestRefusal:
    def test_unreachable(self, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int) -> None:
        monkeypatch.setenv("ML_VAULT_ADDR", f"http://127.0.0.1:{unused_tcp_port}")
        with pytest.raises(VaultUnavailable, match=f"Vault at http://127.0.0.1:{unused_tcp_port} did not give"):
            PlatformSettings()

    def test_refused_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ML_VAULT_TOKEN", "other-token")
        with pytest.raises(VaultUnavailable) as caught:
            PlatformSettings()
        assert "Forbidden" in str(caught.value)
        assert "other-token" not in str(caught.value)

    def test_nothing_at_the_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ML_VAULT_PATH", "kv/team/other")
        with pytest.raises(VaultUnavailable, match="the settings at kv/team/other: InvalidPath"):
            PlatformSettings()

    def test_path_without_a_mount(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ML_VAULT_PATH", "ml")
        with pytest.raises(VaultUnavailable, match="ML_VAULT_PATH must be mount/path"):
            PlatformSettings()
