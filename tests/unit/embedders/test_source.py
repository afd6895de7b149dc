"""Where models come from."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from mlplatform.embedders.errors import EmbedderError
from mlplatform.embedders.source import opened
from tests.fixtures.hub import Hub, hub_of

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def revisions(tmp_path: Path) -> dict[str, Path]:
    """Two revisions of a model with different files."""
    made = {name: tmp_path / name for name in ("main", "v1")}
    for name, folder in made.items():
        folder.mkdir()
        (folder / "config.json").write_text(name)
        (folder / f"{name}.safetensors").write_text("weights")
        (folder / "modeling.py").write_text("raise SystemExit")
        (folder / "pytorch_model.bin").write_text("a pickle")
    return made


@pytest.fixture
def hub(revisions: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub_of("owner/model", revisions) as hub:
        use(hub.url, monkeypatch)
        yield hub


def use(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the library ask a hub at another address than the one that it read when it was imported."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)


@contextmanager
def hanging_up() -> Iterator[str]:
    """Run a server that ends each connection without an answer, and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                caller, _ = listener.accept()
                with caller:
                    if not caller.recv(65536):
                        return

        thread = Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            socket.create_connection(listener.getsockname()).close()
            thread.join()


def names(source: str, revision: str | None = None) -> set[str]:
    with opened(source, revision, check=lambda _: None) as folder:
        return {path.name for path in folder.iterdir()}


class TestHub:
    def test_the_revision_is_fetched_without_code_and_pickles(self, hub: Hub) -> None:
        assert names("owner/model", "v1") == {"config.json", "v1.safetensors"}
        assert names("owner/model") == {"config.json", "main.safetensors"}
        assert not [path for path in hub.asked if path.endswith((".py", ".bin"))]

    @pytest.mark.usefixtures("hub")
    def test_what_it_does_not_have_is_said(self) -> None:
        with pytest.raises(EmbedderError, match="has no revision v2"):
            names("owner/model", "v2")
        with pytest.raises(EmbedderError, match="has no model owner/other"):
            names("owner/other")

    def test_one_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        use(NOWHERE, monkeypatch)

        with pytest.raises(EmbedderError, match="cannot be fetched"):
            names("owner/model")

    def test_one_that_hangs_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with hanging_up() as url:
            use(url, monkeypatch)

            with pytest.raises(EmbedderError, match="cannot be fetched"):
                names("owner/model")


class TestFolder:
    def test_it_is_copied_without_what_tools_put_beside(self, revisions: dict[str, Path]) -> None:
        (revisions["main"] / ".git").mkdir()
        (revisions["main"] / ".git" / "config").write_text("")

        assert names(str(revisions["main"])) == {"config.json", "main.safetensors", "modeling.py", "pytorch_model.bin"}

    @pytest.mark.parametrize("source", ["nothing", "./nothing/at/all", "owner/model/more"])
    def test_what_is_neither_a_folder_nor_an_id_is_refused(self, source: str) -> None:
        with pytest.raises(EmbedderError, match="neither a folder nor an id"):
            names(source)
