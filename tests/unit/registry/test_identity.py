"""Who somebody is, and how that is known."""

from datetime import timedelta

import pytest

from mlplatform.auth import Role, mint_token
from mlplatform.auth.errors import CredentialRefused
from mlplatform.auth.system_user import system_user
from mlplatform.registry.errors import PromotionRefused
from mlplatform.registry.identity import Identity, Proof, identify, is_same_person, require_proof
from mlplatform.registry.settings import PromotionSettings

SECRET = "s" * 32


@pytest.fixture
def make_settings(monkeypatch, tmp_path):
    """Settings with the token of somebody, or without one."""
    monkeypatch.chdir(tmp_path)

    def make(role: Role | None = None, ttl: timedelta = timedelta(hours=1), **values) -> PromotionSettings:
        bare = PromotionSettings(jwt_secret=SECRET, **values)
        if role is None:
            return bare
        token = mint_token(bare, subject="eve", tenant="default", roles=[role], ttl=ttl)
        return PromotionSettings(jwt_secret=SECRET, token=token, **values)

    return make


class TestIdentify:
    async def test_a_token_proves_its_subject(self, make_settings):
        assert await identify(make_settings(Role.ML_ADMIN)) == Identity("eve", Proof.TOKEN)
        assert await identify(make_settings(Role.ML_ADMIN), "eve") == Identity("eve", Proof.TOKEN)

    async def test_nobody_acts_for_another(self, make_settings):
        with pytest.raises(PromotionRefused, match="ML_TOKEN is of eve, not of ada"):
            await identify(make_settings(Role.ML_ADMIN), "ada")

    async def test_the_role_is_needed(self, make_settings):
        with pytest.raises(PromotionRefused, match="the role ml_admin is needed"):
            await identify(make_settings(Role.PUBLISHER))

    async def test_an_expired_token_proves_nobody(self, make_settings):
        with pytest.raises(CredentialRefused, match="expired"):
            await identify(make_settings(Role.ML_ADMIN, timedelta(hours=-1)))

    async def test_without_a_token_the_user_of_the_system_acts(self, make_settings):
        assert await identify(make_settings()) == Identity(system_user(), Proof.OS)

    async def test_a_name_that_is_given_is_no_more_than_that(self, make_settings):
        assert await identify(make_settings(), "release-bot") == Identity("release-bot", Proof.DECLARED)


class TestRequireProof:
    def test_a_name_that_is_given_is_not_enough(self, make_settings):
        with pytest.raises(PromotionRefused, match="Nothing proves that you are ada"):
            require_proof(make_settings(), Identity("ada", Proof.DECLARED))
        require_proof(make_settings(), Identity("ada", Proof.OS))

    def test_where_callers_must_prove_themselves_a_token_is_needed(self, make_settings):
        with pytest.raises(PromotionRefused, match="set ML_TOKEN"):
            require_proof(make_settings(auth_enabled=True), Identity("ada", Proof.OS))
        require_proof(make_settings(auth_enabled=True), Identity("ada", Proof.TOKEN))


class TestIsSamePerson:
    def test_the_address_and_the_case_do_not_matter(self):
        assert is_same_person("ada", "Ada@example.org")
        assert not is_same_person("ada", "adam")
