"""A seed source outside the package: a class here and one YAML entry are all that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from weakpan.basics.arrays import IGNORE, SemanticMap
from weakpan.basics.settings import between, setting
from weakpan.data.annotations import WeakAnnotations
from weakpan.data.candidates import whole_image_sets
from weakpan.seeds import SeedJob, SeedSource


@dataclass(frozen=True)
class OnlyCandidate(SeedSource):
    """Labels a pixel where tags and boxes leave it a single class, without any network.

    Attributes:
        largest: share of an image that a class may get before it is left out.
    """

    largest: float = setting(1.0, between(0, 1))

    @property
    def supervision(self) -> str:
        """What stands behind the seeds."""
        return "seeds: pixels that tags and boxes leave one class"

    def make(self, job: SeedJob) -> None:
        """Image by image, in worker processes."""
        job.each_image(partial(self.label_map, job.annotations))

    def label_map(self, annotations: WeakAnnotations, image_id: str) -> SemanticMap:
        """(H, W) uint8 train ids, 255 where more classes or none are left."""
        sets = whole_image_sets(annotations.images[image_id], annotations.grid, annotations.catalog)
        only = np.where(sets.table.sum(axis=1) == 1, sets.table.argmax(axis=1), IGNORE)
        only[0] = IGNORE
        labels = only.astype(np.uint8)[sets.index]
        for class_id in np.unique(labels):
            if class_id != IGNORE and np.mean(labels == class_id) > self.largest:
                labels[labels == class_id] = IGNORE
        return labels


YAML: Mapping[str, object] = {"_target_": "tests.extension.seeds.OnlyCandidate", "largest": 0.9}
"""As a file `seeds/only_candidate.yaml` would hold it."""
