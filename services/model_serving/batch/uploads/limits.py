"""How much of everything an upload may have."""

from dataclasses import dataclass

from services.model_serving.batch.settings import BatchSettings

MIB = 1024 * 1024
FRAMING = MIB
"""Bytes that boundaries, headers and fields of a form may add to its files."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of uploads; sizes are in bytes.

    Attributes:
        file_size: Of one file, and of one file in an archive when it is unpacked.
        files: In a request.
        total_size: Of all files of a request, and of what all its archives unpack to.
        archive_entries: In one archive.
        archive_ratio: How many times larger than packed a file of an archive may be, when it is larger than a mebibyte.
        image_pixels: Of one image.
        image_side: Width or height of an image, in pixels.
        text_characters: Of one text.
    """

    file_size: int = 50 * MIB
    files: int = 100
    total_size: int = 500 * MIB
    archive_entries: int = 1000
    archive_ratio: int = 100
    image_pixels: int = 50_000_000
    image_side: int = 20_000
    text_characters: int = 1_000_000

    @property
    def form_size(self) -> int:
        """Most bytes of a form."""
        return self.total_size + FRAMING


def readable(size: int) -> str:
    """Write a number of bytes for people."""
    return f"{size / MIB:g} MB" if size >= MIB else f"{size} bytes"


def limits_of(settings: BatchSettings) -> Limits:
    """Return what the settings allow."""
    return Limits(
        file_size=settings.max_file_size,
        files=settings.max_files_per_batch,
        total_size=settings.max_total_upload_size,
        archive_entries=settings.batch_archive_entries,
        image_pixels=settings.batch_image_pixels,
        text_characters=settings.batch_text_characters,
    )
