"""The life of an API key on Postgres."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from mlplatform.auth import Role
from mlplatform.auth.errors import CredentialRefused
from mlplatform.auth.issuer import IssuedKey, IssueError, KeyIssuer
from mlplatform.auth.key_verifier import MEMORY, KeyVerifier
from mlplatform.cli.app import app
from mlplatform.database import Database
from mlplatform.settings import PlatformSettings
from tests.unit.auth.issuer import Clock

SETTINGS = PlatformSettings(api_key_pepper="pepper-of-this-test-with-32-bytes-or-more")
DAY = timedelta(days=1)


@pytest.fixture
def issuer(owner_database: Database) -> KeyIssuer:
    return KeyIssuer(SETTINGS, owner_database)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(database: Database, clock: Clock) -> KeyVerifier:
    return KeyVerifier(SETTINGS, database, clock=clock)


async def create(issuer: KeyIssuer, *, ttl: timedelta | None = DAY) -> IssuedKey:
    return await issuer.create(name="ci", tenant="acme", roles=[Role.PUBLISHER], ttl=ttl, actor="operator:test")


class TestLife:
    async def test_created_key_is_accepted(self, issuer: KeyIssuer, verifier: KeyVerifier) -> None:
        issued = await create(issuer)

        principal = await verifier.verify(issued.text)

        assert (principal.tenant, principal.roles, principal.method) == ("acme", {Role.PUBLISHER}, "api_key")
        assert (await issuer.select("acme"))[0].last_used_at is not None
        assert await issuer.select("other") == []

    async def test_wrong_secret(self, issuer: KeyIssuer, verifier: KeyVerifier) -> None:
        issued = await create(issuer)

        with pytest.raises(CredentialRefused) as refused:
            await verifier.verify(issued.text[:-1] + ("A" if issued.text[-1] != "A" else "B"))

        assert refused.value.reason == "key_unknown"

    async def test_revoked_key_ends_when_the_memory_does(
        self, issuer: KeyIssuer, verifier: KeyVerifier, clock: Clock
    ) -> None:
        issued = await create(issuer)
        await verifier.verify(issued.text)
        await issuer.revoke(issued.key.prefix, actor="operator:test")
        clock.now += MEMORY.total_seconds()

        with pytest.raises(CredentialRefused) as refused:
            await verifier.verify(issued.text)

        assert refused.value.reason == "key_revoked"

    async def test_expired_key(self, issuer: KeyIssuer, verifier: KeyVerifier) -> None:
        issued = await create(issuer, ttl=timedelta(0))

        with pytest.raises(CredentialRefused) as refused:
            await verifier.verify(issued.text)

        assert refused.value.reason == "key_expired"

    async def test_rotated_key_works_beside_the_old_one(self, issuer: KeyIssuer, verifier: KeyVerifier) -> None:
        old = await create(issuer, ttl=None)
        new = await issuer.rotate(old.key.prefix, ttl=DAY, overlap=DAY, actor="operator:test")

        assert await verifier.verify(old.text) == await verifier.verify(new.text)
        stored = (await issuer.select("acme"))[0]
        assert stored.replaced_by == new.key.prefix
        assert stored.expires_at is not None

    async def test_rotation_never_lengthens_the_old_key(self, issuer: KeyIssuer) -> None:
        old = await create(issuer)
        await issuer.rotate(old.key.prefix, ttl=DAY, overlap=30 * DAY, actor="operator:test")

        assert (await issuer.select("acme"))[0].expires_at == old.key.expires_at

    async def test_two_rotations_at_once(self, issuer: KeyIssuer) -> None:
        old = await create(issuer)

        results = await asyncio.gather(
            *(issuer.rotate(old.key.prefix, ttl=DAY, overlap=DAY, actor="operator:test") for _ in range(2)),
            return_exceptions=True,
        )

        assert sorted(type(result) for result in results if isinstance(result, IssueError)) == [IssueError]
        assert len(await issuer.select("acme")) == 2

    async def test_unknown_key(self, issuer: KeyIssuer) -> None:
        with pytest.raises(IssueError, match="there is no key"):
            await issuer.revoke("0" * 24, actor="operator:test")


class TestServiceRole:
    async def test_no_right_on_the_table(self, database: Database) -> None:
        for statement in (
            "SELECT * FROM api_keys",
            "UPDATE api_keys SET revoked_at = NULL",
            "DELETE FROM api_keys",
            "INSERT INTO api_keys SELECT * FROM find_api_key('x')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                async with database.transaction() as connection:
                    await connection.execute(statement)


class TestCommands:
    def test_life(self, settings_env: dict[str, str]) -> None:
        env = settings_env | {"ML_API_KEY_PEPPER": "pepper-of-this-test-with-32-bytes-or-more"}

        def mlp(*arguments: str) -> Any:
            result = CliRunner().invoke(app, [*arguments, "--json"], env=env)
            assert result.exit_code == 0, result.output
            return json.loads(result.stdout)

        made = mlp("keys", "create", "--role", "user", "--role", "viewer", "--tenant", "acme", "--ttl", "12h")
        listed = CliRunner().invoke(app, ["keys", "list"], env=env).stdout
        renewed = mlp("keys", "rotate", made["prefix"])
        mlp("keys", "revoke", made["prefix"])
        states = {key["prefix"]: key["state"] for key in mlp("keys", "list", "--tenant", "acme")}
        actions = [event["action"] for event in mlp("audit", "list", "--tenant", "acme")]

        assert made["roles"] == ["user", "viewer"]
        assert made["prefix"] in listed
        assert made["key"].partition(".")[2] not in listed
        assert states == {made["prefix"]: "revoked", renewed["prefix"]: "active"}
        assert actions == ["key.revoked", "key.rotated", "key.created"]
        assert mlp("audit", "verify")["break"] is None

    def test_refusals(self, settings_env: dict[str, str]) -> None:
        without_pepper = settings_env | {"ML_API_KEY_PEPPER": ""}
        refused = CliRunner().invoke(app, ["keys", "create", "--role", "user"], env=without_pepper)
        unknown = CliRunner().invoke(app, ["keys", "revoke", "0" * 24], env=settings_env)

        assert (refused.exit_code, unknown.exit_code) == (1, 1)
        assert "ML_API_KEY_PEPPER" in refused.stderr
        assert "there is no key" in unknown.stderr
