"""What a run has to do: which transcripts go where, and which of an earlier run are due again."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

from ..inputs import Input, Unusable
from ..targets import ENDINGS, make_folders, targets_of
from .items import COMPLETED, Item

__all__ = ["Work", "work_of"]


@dataclass
class Work:
    """Items of a run. `unusable`: arguments that stand for none.

    `targets`: the file of each transcript by the item's key, without those that go to stdout.
    `again`: keys of completed items whose transcripts are not where this run is to write them.
    `undeleted`: keys of items that are over and only to be deleted at the service.
    """

    items: list[Item]
    unusable: list[Unusable] = field(default_factory=list)
    targets: dict[str, str] = field(default_factory=dict)
    again: set[str] = field(default_factory=set)
    undeleted: set[str] = field(default_factory=set)

    @property
    def total(self) -> int:
        """Number of inputs, with those that are unusable."""
        return len(self.items) + len(self.unusable)

    def is_over(self, item: Item) -> bool:
        """Return whether nothing is left to do for an item that is over at the service."""
        return item.is_over and item.key not in self.again and item.key not in self.undeleted


def work_of(
    args: argparse.Namespace,
    items: Sequence[Item],
    inputs: Sequence[Input],
    unusable: Sequence[Unusable] = (),
) -> Work:
    """Return what is to be done for the items, which belong to `inputs`, in the same order.

    What an earlier run wrote to another place, or as another format, is written again: the new
    place is what this run was asked for. What it wrote to stdout may be lost with it: `... >
    all.txt`, twice.

    Raises
        UsageError: the transcripts cannot be written where they are to be.
    """
    work = Work(list(items), list(unusable))
    if not args.wait:
        return work
    if args.output is not None:
        work.targets = _places(args, work, inputs)
    for item in items:
        target = work.targets.get(item.key)
        if item.status == COMPLETED:
            if target is None or not _is_written(item, target, args.format):
                work.again.add(item.key)
        elif not item.is_over:
            item.output, item.format = target, args.format
        if args.delete_after and item.is_over and not item.is_deleted:
            work.undeleted.add(item.key)
    work.undeleted -= work.again
    return work


def _is_written(item: Item, target: str, format: str) -> bool:
    return (item.output, item.format) == (target, format) and os.path.exists(target)


def _places(args: argparse.Namespace, work: Work, inputs: Sequence[Input]) -> dict[str, str]:
    """Return where transcripts are written; one that is in its folder already keeps its name."""
    output, ending = args.output, ENDINGS[args.format]
    targets_of(inputs, output, ending, total=work.total)  # refuses what inputs cannot have
    pairs = [pair for pair in zip(work.items, inputs) if _is_wanted(pair[0])]
    is_folder = work.total > 1 or os.path.isdir(output)
    kept = {
        item.key: item.output
        for item, each in pairs
        if is_folder and item.output is not None and _is_inside(item, each, output, ending)
    }
    left = [(item, each) for item, each in pairs if item.key not in kept]
    found = targets_of(
        [each for _, each in left], output, ending, list(kept.values()), total=work.total
    )
    make_folders([*kept.values(), *found], needed=found != [output])
    return {**kept, **{item.key: target for (item, _), target in zip(left, found)}}


def _is_wanted(item: Item) -> bool:
    """Return whether an item has a transcript, now or later."""
    return item.status == COMPLETED or not item.is_over


def _is_inside(item: Item, each: Input, output: str, ending: str) -> bool:
    path: Optional[str] = item.output
    if path is None or not path.endswith(ending):
        return False
    return os.path.dirname(path) == os.path.normpath(os.path.join(output, each.folder))
