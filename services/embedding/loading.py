"""From a model's files to what computes its vectors."""

from services.embedding.encoding.chooser import Chooser
from services.embedding.encoding.encoder import Encoder
from services.embedding.encoding.selection import Selection
from services.embedding.model_files import ModelFiles
from services.embedding.settings import EmbeddingSettings


def load(files: ModelFiles, settings: EmbeddingSettings, *, threads: int | None = None) -> tuple[Encoder, Chooser]:
    """Read a model into memory, to be computed as every service starts. It blocks.

    Args:
        files: The model.
        settings: Settings of the service.
        threads: Threads of one batch; None for those of the settings.

    Returns:
        The model, and the loop that finds its fastest backend; it has not begun.

    Raises:
        OSError: The folder holds no such model.
        ValueError: The same, as some versions of the library put it, or the model reads no plain text.
    """
    selection = Selection(
        folder=files.folder,
        digest=files.digest,
        cache=settings.encoder_cache,
        wanted=settings.embedding_backend,
        threads=threads or settings.embedding_threads,
        token_budget=settings.embedding_batch_tokens,
        gpu_token_budget=settings.embedding_gpu_batch_tokens,
    )
    encoder = Encoder.load(files.folder, token_budget=selection.token_budget, threads=selection.threads)
    return encoder, Chooser(encoder, selection)
