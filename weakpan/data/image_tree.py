"""Images of a data set laid out like Cityscapes, and lists of their ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from weakpan.basics.arrays import RGBImage
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.data.tree_files import FileTemplates, TreeFiles
from weakpan.storage.files import read_text
from weakpan.storage.images import inspect_image, read_rgb
from weakpan.storage.layout import checked_id


@dataclass(frozen=True)
class ImageTree:
    """The images of one split; `GroundTruth` reads the label maps that lie beside them.

    Attributes:
        root: of the tree.
        split: folder name, for instance `train`.
        catalog: class table.
        templates: file names.
        only_ids: restricts the split to these image ids, in this order; None for all, sorted.

    Raises:
        DataError: on first use, for a missing root, a split without images or an id without an image.
    """

    root: Path
    split: str
    catalog: Catalog
    templates: FileTemplates = field(default_factory=FileTemplates)
    only_ids: Sequence[str] | None = None

    @cached_property
    def _groups(self) -> dict[str, str]:
        """Group folder by image id."""
        if not self.root.is_dir():
            raise DataError(f"data.root={self.root}: no such folder; set data.root to the data set's root")
        found: dict[str, str] = {}
        for path, image_id, group in sorted(TreeFiles(self.root, self.split).matches(self.templates.image)):
            if image_id in found:
                raise DataError(f"{path}: image id {image_id} also lies in {found[image_id]}; ids must be unique")
            found[image_id] = group
        if not found:
            template = self.templates.image.replace("{split}", self.split)
            raise DataError(
                f"data.root={self.root}: no image matches {template}; check the split name and data.files.image"
            )
        return found

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Image ids, sorted or in the order of `only_ids`."""
        if self.only_ids is None:
            return tuple(sorted(self._groups))
        missing = [i for i in self.only_ids if i not in self._groups]
        if missing:
            raise DataError(
                f"{len(missing)} ids of the list have no image in split {self.split} of {self.root}, "
                f"for instance {missing[0]}; correct the list"
            )
        return tuple(self.only_ids)

    def image_path(self, image_id: str) -> Path:
        """Path of the image."""
        group = self._groups[image_id]
        return self.root / self.templates.image.format(split=self.split, group=group, id=image_id)

    def image(self, image_id: str) -> RGBImage:
        """The image as (H, W, 3) uint8, RGB."""
        return read_rgb(self.image_path(image_id))

    def image_size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of the image from its header; DataError if the file is truncated."""
        return inspect_image(self.image_path(image_id))


def read_id_list(path: Path) -> tuple[str, ...]:
    """Image ids from a text file, one a line; blank lines are skipped.

    Raises:
        DataError: no such file, no id in it, an id twice, or one that is a path.
    """
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not readable as a list of image ids ({error})") from error
    ids = [line.strip() for line in lines if line.strip()]
    if not ids:
        raise DataError(f"{path}: no image id in it; expected one a line")
    if len(set(ids)) != len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise DataError(f"{path}: image id {twice} occurs twice; keep one")
    for image_id in ids:
        checked_id(image_id, path, "correct the list: ids are file names without folder and suffix")
    return tuple(ids)
