"""A folder of images without labels, sub-folders included."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image

from weakpan.basics.arrays import RGBImage
from weakpan.basics.errors import DataError
from weakpan.storage.images import inspect_image, read_rgb

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
"""Files that are taken for images, in lower or upper case."""

_WITH_END_MARKER = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class ImageFolder:
    """Images of any size below a folder; the id of one is its file name without the suffix.

    Files and folders whose name begins with a dot are left out: file managers and cameras put previews there.

    Attributes:
        root: top folder.

    Raises:
        DataError: on first use, for a missing folder, one without images, or two images with the same id.
    """

    root: Path

    @cached_property
    def _paths(self) -> dict[str, Path]:
        if not self.root.is_dir():
            what = "is a file" if self.root.exists() else "no such folder"
            raise DataError(f"input={self.root}: {what}; expected a folder of images")
        found: dict[str, Path] = {}
        for path in sorted(self.root.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(self.root).parts)
            if hidden or path.suffix.lower() not in SUFFIXES or path.is_dir():
                continue
            if path.stem in found:
                raise DataError(
                    f"{path} and {found[path.stem]} have the same name {path.stem!r}, and so would their results; "
                    "rename one"
                )
            found[path.stem] = path
        if not found:
            raise DataError(f"input={self.root}: no image in it ({', '.join(SUFFIXES)})")
        return found

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Image ids, sorted."""
        return tuple(sorted(self._paths))

    def image_path(self, image_id: str) -> Path:
        """Path of the image."""
        return self._paths[image_id]

    def image(self, image_id: str) -> RGBImage:
        """The image as (H, W, 3) uint8, RGB, turned as its EXIF orientation says."""
        return read_rgb(self._paths[image_id])

    def image_size(self, image_id: str) -> tuple[int, int]:
        """(height, width) as stored, before the EXIF orientation; raises DataError if the file is truncated."""
        path = self._paths[image_id]
        size = inspect_image(path)
        if path.suffix.lower() not in _WITH_END_MARKER:
            # Only PNG and JPEG say where they end; the others are decoded to see whether they are whole.
            try:
                with Image.open(path) as image:
                    image.load()
            except (OSError, SyntaxError, ValueError) as error:
                raise DataError(f"{path}: not readable ({error}); it may be truncated: write it again") from error
        return size
