"""Where results are written with `-o`: a file, or files in a folder named after their inputs."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from itertools import chain, count
from typing import Optional

from .console import UsageError
from .inputs import Input

__all__ = ["ENDINGS", "format_of", "make_folders", "targets_of"]

# format -> the ending of its files
ENDINGS = {"text": ".txt", "srt": ".srt", "vtt": ".vtt", "json": ".json", "html": ".html"}
_FORMAT_OF_ENDING = {ending: name for name, ending in ENDINGS.items()} | {".htm": "html"}


def format_of(format: Optional[str], output: Optional[str], formats: Sequence[str]) -> str:
    """Return the format: as told, else by the ending of the output file, else text.

    Raises
        UsageError: a file whose ending says nothing, or another format than was told.
    """
    ending = os.path.splitext(output or "")[1].lower()
    named = _FORMAT_OF_ENDING.get(ending)
    if output is None or _is_folder(output):
        return format or formats[0]
    if format is None and named not in formats:
        if not ending:  # it will be a folder if there are several inputs
            return formats[0]
        known = ", ".join(ENDINGS[name] for name in formats)
        raise UsageError(
            f"cannot tell the format of {output}: end it with {known}, or add --format"
        )
    if format is not None and named not in (None, format):
        raise UsageError(f"{output} looks like {named}, and --format says {format}")
    return format or named or formats[0]


def targets_of(
    inputs: Sequence[Input],
    output: str,
    ending: str,
    taken: Collection[str] = (),
    *,
    total: int = 0,
) -> list[str]:
    """Return the path of each input's result.

    One input is written to `output`, unless that is a folder. In a folder it is named after the
    input; of two with the same stem the second keeps its old suffix: `a.srt`, `a.mp3.srt`.
    `taken`: paths that are not free any more. `total`: how many inputs were named, if these are
    only some of them: whether they need a folder does not depend on which files are there.

    Raises
        UsageError: several inputs for one file, or a result that would replace its input.
    """
    if not output:
        raise UsageError("-o needs the name of a file or folder")
    total = max(total, len(inputs))
    if total == 1 and not _is_folder(output):
        return [_not_an_input(output, inputs)]
    if os.path.isfile(output) or os.path.splitext(output)[1].lower() in _FORMAT_OF_ENDING:
        raise UsageError(f"-o: {output} is a file, and {total} inputs need a folder")
    used = {path.casefold() for path in taken}
    targets = []
    for each in inputs:
        folder = os.path.join(output, each.folder)
        target = _free(folder, each, ending, used)
        used.add(target.casefold())
        targets.append(_not_an_input(target, inputs))
    return targets


def _free(folder: str, each: Input, ending: str, used: Collection[str]) -> str:
    # names that differ in case alone are one file on some systems
    numbered = (f"{each.name}.{number}" for number in count(2))
    names = (
        os.path.join(folder, name + ending) for name in chain((each.stem, each.name), numbered)
    )
    return next(target for target in names if target.casefold() not in used)


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) or path.endswith(("/", os.sep))


def _not_an_input(target: str, inputs: Sequence[Input]) -> str:
    if any(os.path.realpath(each.source) == os.path.realpath(target) for each in inputs):
        raise UsageError(f"-o: {target} is an input, which would be replaced")
    return target


def make_folders(targets: Sequence[str], *, needed: bool) -> None:
    """Make the folders of results; `needed`: they were named as such, not as the place of a file.

    Raises
        UsageError: one cannot be made.
    """
    for folder in dict.fromkeys(map(os.path.dirname, targets)):
        if not needed or not folder:
            continue
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot create the folder {folder}: {error.strerror}") from error
