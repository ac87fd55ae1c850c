"""Real labels of the split that a stage works on: read to score what it made, and for nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from weakpan.basics.arrays import RGBImage, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.basics.panoptic import PanopticTruth
from weakpan.config.data import DataConfig
from weakpan.data.image_tree import CityscapesSplit
from weakpan.data.label_maps import LabelMaps
from weakpan.storage.records import checksum


@dataclass(frozen=True)
class RealLabels:
    """Finds and reads the real labels of an image; its readers raise DataError for damaged files.

    Attributes:
        data: the split.
        catalog: class table.
    """

    data: DataConfig
    catalog: Catalog

    @cached_property
    def _maps(self) -> LabelMaps:
        return LabelMaps(Path(self.data.root), self.data.train_split, self.catalog, self.data.files)

    @cached_property
    def _split(self) -> CityscapesSplit:
        return CityscapesSplit(Path(self.data.root), self.data.train_split, self.catalog, self.data.files)

    @cached_property
    def _without_numbers(self) -> CityscapesSplit:
        """The split with its label maps in place of instance maps, which is what maps without instances are."""
        files = self.data.files
        bare = replace(files, instance_ids=files.label_ids, instance_train_ids=files.label_train_ids)
        return replace(self._split, templates=bare)

    def missing_instances(self, image_id: str) -> Path | None:
        """The photograph or instance map that is not there, or None."""
        missing = self._maps.missing_instances(image_id) and self._named(self.data.files.instance_ids, image_id)
        return self._maps.missing_photograph(image_id) or missing

    def missing_classes(self, image_id: str) -> Path | None:
        """The photograph or label map that is not there, or None; an instance map in place of the latter will do."""
        either = self._maps.missing_labels(image_id) and self._maps.missing_instances(image_id)
        missing = either and self._named(self.data.files.label_ids, image_id)
        return self._maps.missing_photograph(image_id) or missing

    def _named(self, template: str, image_id: str) -> Path:
        """Of the files that would do, the one that people expect."""
        return Path(self.data.root) / template.format(split=self.data.train_split, group="*", id=image_id)

    def checksums(self, image_id: str) -> list[int | None]:
        """Of the files with the labels of an image, which tell whether they are those that it was scored on."""
        return [checksum(path) for path in self._split.truth_files(image_id)]

    def photograph(self, image_id: str) -> RGBImage:
        """The photograph: (H, W, 3) RGB."""
        return self._split.image(image_id)

    def truth(self, image_id: str) -> PanopticTruth:
        """Classes and instances of an image, (H, W) each."""
        return self._split.truth(image_id)

    def classes(self, image_id: str) -> SemanticMap:
        """Classes of an image: (H, W) train ids, 255 ignored."""
        has_labels = self._without_numbers.has_truth(image_id)
        return (self._without_numbers if has_labels else self._split).truth(image_id).semantic


def check_map_size(path: Path, made: SemanticMap, real: SemanticMap) -> tuple[int, int]:
    """Height and width of a map that was made, which are those of the real labels.

    Raises:
        DataError: they are not.
    """
    height, width = real.shape
    if made.shape != (height, width):
        raise DataError(
            f"{path}: {made.shape[0]} x {made.shape[1]} pixels (height x width), the real labels have {height} x "
            f"{width}; delete the map and run the stage again"
        )
    return height, width
