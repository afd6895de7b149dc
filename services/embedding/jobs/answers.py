"""The result of a job."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import orjson
from numpy.lib import format as npy
from numpy.typing import NDArray

from services.embedding.jobs.lines import Line

LITTLE_ENDIAN = np.dtype("<f4")


def ndjson(
    lines: Sequence[Line],
    vectors: Mapping[int, NDArray[np.float32]],
    counts: Mapping[int, tuple[int, bool]],
    errors: Mapping[int, str],
) -> bytes:
    """Write an answer for each line.

    Args:
        lines: The lines.
        vectors: By position in `lines`.
        counts: Tokens, and whether the text was cut, by position.
        errors: What went wrong, by position.
    """
    parts = []
    for position, line in enumerate(lines):
        head: dict[str, object] = {"line": line.number} if line.id is None else {"line": line.number, "id": line.id}
        if position in errors:
            body: dict[str, object] = {"error": errors[position]}
        else:
            tokens, truncated = counts[position]
            body = {"embedding": vectors[position], "tokens": tokens, "truncated": truncated}
        parts.append(orjson.dumps(head | body, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE))
    return b"".join(parts)


def error_lines(lines: Sequence[Line], errors: Mapping[int, str]) -> bytes:
    """Write the errors alone."""
    wrong = [line for position, line in enumerate(lines) if position in errors]
    return ndjson(wrong, {}, {}, dict(enumerate(errors[position] for position in sorted(errors))))


def matrix(lines: Sequence[Line], vectors: Mapping[int, NDArray[np.float32]], dimension: int) -> bytes:
    """Write a row for each line; one that failed has no numbers in it (NaN), so that it is like nothing."""
    rows = np.full((len(lines), dimension), np.nan, dtype=LITTLE_ENDIAN)
    for position, vector in vectors.items():
        rows[position] = vector
    return rows.tobytes()


def npy_head(rows: int, dimension: int) -> bytes:
    """Write what comes before the rows in a file that `numpy.load` reads."""
    head = io.BytesIO()
    npy.write_array_header_1_0(head, {"descr": LITTLE_ENDIAN.str, "fortran_order": False, "shape": (rows, dimension)})
    return head.getvalue()
