"""Files that appear only when they are whole: nothing truncated may look complete."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Union


@contextmanager
def whole_file(path: Union[str, os.PathLike[str]]) -> Iterator[BinaryIO]:
    """Open a binary file to write that takes its place under `path` when the block ends well.

    When the block raises nothing is left behind, and what stood there before still does. What is
    no regular file (a pipe, a device) is written to directly. Raises `OSError` as `open()` does.
    """
    # asked of the path itself: that of /dev/stdout and /dev/fd/63 resolves to no name when a pipe
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:
            yield file
        return
    target = os.path.realpath(path)  # a symbolic link goes on pointing to the file
    part = f"{target}.{secrets.token_hex(4)}.part"  # beside it: a rename must not cross disks
    try:
        with open(part, "xb") as file:
            yield file
        if os.path.exists(target):
            shutil.copymode(target, part)
        os.replace(part, target)
    except BaseException:
        if os.path.exists(part):
            os.unlink(part)
        raise
