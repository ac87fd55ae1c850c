"""Label rule: masks in boxes (M&G: a segment proposal and GrabCut agree) overrule the prediction of things."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import SemanticMap
from weakpan.basics.settings import at_least, setting
from weakpan.labels.pixels import table_dropping, table_marking, translate
from weakpan.labels.rule import MASKS, MapContext, MapRule


@dataclass(frozen=True)
class MaskMerge(MapRule):
    """Takes things from the masks in boxes.

    Attributes:
        last_round: in which it applies; from then on the network knows better. The published setting is 5.
    """

    last_round: int = setting(5, at_least(0))

    needs = frozenset({MASKS})
    color = (0, 158, 115)

    def applies_in(self, round_index: int) -> bool:
        """Up to the last round."""
        return round_index <= self.last_round

    def __call__(self, semantic: SemanticMap, context: MapContext) -> SemanticMap:
        """A new map, see `merge_masks`."""
        assert context.masks is not None
        return merge_masks(semantic, context.masks, context.catalog.is_thing)


def merge_masks(semantic: SemanticMap, masks: SemanticMap, is_thing: npt.NDArray[np.bool_]) -> SemanticMap:
    """Take things from the masks alone and stuff from the prediction.

    Where the masks hold a thing, that thing; elsewhere predicted stuff stays and predicted things become 255. "No thing
    here" and "undecided" are treated alike, as in the authors' released code.

    Args:
        semantic: (H, W) uint8 train ids, 255 ignored.
        masks: (H, W) uint8, the train id of a thing, 254 no thing here, 255 undecided.
        is_thing: (256,), as in `Catalog.is_thing`.

    Returns:
        (H, W) uint8, a new map.
    """
    merged = translate(semantic, table_dropping(is_thing))
    cv2.copyTo(masks, translate(masks, table_marking(is_thing)), dst=merged)
    return merged
