"""Weak annotations from ground truth: training masks become boxes and tags here and in the stage `annotations`."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from weakpan.basics.errors import DataError
from weakpan.data.annotations import ImageAnnotation, WeakAnnotations
from weakpan.data.crops import CropGrid
from weakpan.data.ground_truth import GroundTruth
from weakpan.data.image_tree import ImageTree
from weakpan.parallel.sharing import end_with_parent


def derive_image(image_id: str, truth: GroundTruth, grid: CropGrid) -> ImageAnnotation:
    """Boxes and crop tags of one image from its ground truth."""
    (height, width), boxes = truth.boxes(image_id)
    return ImageAnnotation(image_id, height, width, boxes, truth.tags(image_id, grid)[1])


def derive_annotations(images: ImageTree, grid: CropGrid, workers: int) -> WeakAnnotations:
    """Boxes and crop tags of a whole split, once; afterwards nobody needs the masks.

    Raises:
        DataError: an image without ground truth, named.
    """
    truth = GroundTruth.of(images)
    for image_id in images.ids:
        if not truth.has(image_id):
            raise DataError(
                "no ground truth beside it",
                path=images.image_path(image_id),
                remedy="give weak annotations, add its label maps, or leave it out of the list of images",
            )
    derive = partial(derive_image, truth=truth, grid=grid)
    if workers < 2 or len(images.ids) < 32:
        derived = [derive(image_id) for image_id in images.ids]
    else:
        # A forked copy of a process that holds threads can hang; fresh ones cost a second.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
            derived = list(pool.map(derive, images.ids, chunksize=8))
    return WeakAnnotations(images.catalog, grid, {entry.image_id: entry for entry in derived})
