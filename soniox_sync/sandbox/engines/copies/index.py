"""Index of synthesised speech, for recognising copies of it whose samples differ."""

from __future__ import annotations

import collections
import dataclasses
import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional, TypeVar, Union

import numpy as np

from ...._support.locks import new_lock
from ...._support.reprs import byte_size, counted, summary
from ..resample import Samples
from .fingerprints import HOP
from .folder import SpeechFolder
from .original import Original, Spoken, Words, name_of

__all__ = ["CopyIndex", "Hit"]

log: logging.Logger = logging.getLogger("soniox_sync.sandbox")

# Places of one code that are returned, latest first: sentences with the same start share codes.
_SAME_CODE = 64


class Hit(NamedTuple):
    """Frame of an original that has a code of a query."""

    query: int
    """Number of the row that has the code."""
    original: Original
    place: int
    """First sample of the frame in the original."""


_Clip = TypeVar("_Clip", Spoken, Original)


class _Table(NamedTuple):
    """All codes in ascending order; those that are equal from the earliest to the latest."""

    codes: Any
    owners: Any
    """Number of the original, for each code."""
    places: Any
    originals: Sequence[Original]


class CopyIndex:
    """Finds speech by the codes of its spectrum. Thread-safe; drops the oldest speech.

    Speech is prepared when the index is first searched after it was added: a program whose audio is
    recognised by its samples never pays for that. `max_bytes` limits the memory; 32 MiB are about
    half an hour. What is in `folder` is found, too; then speech is prepared at once and stored.
    """

    def __init__(self, max_bytes: int = 32 << 20, folder: Optional[SpeechFolder] = None) -> None:
        self._max_bytes = max_bytes
        self._folder = folder
        # Serialises the preparation of speech, so that it happens once. Order: this -> _lock.
        self._preparing = new_lock()
        # Guards the fields below. Leaf; held for one addition or look-up.
        self._lock = new_lock()
        self._waiting: collections.OrderedDict[str, Spoken] = collections.OrderedDict()
        self._originals: collections.OrderedDict[str, Original] = collections.OrderedDict()
        self._bytes = 0
        self._table = _table_of(())
        self._is_current = True
        self._serial = 0

    def add(
        self, pcm: Samples, sample_rate: int, words: Words, *, voice: str, language: str
    ) -> None:
        """Add speech; speech that was added before, at whatever rate, becomes the latest."""
        name = name_of(len(pcm) / sample_rate, words, voice, language)
        with self._lock:
            self._serial = max(self._serial + 1, time.time_ns())
            known = self._originals.get(name)
            spoken = Spoken(pcm, sample_rate, tuple(words), voice, language, self._serial)
            if known is None and self._folder is None:
                self._put(self._waiting, name, spoken)
                return
        original = (
            spoken.prepare() if known is None else dataclasses.replace(known, serial=spoken.serial)
        )
        with self._lock:
            self._put(self._originals, name, original)
        if self._folder is not None:
            self._folder.write(name, original.to_bytes())

    def __bool__(self) -> bool:
        """Whether there is any speech to find."""
        self._read_folder()
        with self._lock:
            return bool(self._waiting or self._originals)

    def search(self, rows: Any) -> list[Hit]:
        """Return the frames that have one of the codes of a row, for all rows of codes."""
        table = self._prepared()
        wanted = rows.ravel()
        first: Any = np.searchsorted(table.codes, wanted, "left")
        behind: Any = np.searchsorted(table.codes, wanted, "right")
        first = np.maximum(first, behind - _SAME_CODE)
        found: list[int] = np.flatnonzero((behind > first) & (wanted != 0)).tolist()
        return [
            Hit(each // rows.shape[1], table.originals[table.owners[at]], int(table.places[at]))
            for each in found
            for at in range(first[each], behind[each])
        ]

    def __repr__(self) -> str:
        count = len(self._waiting) + len(self._originals)
        return summary(self, counted(count, "clip"), byte_size(self._bytes))

    def _prepared(self) -> _Table:
        """Return the table of all speech added so far."""
        self._read_folder()
        with self._preparing:
            with self._lock:
                waiting = dict(self._waiting)
            prepared = {key: spoken.prepare() for key, spoken in waiting.items()}
            with self._lock:
                for key, original in prepared.items():
                    if self._waiting.get(key) is waiting[key]:
                        self._put(self._originals, key, original)
                changed, self._is_current = not self._is_current, True
                originals = tuple(self._originals.values()) if changed else ()
            if changed:
                self._table = _table_of(originals)
            return self._table

    def _read_folder(self) -> None:
        """Add what other processes have spoken."""
        for stored in () if self._folder is None else self._folder.read_new():
            try:
                original = Original.from_bytes(stored.data, stored.written_ns)
            except ValueError as error:
                log.info("%r: %s: %s", self._folder, stored.name, error)
                continue
            with self._lock:
                self._put(self._originals, stored.name, original)

    def _put(self, where: collections.OrderedDict[str, _Clip], key: str, clip: _Clip) -> None:
        """Add a clip, or replace it, under `_lock`; drop the oldest beyond the limit."""
        for clips in (self._waiting, self._originals):
            known = clips.pop(key, None)
            self._bytes -= 0 if known is None else known.size
        where[key] = clip
        self._bytes += clip.size
        while self._bytes > self._max_bytes and len(self._waiting) + len(self._originals) > 1:
            self._bytes -= self._drop_oldest().size
        self._is_current = self._is_current and where is not self._originals

    def _drop_oldest(self) -> Union[Spoken, Original]:
        if _first_serial(self._waiting) < _first_serial(self._originals):
            return self._waiting.popitem(last=False)[1]
        self._is_current = False
        return self._originals.popitem(last=False)[1]


def _first_serial(clips: Mapping[str, _Clip]) -> float:
    return next((clip.serial for clip in clips.values()), math.inf)


def _table_of(originals: Sequence[Original]) -> _Table:
    lengths = [len(original.codes) for original in originals]
    codes: Any = np.concatenate([np.zeros(0, np.uint32), *(each.codes for each in originals)])
    owners: Any = np.repeat(np.arange(len(originals)), lengths)
    places = np.concatenate([np.zeros(0, int), *(np.arange(count) * HOP for count in lengths)])
    order = np.argsort(codes, kind="stable")
    return _Table(codes[order], owners[order], places[order], originals)
