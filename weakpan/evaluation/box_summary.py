"""Scores of many boxes as one table: over all, by class, by size and by what became of the box."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from weakpan.evaluation.box_scores import MASK, READINGS, BoxScore, PixelCounts
from weakpan.evaluation.statistics import mean_of

SIZES = (("small", 32**2), ("medium", 96**2), ("large", None))
"""Name of each band of sizes and the area of a box, pixels of the photograph, that it ends below.

The bands of COCO (https://cocodataset.org/#detection-eval), of boxes: how much of an object there is to see decides how
well it can be cut out, whatever the share of the image that it fills, and figures of several data sets compare.
"""


@dataclass(frozen=True)
class AuditedBox:
    """A scored box, with its name.

    Attributes:
        image_id: of its image.
        class_name: of its class.
        score: what its masks are worth.
        fallback: what became of it, a value of `Fallback`.
        cover: share of the box that its mask filled, 0..1, before other boxes were painted over it.
    """

    image_id: str
    class_name: str
    score: BoxScore
    fallback: str
    cover: float

    @property
    def size(self) -> str:
        """Name of its band of sizes."""
        return next(name for name, end in SIZES if end is None or self.score.box.area < end)

    @property
    def is_scored(self) -> bool:
        """Whether it speaks of a real instance."""
        return bool(self.score.counts)

    @property
    def iou(self) -> float:
        """IoU of its mask with the instance, 0..1, for a box that `is_scored`."""
        return self.score.counts[MASK].iou


def summarise_boxes(boxes: Sequence[AuditedBox], class_names: Iterable[str]) -> dict[str, Any]:
    """Figures of all boxes and of groups of them, as JSON can hold them.

    Args:
        boxes: of any number of images.
        class_names: in the order that they shall have; those without a box are left out.

    Returns:
        `all`, and groups by name: `by_class`, `by_size`, `by_fallback`. Each group holds `boxes`, their number;
        `boxes_without_real_instance`, those of them that cannot be scored; and for each of `READINGS` what
        `summarise_counts` says of the others.
    """
    groups: tuple[tuple[str, Iterable[str], Callable[[AuditedBox], str]], ...] = (
        ("by_class", class_names, lambda b: b.class_name),
        ("by_size", (name for name, _ in SIZES), lambda b: b.size),
        ("by_fallback", sorted({b.fallback for b in boxes}), lambda b: b.fallback),
    )
    result: dict[str, Any] = {"all": _summarise(boxes)}
    for key, names, name_of in groups:
        chosen = {name: [b for b in boxes if name_of(b) == name] for name in names}
        result[key] = {name: _summarise(some) for name, some in chosen.items() if some}
    return result


def summarise_counts(counts: Sequence[PixelCounts]) -> dict[str, float | None]:
    """Figures of the masks in several boxes, 0..1, None where nothing can be said.

    Returns:
        Means over the boxes: `iou`, `precision` (of those with a mask) and `recall`. Of the pixels of all boxes, where
        one in two boxes counts twice: `instance_precision`, the share of the masks' pixels that lie on the instance of
        the box, `class_precision`, the share of them on its class, and `pixel_recall`, the share of the instances'
        pixels that lie in a mask.
    """
    pixels, real, shared, of_class = (
        sum(getattr(c, name) for c in counts) for name in ("pixels", "real", "shared", "of_class")
    )
    return {
        "iou": mean_of(c.iou for c in counts),
        "precision": mean_of(c.precision for c in counts),
        "recall": mean_of(c.recall for c in counts),
        "instance_precision": shared / pixels if pixels else None,
        "class_precision": of_class / pixels if pixels else None,
        "pixel_recall": shared / real if real else None,
    }


def worst_boxes(boxes: Iterable[AuditedBox], count: int) -> list[AuditedBox]:
    """The boxes of lowest IoU, the worst first; of equal ones the largest, then by image and position."""
    scored = (b for b in boxes if b.is_scored)
    return sorted(scored, key=lambda b: (b.iou, -b.score.box.area, b.image_id, b.score.index))[:count]


def worst_images(boxes: Iterable[AuditedBox], count: int) -> list[tuple[str, float]]:
    """Ids of the images with the lowest mean IoU of their boxes, the worst first, and that mean; then by id."""
    found: dict[str, list[float]] = {}
    for box in boxes:
        if box.is_scored:
            found.setdefault(box.image_id, []).append(box.iou)
    means = {image_id: sum(ious) / len(ious) for image_id, ious in found.items()}
    return sorted(means.items(), key=lambda item: (item[1], item[0]))[:count]


def _summarise(boxes: Sequence[AuditedBox]) -> dict[str, Any]:
    scored = [b.score.counts for b in boxes if b.is_scored]
    return {
        "boxes": len(boxes),
        "boxes_without_real_instance": len(boxes) - len(scored),
        **{name: summarise_counts([counts[name] for counts in scored]) for name in READINGS},
    }
