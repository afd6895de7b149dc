"""Scans of JPEG files, counted without a decoder.

A progressive file may have any number of scans, and a few bytes are enough for one; for each the decoder goes over all
pixels. One megabyte can so keep a processor busy for an hour, however few pixels the image has. TIFF's own reader has
the same limit.
"""

import re

MOST_SCANS = 100
"""Programs write ten or so."""
MOST_MARKERS = 100_000
MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""What is no part of the pixels: no stuffed byte and no restart."""
ALONE = frozenset({0x01, 0xD8})
"""Markers that nothing belongs to."""
END, SCAN = 0xD9, 0xDA


def has_many_scans(content: bytes) -> bool:
    """Whether a file is a JPEG image of more scans than are decoded.

    Args:
        content: Of any file.
    """
    if not content.startswith(b"\xff\xd8"):
        return False
    at, scans = 2, 0
    for _ in range(MOST_MARKERS):
        found = MARKER.search(content, at)
        if found is None or found[1][0] == END:
            return False
        at = found.end()
        scans += found[1][0] == SCAN
        if scans > MOST_SCANS:
            return True
        if found[1][0] not in ALONE:
            at += max(2, int.from_bytes(content[at : at + 2], "big"))
    return True
