"""Models, versions and artifacts over a running MLflow."""

import pytest

from mlplatform.registry import tags as tag
from mlplatform.registry.digest import artifact_digest
from mlplatform.registry.errors import (
    AliasNotFound,
    ArtifactMismatchError,
    ModelNotFound,
    RegistryRefused,
    RegistryUnavailable,
    VersionNotFound,
)
from mlplatform.registry.register import register_model_version
from mlplatform.registry.registry import Registry

NOBODY = "http://127.0.0.1:9"


class TestRegister:
    def test_records_the_digest_of_what_the_store_holds(self, bench, tmp_path):
        version = bench.version(tags={"note": "first"}, model_tags={tag.SERVED_BY: "embedding"})
        bench.registry.copy_artifacts(version, tmp_path)
        assert version.digest == artifact_digest(tmp_path)
        assert version.tags["note"] == "first"
        assert version.run_id is not None
        assert bench.registry.get_model(bench.name).served_by == "embedding"

    def test_takes_logged_models_only(self, registry, unique):
        with pytest.raises(ValueError, match="is not the URI of a logged model"):
            register_model_version(registry, unique, "runs:/abc/model")


class TestLookUp:
    def test_by_number_alias_and_default(self, bench):
        first, second = bench.version(), bench.version()
        bench.registry.set_alias(bench.name, "production", first.version)
        bench.registry.set_alias(bench.name, "staging", second.version)
        assert bench.registry.resolve(bench.name).version == "1"
        assert bench.registry.resolve(bench.name, alias="staging").version == "2"
        assert bench.registry.resolve(bench.name, version="2").aliases == ("staging",)
        assert bench.registry.production_versions()[bench.name] == "1"
        assert bench.name not in bench.registry.production_versions("embedding")

    def test_pages_versions_newest_first(self, bench):
        versions = [bench.version(), bench.version(), bench.version()]
        page, cursor = bench.registry.list_versions(bench.name, limit=2)
        assert [version.version for version in page] == ["3", "2"]
        page, cursor = bench.registry.list_versions(bench.name, limit=2, cursor=cursor)
        assert ([version.version for version in page], cursor) == (["1"], None)
        of_run, _ = bench.registry.list_versions(bench.name, run_id=versions[1].run_id)
        assert [version.version for version in of_run] == ["2"]

    def test_says_what_is_missing(self, bench):
        with pytest.raises(ModelNotFound):
            bench.registry.get_version(bench.name, "1")
        bench.version()
        with pytest.raises(VersionNotFound, match="has no version 7"):
            bench.registry.get_version(bench.name, "7")
        with pytest.raises(VersionNotFound, match="is a whole number"):
            bench.registry.get_version(bench.name, "latest")
        with pytest.raises(AliasNotFound, match="'production'"):
            bench.registry.resolve(bench.name)
        assert not bench.registry.has_version(bench.name, "7")

    def test_what_mlflow_will_not_do_is_refused(self, bench):
        version = bench.version()
        with pytest.raises(RegistryRefused):
            bench.registry.set_alias(bench.name, "v1", version.version)

    def test_metrics_are_those_of_the_run(self, bench):
        version = bench.version(metrics={"rmse": 0.25})
        assert bench.registry.metrics(version) == {"rmse": 0.25}

    def test_a_server_that_does_not_answer(self):
        registry = Registry(NOBODY)
        with pytest.raises(RegistryUnavailable, match="ML_MLFLOW_URL"):
            registry.ping()


class TestDownload:
    def test_keeps_what_it_downloaded(self, bench, tmp_path):
        version = bench.version()
        folder = bench.registry.download(bench.name, "1", tmp_path)
        assert artifact_digest(folder) == version.digest
        bench.tamper(version)
        assert bench.registry.download(bench.name, "1", tmp_path) == folder
        assert artifact_digest(folder) == version.digest

    def test_refuses_other_bytes_than_were_registered(self, bench, tmp_path):
        bench.tamper(bench.version())
        with pytest.raises(ArtifactMismatchError, match="register the model anew"):
            bench.registry.download(bench.name, "1", tmp_path)
