"""Random input of label making, for tests against slow references: small maps, awkward tables, boxes and rules."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from weakpan.basics.arrays import NO_THING
from weakpan.basics.catalog import MAX_CLASSES, Catalog, ClassInfo
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.data.crops import CropGrid
from weakpan.labels import BoxPrior, LowIouFill, MaskMerge, ScoreThreshold, TagCheck
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import LabelRules

SCORES = (0.0, 0.25, 0.5, 0.75, 0.99, 1.0)


class LabelCase(NamedTuple):
    """The arguments of `make_labels`."""

    inp: LabelInput
    rules: LabelRules
    catalog: Catalog
    grid: CropGrid
    round_index: int


def catalog_of(*kinds):
    """A class table with a class of things for each True."""
    return Catalog("test", tuple(ClassInfo(f"class{i}", i, (i, 0, 0), thing) for i, thing in enumerate(kinds)))


@st.composite
def catalogs(draw):
    """Tables of a few classes in any order of kinds, of one kind only, and of as many as there may be."""
    few = draw(st.lists(st.booleans(), min_size=1, max_size=6))
    form = draw(st.sampled_from(["few", "few", "things", "stuff", "many"]))
    if form == "many":
        return catalog_of(*(few * MAX_CLASSES)[:MAX_CLASSES])
    return catalog_of(*few) if form == "few" else catalog_of(*[form == "things"] * len(few))


@st.composite
def label_rules(draw):
    """Every switch: which rules in which order, thresholds at and between their ends, instances or none."""
    rules = {
        "score_threshold": ScoreThreshold(
            draw(st.sampled_from(SCORES)), draw(st.sampled_from([0.0, 0.0, 0.3, 0.5, 1.0]))
        ),
        "tag_check": TagCheck(),
        "mask_merge": MaskMerge(draw(st.integers(0, 2))),
        "box_prior": BoxPrior(),
        "low_iou_fill": LowIouFill(draw(st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 2 / 3, 1.0])), draw(st.booleans())),
    }
    if draw(st.booleans()):
        names = draw(st.permutations(list(rules)))[: draw(st.integers(0, len(rules)))]
        rules = {name: rules[name] for name in names}
    return LabelRules(rules, instances=draw(st.integers(0, 4)) > 0)


@st.composite
def label_cases(draw):
    """All arguments of `make_labels`; images from 1 x 1, smaller or larger than a crop."""
    catalog = draw(catalogs())
    largest = draw(st.sampled_from([9, 9, 24, 24, 1]))
    height, width = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    grid = CropGrid(draw(st.integers(1, 12)), draw(st.integers(1, 12)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # A few of the classes, or in a large table boxes and pixels would never meet.
    ids = rng.permutation(catalog.num_classes)[:6].tolist()
    things = [c for c in ids if catalog.is_thing[c]]
    groups = draw(st.sampled_from([0.0, 0.2, 1.0]))
    boxes = [_box(rng, int(rng.choice(ids)), catalog, height, width, groups) for _ in range(draw(st.integers(0, 12)))]
    boxes += [boxes[int(rng.integers(len(boxes)))] for _ in range(2) if boxes and rng.random() < 0.5]
    tags = tuple(frozenset(c for c in ids if rng.random() < 0.7) for _ in grid.crops(height, width))
    # In blocks of some pixels, boxes come out filled to any degree; pixel by pixel they would all be sparse.
    block = draw(st.integers(1, 5))
    scores = rng.choice(SCORES, (height, width)) if draw(st.booleans()) else rng.random((height, width))
    inp = LabelInput(
        _blocks(rng, [*ids, 255], height, width, block).astype(np.uint8),
        scores.astype(np.float32),
        _blocks(rng, [*things, NO_THING, 255], height, width, block).astype(np.uint8),
        ImageAnnotation("frame", height, width, tuple(boxes), tags),
    )
    return LabelCase(inp, draw(label_rules()), catalog, grid, draw(st.integers(0, 3)))


def _blocks(rng, values, height, width, block):
    coarse = rng.choice(values, (-(-height // block), -(-width // block)))
    return coarse.repeat(block, axis=0).repeat(block, axis=1)[:height, :width].copy()


def _box(rng, class_id, catalog, height, width, groups):
    if not catalog.is_thing[class_id] and rng.random() < 0.8:
        return Box(class_id, 0, 0, width - 1, height - 1, BoxKind.STUFF)
    xmin, xmax = sorted(rng.integers(0, width, 2).tolist())
    ymin, ymax = sorted(rng.integers(0, height, 2).tolist())
    thin = rng.random()
    if thin < 0.1:
        xmax = xmin
    elif thin < 0.2:
        ymax = ymin
    if not catalog.is_thing[class_id]:
        return Box(class_id, xmin, ymin, xmax, ymax, BoxKind.STUFF)
    return Box(class_id, xmin, ymin, xmax, ymax, BoxKind.GROUP if rng.random() < groups else BoxKind.INSTANCE)
