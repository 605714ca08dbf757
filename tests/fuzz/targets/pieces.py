"""How the same bytes arrive: whole, or in pieces."""

from __future__ import annotations

# 0: pieces of growing sizes
_SIZES = (0, 0, 0, 0, 0, 1, 2, 3, 5, 7, 13, 16, 64, 200, 1000, 4096)
# of a long input, single bytes would take most of the time
_FEW = 48


def pieces(data: bytes, how: int) -> list[bytes]:
    """Cut data into pieces; `how`, any byte, says into which."""
    size = _SIZES[how % len(_SIZES)]
    if size:
        size = max(size, len(data) // _FEW)
        return [data[at : at + size] for at in range(0, len(data), size)]
    found, at, size = [], 0, 1
    while at < len(data):
        found.append(data[at : at + size])
        at += size
        size = size * 3 % 1021 + 1
    return found
