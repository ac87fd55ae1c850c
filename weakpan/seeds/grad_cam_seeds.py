"""Seeds from the heatmaps of the crop classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import ConfigError
from weakpan.basics.settings import between, check_settings, setting
from weakpan.seeds.heatmaps import HeatmapFolder
from weakpan.seeds.rules import Competing, HeatmapRule
from weakpan.seeds.source import SeedJob, SeedSource


@dataclass(frozen=True)
class GradCamSeeds(SeedSource):
    """Grad-CAM of a classifier that learned the tags of the crops, and a rule from heatmaps to a label map.

        seeds:
          _target_: weakpan.seeds.GradCamSeeds
          rule: {_target_: weakpan.seeds.PublishedRule, threshold: 0.5}
          scales: [1.0]
          flip: false

    Attributes:
        rule: from heatmaps to a label map.
        scales: factors by which crops are scaled before the classifier looks at them; heatmaps are averaged over them.
        flip: average over the crops and their mirror images.
        keep_heatmaps: write the heatmaps, too, see `weakpan.seeds.heatmaps`; maps are the same with and without.

    Raises:
        ConfigError: a value outside its range, named by its field.
    """

    rule: HeatmapRule = field(default_factory=Competing)
    scales: list[float] = setting([1.0, 1.5], between(0.1, 10))
    flip: bool = True
    keep_heatmaps: bool = False

    needs_classifier: ClassVar[bool] = True
    reads_heatmaps: ClassVar[bool] = True
    without_effect: ClassVar[tuple[str, ...]] = ("keep_heatmaps",)
    without_effect_on_heatmaps: ClassVar[tuple[str, ...]] = ("keep_heatmaps", "scales", "flip")

    def __post_init__(self) -> None:
        """Check what the fields hold."""
        check_settings(self)
        if not self.scales:
            raise ConfigError("expected one or more factors", key="scales", found=[])
        if not isinstance(self.rule, HeatmapRule):
            raise ConfigError("expected a weakpan.seeds.HeatmapRule", key="rule", found=self.rule)

    @property
    def supervision(self) -> str:
        """What stands behind the seeds."""
        return f"seeds: Grad-CAM of a classifier of these tags, label maps by {type(self.rule).__name__}"

    def make(self, job: SeedJob) -> None:
        """Predict heatmaps and make label maps from them."""
        # Torch is not needed to read settings.
        from weakpan.seeds.label_maps import HeatmapsToLabels

        if job.heatmaps is None:
            raise AssertionError("Grad-CAM seeds need the classifier that they asked for")
        folder = HeatmapFolder(job.extra("heatmaps"), job.annotations.catalog)
        if not self.keep_heatmaps:
            # Those of earlier maps would not be theirs.
            for image_id in job.todo:
                folder.path(image_id).unlink(missing_ok=True)
        keep = folder.write if self.keep_heatmaps else None
        take = HeatmapsToLabels(job.write, keep, job.annotations.grid, self.rule)
        job.heatmaps(self.scales, self.flip, take)

    def extra_files(self, extra: Callable[[str], Path], catalog: Catalog) -> HeatmapFolder | None:
        """The heatmaps, where they are kept."""
        return HeatmapFolder(extra("heatmaps"), catalog) if self.keep_heatmaps else None
