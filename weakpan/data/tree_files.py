"""Files of a data set laid out like Cityscapes, found by image id.

File names are templates with `{split}`, `{group}` (the city or sequence folder) and `{id}`, so that a data set with
other suffixes or folders needs only configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from weakpan.storage.layout import checked_id


@dataclass
class FileTemplates:
    """Where the files of an image lie below the root.

    Attributes:
        image: the image.
        label_ids: map of dataset ids (8 bits).
        instance_ids: map of dataset ids and `id * 1000 + n` (16 bits).
        label_train_ids: the same as `label_ids` in train ids.
        instance_train_ids: the same as `instance_ids` in train ids.
    """

    image: str = "leftImg8bit/{split}/{group}/{id}_leftImg8bit.png"
    label_ids: str = "gtFine/{split}/{group}/{id}_gtFine_labelIds.png"
    instance_ids: str = "gtFine/{split}/{group}/{id}_gtFine_instanceIds.png"
    label_train_ids: str = "gtFine/{split}/{group}/{id}_gtFine_labelTrainIds.png"
    instance_train_ids: str = "gtFine/{split}/{group}/{id}_gtFine_instanceTrainIds.png"


@dataclass(frozen=True)
class TreeFiles:
    """The files of one split.

    Attributes:
        root: of the tree.
        split: folder name, for instance `train`.
    """

    root: Path
    split: str

    def matches(self, template: str) -> Iterator[tuple[Path, str, str]]:
        """Every file that follows a template, with its id and its group ("" where the template has none)."""
        pattern = re.escape(template.format(split=self.split, group="{group}", id="{id}"))
        for part in ("group", "id"):
            # Where a part occurs again it must be the same again.
            place = re.escape(f"{{{part}}}")
            pattern = pattern.replace(place, f"(?P<{part}>[^/]+)", 1).replace(place, f"(?P={part})")
        for path in self.root.glob(template.format(split=self.split, group="*", id="*")):
            match = re.fullmatch(pattern, path.relative_to(self.root).as_posix())
            if match is not None:
                yield path, match["id"], match.groupdict().get("group", "")

    def expected(self, template: str, image_id: str) -> Path:
        """The file of an image with a star for its group, for messages."""
        return self.root / template.format(split=self.split, group="*", id=image_id)

    def find(self, template: str, image_id: str) -> Path | None:
        """The file of an image, or None if there is none; raises DataError for an id that is no plain file name."""
        checked_id(image_id, remedy="correct the list or file that it comes from")
        # Cityscapes' ids begin with their group, so that the first look nearly always finds the file.
        for group in sorted(self._groups(template), key=lambda g: not image_id.startswith(g)):
            path = self.root / template.format(split=self.split, group=group, id=image_id)
            if path.is_file():
                return path
        return None

    @cached_property
    def _groups_of(self) -> dict[str, tuple[str, ...]]:
        return {}

    def _groups(self, template: str) -> tuple[str, ...]:
        """What stands for the group in a template, mostly names of folders; one empty name where it has none."""
        if template not in self._groups_of:
            before, group, after = template.partition("{group}")
            if not group:
                names = {""}
            elif before[-1:] in ("", "/") and after[:1] == "/" and "{id}" not in before:
                folder = self.root / before.format(split=self.split)
                names = {path.name for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else set()
            else:
                names = {found for _, _, found in self.matches(template)}
            self._groups_of[template] = tuple(sorted(names))
        return self._groups_of[template]
