"""Line drawings as PNG, without an imaging library (PNG specification, third edition)."""

import math
import struct
import zlib
from collections.abc import Sequence
from itertools import pairwise

GRID = 24  # drawings have coordinates from 0 to this
Point = tuple[float, float]
Colour = tuple[int, int, int]


def drawing(strokes: Sequence[Sequence[Point]], circles: Sequence[tuple[Point, float]], colour: Colour) -> bytes:
    """Polylines and circles (centre, radius), drawn with a pen of 2 units on nothing. Two pixels per unit."""
    side = 2 * GRID
    segments = [segment for line in strokes for segment in pairwise(line)]
    rows = bytearray()
    for y in range(side):
        rows.append(0)  # filter: none
        for x in range(side):
            at = ((x + 0.5) / 2, (y + 0.5) / 2)
            lines = [_to_line(at, start, end) for start, end in segments]
            distance = min(lines + [abs(math.dist(at, centre) - radius) for centre, radius in circles])
            # A pixel is half a unit wide: the pen's edge, 1 unit from its middle, is spread over one.
            rows += bytes((*colour, round(255 * min(1.0, max(0.0, 2 * (1 - distance) + 0.5)))))
    return _encoded(side, bytes(rows))


def _to_line(at: Point, start: Point, end: Point) -> float:
    along = (end[0] - start[0], end[1] - start[1])
    length = along[0] ** 2 + along[1] ** 2
    share = ((at[0] - start[0]) * along[0] + (at[1] - start[1]) * along[1]) / length if length else 0.0
    share = min(1.0, max(0.0, share))
    return math.dist(at, (start[0] + share * along[0], start[1] + share * along[1]))


def _encoded(side: int, rows: bytes) -> bytes:
    """8 bits per channel, red green blue alpha."""
    header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
