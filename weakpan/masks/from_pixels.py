"""Masks in boxes from the pixels: GrabCut, a segment proposal, the shape of a box and perhaps a network together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from weakpan.basics.arrays import BoolMask, FloatMap, RGBImage
from weakpan.basics.errors import ConfigError
from weakpan.basics.settings import between, check_settings, one_of, setting
from weakpan.data.annotations import Box, BoxKind
from weakpan.masks.fallback import FallbackSettings, fallback_mask
from weakpan.masks.fusion import FusionSettings, colour_evidence, fuse
from weakpan.masks.grabcut import GrabCutSettings, grabcut_mask
from weakpan.masks.painting import Overlap, mask_iou, paint_masks
from weakpan.masks.proposals import Proposer
from weakpan.masks.region import RegionSettings, crop_region
from weakpan.masks.result import BoxMaskResult, BoxRecord, Fallback
from weakpan.masks.source import MaskSource


@dataclass(frozen=True, kw_only=True)
class MasksFromPixels(MaskSource):
    """Settings and steps that sources share which look at the pixels of each box; where proposals come from is theirs.

    Attributes:
        region: how a box is shown.
        min_box: boxes with a side shorter than this many pixels are too small for GrabCut and proposals, 0..1024; they
            take the fallback, or are left to the network where there is one.
        grabcut: its seeds.
        fusion: weights of the evidence; None keeps what GrabCut and the proposal agree on, as published.
        fallback: for boxes without a mask.
        overlap: where the masks of two classes meet: "small" for the smaller box, "ignore" for undecided.

    Raises:
        ConfigError: a value outside its range, named by its field.
    """

    region: RegionSettings = field(default_factory=RegionSettings)
    min_box: int = setting(4, between(0, 1024))
    grabcut: GrabCutSettings = field(default_factory=GrabCutSettings)
    fusion: FusionSettings | None = field(default_factory=FusionSettings)
    fallback: FallbackSettings = field(default_factory=FallbackSettings)
    overlap: str = setting("small", one_of(Overlap))

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_settings(self)
        if self.grabcut.core >= self.grabcut.corner:
            raise ConfigError(
                f"has to be below grabcut.corner={self.grabcut.corner}", key="grabcut.core", found=self.grabcut.core
            )

    def masks_in_boxes(
        self,
        image: RGBImage,
        boxes: Sequence[Box],
        proposer: Proposer,
        probabilities: Mapping[int, FloatMap] | None = None,
        weight: float = 1.0,
    ) -> BoxMaskResult:
        """Find the pixels of the things in an image from their boxes.

        Args:
            image: (H, W, 3) RGB, 0..255.
            boxes: in the image. Only instance boxes get masks; group boxes are undecided, those of stuff passed over.
            proposer: of segments. A box that it has none for is decided by the other evidence; where GrabCut and the
                proposal have to agree, there is no consensus in it.
            probabilities: by position in `boxes`, (box height, box width), that a mask network gives to each pixel,
                0..1; they count in a fusion only.
            weight: factor of their log odds.
        """
        masks: dict[int, BoolMask] = {}
        records = []
        for index, box in enumerate(boxes):
            if box.kind is BoxKind.INSTANCE:
                mask, record = self._mask_in_box(image, index, box, proposer, (probabilities or {}).get(index), weight)
                records.append(record)
                if record.cover > 0:
                    masks[index] = mask
        # A fusion knows what is behind a box further in front; an agreement of two masks does not.
        doubt_hides = self.fusion is None
        semantic = paint_masks(image.shape[:2], boxes, masks, Overlap(self.overlap), doubt_hides)
        return BoxMaskResult(semantic, tuple(records))

    def _mask_in_box(
        self,
        image: RGBImage,
        index: int,
        box: Box,
        proposer: Proposer,
        probability: FloatMap | None,
        weight: float,
    ) -> tuple[BoolMask, BoxRecord]:
        small = min(box.shape) < self.min_box
        nothing = np.zeros(box.shape, np.bool_)
        grabcut, proposal, colour = (nothing, nothing, None) if small else self._look(image, box, proposer)
        reason, mask = Fallback.NOT_NEEDED, grabcut & proposal
        if small and (self.fusion is None or probability is None):
            reason = Fallback.SMALL_BOX
        else:
            if self.fusion is not None:
                foot_seen = box.ymax < image.shape[0] - 1
                odds = fuse(box.shape, colour, probability, weight, self.fusion, foot_seen)
                mask = odds > self.fusion.threshold
            if mask.mean() < self.fallback.min_cover:
                reason = Fallback.NO_CONSENSUS
        if reason is not Fallback.NOT_NEEDED:
            mask = fallback_mask(*box.shape, self.fallback)
        record = BoxRecord(
            index=index,
            class_id=box.class_id,
            grabcut_area=int(grabcut.sum()),
            proposal_area=int(proposal.sum()),
            agreement=mask_iou(grabcut, proposal),
            cover=float(mask.mean()),
            fallback=reason,
            network_area=0 if probability is None else int((probability >= 0.5).sum()),
        )
        return mask, record

    def _look(self, image: RGBImage, box: Box, proposer: Proposer) -> tuple[BoolMask, BoolMask, FloatMap | None]:
        """What the pixels of a box show, each (box height, box width).

        Masks of GrabCut and of the proposal, empty without one; and `colour_evidence`, None where it is not needed.
        """
        region = crop_region(image, box, self.region.side, self.region.margin)
        spread = 0.0 if self.fusion is None else self.fusion.core_spread
        cuts = [
            grabcut_mask(region, core, self.grabcut.corner, self.grabcut.iterations)
            for core in self.grabcut.cores(spread)
        ]
        grabcut, found = region.to_box(cuts[0]), proposer(box, region)
        proposal = np.zeros_like(grabcut) if found is None else found.inside
        colour = None
        if self.fusion is not None:
            colour = colour_evidence(region, cuts, None if found is None else found.seen, self.fusion)
        return grabcut, proposal, colour
