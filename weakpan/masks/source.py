"""Sources of masks in boxes: made from the pixels, or read from files that another tool wrote."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from weakpan.basics.arrays import RGBImage
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import ConfigError, DataError, RunError
from weakpan.data.annotations import ImageAnnotation
from weakpan.masks.result import BoxMaskResult

LoadImage = Callable[[], RGBImage]
"""Loads an image, (H, W, 3) uint8 RGB."""


class MaskSource(ABC):
    """A source of masks in boxes, which the group `masks` of the configuration names by `_target_`.

    Sources travel to worker processes: they can be pickled, are small when they are, and their modules do without torch
    while they are imported. One that has a mask a box, or loose masks to match with boxes, makes its map with
    `weakpan.masks.matching.match_masks`. What it reads from is best called `path`: such an argument is compared as a
    full path when a stage goes on.
    """

    @property
    def supervision(self) -> str:
        """What stands behind the masks, in words, for reports."""
        return f"masks in boxes from {type(self).__name__}, with whatever it has learned from"

    @abstractmethod
    def masks(self, annotation: ImageAnnotation, load_image: LoadImage, catalog: Catalog, /) -> BoxMaskResult:
        """Masks in the boxes of one image; the same for equal input.

        Args:
            annotation: of the image: its id, size and boxes.
            load_image: loads the image; sources that read files never call it.
            catalog: class table of the train ids.

        Raises:
            ConfigError: a setting that turned out wrong, named by its field.
            DataError: the source has nothing on this image, or what it has is damaged or of another size.
        """

    def check_files(self) -> None:  # noqa: B027
        """Look whether what the source reads is there, before any work is done.

        Raises:
            ConfigError: it is not, named by its field, `path` for instance; or a library is not installed.
            DataError: it is damaged, as far as files tell.
        """

    def contents(self) -> dict[str, str]:
        """Checksums, by field, of files that may change while their paths stay; raises OSError for one that is gone.

        Those are weights, and masks in one file; folders with a file an image are not looked through.
        """
        return {}

    def pinned(self) -> MaskSource:
        """The same source, which refuses to work once `contents` are others than now."""
        contents = self.contents()
        return PinnedMasks(self, contents) if contents else self


@dataclass(frozen=True)
class PinnedMasks(MaskSource):
    """A source whose files stay as they were, in worker processes that read them later, too.

    Attributes:
        source: of the masks.
        pinned_contents: of the source when work began.
    """

    source: MaskSource
    pinned_contents: Mapping[str, str]

    @property
    def supervision(self) -> str:
        """That of the source."""
        return self.source.supervision

    def contents(self) -> dict[str, str]:
        """Those that the source had when work began."""
        return dict(self.pinned_contents)

    def masks(self, annotation: ImageAnnotation, load_image: LoadImage, catalog: Catalog) -> BoxMaskResult:
        """Masks of the source; raises RunError where its files have changed or are gone."""
        try:
            now = self.source.contents()
        except OSError:
            now = {}
        changed = [key for key, digest in self.pinned_contents.items() if now.get(key) != digest]
        if changed:
            key = changed[0]
            raise RunError(
                f"changed while masks were made with it ({self.pinned_contents[key]} when the stage began, "
                f"{now.get(key, 'gone')} now)",
                key=key,
                remedy="masks of two versions do not go together: put back what was there, or make all masks in a new "
                "folder",
            )
        return self.source.masks(annotation, load_image, catalog)


def load_checked(annotation: ImageAnnotation, load_image: LoadImage) -> RGBImage:
    """The image of an annotation, (H, W, 3).

    Raises:
        DataError: it has another size than the annotation says, or a box is empty or not in it.
    """
    image = load_image()
    height, width = annotation.height, annotation.width
    if image.shape[:2] != (height, width):
        raise DataError(
            f"image {annotation.image_id}: {image.shape[0]} x {image.shape[1]} pixels (height x width), its weak "
            f"annotation says {height} x {width}",
            remedy="annotate this version of the image",
        )
    for index, box in enumerate(annotation.boxes):
        if not (0 <= box.xmin <= box.xmax < width and 0 <= box.ymin <= box.ymax < height):
            raise DataError(
                f"image {annotation.image_id}: box {index} ({box.xmin}, {box.ymin}, {box.xmax}, {box.ymax}) is empty "
                f"or outside its {width} x {height} image",
                remedy="check that image and annotation belong together",
            )
    return image


def require_file(path: Path, key: str = "path") -> None:
    """Raise ConfigError, naming the field, where there is no such file."""
    if not path.is_file():
        raise ConfigError("no such file", key=key, found=path)


def require_folder(path: Path, key: str = "path") -> None:
    """Raise ConfigError, naming the field, where there is no such folder."""
    if not path.is_dir():
        raise ConfigError("no such folder", key=key, found=path)


def check_template(template: str) -> None:
    """Refuse a file name that is the same for every image; raises ConfigError."""
    if "{id}" not in template:
        raise ConfigError("must hold {id}, which stands for the image id", key="template", found=template)
