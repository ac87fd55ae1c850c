"""What an interrupted stage left behind that can be kept: the results of single images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from weakpan.basics.errors import DataError
from weakpan.parallel.ranks import gather_from_all_ranks, share_of_rank
from weakpan.storage.files import content_digest
from weakpan.storage.map_store import read_manifest, write_manifest


class Store(Protocol):
    """A folder that holds a result for each image."""

    def has(self, image_id: str, /) -> bool:
        """Whether the files of an image are there."""
        ...

    def read(self, image_id: str, /) -> object:
        """The result of an image; raises DataError if a file of it is damaged."""
        ...


def is_whole(store: Store, image_id: str) -> bool:
    """Whether the result of an image is there and can be read to its end."""
    try:
        if not store.has(image_id):
            return False
        store.read(image_id)
    except DataError:
        return False
    return True


def left_to_do(ids: Sequence[str], is_done: Callable[[str], bool]) -> list[str]:
    """Images that have no result yet, in the order of `ids`, the same on every rank; must be called by all of them.

    Args:
        ids: of all images; each is looked at by one rank.
        is_done: whether what belongs to an image is there and whole.
    """
    mine = [image_id for image_id in share_of_rank(ids) if not is_done(image_id)]
    left = {image_id for part in gather_from_all_ranks(mine) for image_id in part}
    return [image_id for image_id in ids if image_id in left]


def forget_results_of_other_weights(note: Path, weights: Path, results: Iterable[Path]) -> None:
    """Remove results that other weights made, and note the weights before the first result of these.

    The settings of a run do not say it all: a network that was removed and trained again with other ranks or on another
    machine has other weights.

    Args:
        note: holds the checksum of the weights that the results are made with.
        weights: checkpoint that is used now.
        results: files that may be there.
    """
    now = content_digest([weights])
    try:
        then = read_manifest(note).get("weights")
    except DataError:
        then = None
    if then == now:
        return
    for path in results:
        path.unlink(missing_ok=True)
    write_manifest(note, {"weights": now})
