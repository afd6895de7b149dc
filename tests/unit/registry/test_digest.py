"""The digest of a folder of artifacts."""

import hashlib

import pytest

from mlplatform.registry.digest import artifact_digest


class TestArtifactDigest:
    def test_is_the_hash_of_names_and_hashes_in_order(self, tmp_path):
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "weights").write_bytes(b"2")
        (tmp_path / "MLmodel").write_bytes(b"1")
        lines = "".join(
            f"{name}\0{hashlib.sha256(content).hexdigest()}\n"
            for name, content in (("MLmodel", b"1"), ("b/weights", b"2"))
        )
        assert artifact_digest(tmp_path) == hashlib.sha256(lines.encode()).hexdigest()

    def test_a_moved_byte_changes_it(self, tmp_path):
        (tmp_path / "a").write_bytes(b"12")
        before = artifact_digest(tmp_path)
        (tmp_path / "a").write_bytes(b"1")
        (tmp_path / "b").write_bytes(b"2")
        assert artifact_digest(tmp_path) != before

    def test_what_mlflow_adds_to_a_download_does_not_count(self, tmp_path):
        (tmp_path / "MLmodel").write_bytes(b"1")
        before = artifact_digest(tmp_path)
        (tmp_path / "registered_model_meta").write_bytes(b"name: m")
        assert artifact_digest(tmp_path) == before

    def test_an_empty_folder_has_none(self, tmp_path):
        with pytest.raises(ValueError, match="holds no artifacts"):
            artifact_digest(tmp_path)

    def test_a_link_is_refused(self, tmp_path):
        (tmp_path / "passwd").symlink_to("/etc/passwd")
        with pytest.raises(ValueError, match="passwd is a link"):
            artifact_digest(tmp_path)
