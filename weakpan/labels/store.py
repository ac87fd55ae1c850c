"""The pseudo labels of one round on disk.

A folder with, for each image, `ID_semantic.png` (8 bits: train ids, 255 ignored) and `ID_instances.png` (16 bits: 0 no
instance, 65535 unlabelled). The record of the stage lies beside them, see `weakpan.storage.stage_record`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from weakpan.basics.errors import DataError
from weakpan.labels.encode import from_png16, to_png16
from weakpan.labels.pipeline import PseudoLabels
from weakpan.storage.images import read_map, write_png
from weakpan.storage.layout import checked_id


class LabelStore:
    """Reads and writes the folder described at the top of this module; holds no state besides its path.

    Several processes may write different images at the same time.

    Args:
        folder: of one round; made by the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def semantic_path(self, image_id: str) -> Path:
        """File of an image's semantic map; raises DataError for an id that is no plain file name."""
        return self.folder / f"{checked_id(image_id)}_semantic.png"

    def instances_path(self, image_id: str) -> Path:
        """File of an image's instance map; raises DataError for an id that is no plain file name."""
        return self.folder / f"{checked_id(image_id)}_instances.png"

    def has(self, image_id: str) -> bool:
        """Whether both files of an image are there, sealed or not."""
        return self.semantic_path(image_id).is_file() and self.instances_path(image_id).is_file()

    def read(self, image_id: str) -> PseudoLabels:
        """Read the labels of one image, sealed or not.

        Raises:
            DataError: a file that is missing, truncated or not of this format, or two maps of different size.
        """
        paths = self.semantic_path(image_id), self.instances_path(image_id)
        semantic, instances = (read_map(path) for path in paths)
        for path, values, dtype in ((paths[0], semantic, np.uint8), (paths[1], instances, np.uint16)):
            if values.dtype != dtype:
                raise DataError(f"{path}: expected a PNG of {np.dtype(dtype)}, found {values.dtype}; make it again")
        if semantic.shape != instances.shape:
            raise DataError(
                f"{paths[1]}: size {instances.shape} differs from {semantic.shape} of {paths[0].name}; make both again"
            )
        return PseudoLabels(semantic.astype(np.uint8), from_png16(instances.astype(np.uint16, copy=False)))

    def files(self, image_id: str) -> tuple[Path, Path]:
        """Both files of an image."""
        return self.semantic_path(image_id), self.instances_path(image_id)

    def is_whole(self, image_id: str) -> bool:
        """Whether both files of an image are there and can be read to their end."""
        try:
            self.read(image_id)
        except DataError:
            return False
        return True

    def write(self, image_id: str, labels: PseudoLabels) -> None:
        """Write the labels of one image; `has` is True only when both files are whole.

        Raises:
            DataError: an id that is no plain file name, or an instance id above 65534.
        """
        semantic_path, encoded = self.semantic_path(image_id), to_png16(labels.instances)
        write_png(self.instances_path(image_id), encoded)
        write_png(semantic_path, labels.semantic)
