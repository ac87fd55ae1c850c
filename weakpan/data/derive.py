"""Weak annotations from real labels: the only place where training masks become boxes and tags."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from weakpan.basics.errors import DataError
from weakpan.data.annotations import ImageAnnotation, WeakAnnotations
from weakpan.data.boxes import boxes_from_maps
from weakpan.data.crops import CropGrid
from weakpan.data.image_tree import CityscapesSplit
from weakpan.parallel.sharing import end_with_parent


def derive_image(image_id: str, split: CityscapesSplit, grid: CropGrid) -> ImageAnnotation:
    """Boxes and crop tags of one image from its real labels."""
    truth = split.truth(image_id)
    height, width = truth.semantic.shape
    boxes = boxes_from_maps(truth.semantic, truth.instances, split.catalog)
    return ImageAnnotation(image_id, height, width, boxes, grid.tags(truth.semantic))


def derive_annotations(split: CityscapesSplit, grid: CropGrid, workers: int) -> WeakAnnotations:
    """Boxes and crop tags of a whole split, once; afterwards nobody needs the masks.

    Raises:
        DataError: an image without real labels, named.
    """
    for image_id in split.ids:
        if not split.has_truth(image_id):
            raise DataError(
                f"{split.image_path(image_id)}: no annotation; give weak annotations with data.weak_annotations, "
                "add its label maps, or leave it out with data.train_list"
            )
    derive = partial(derive_image, split=split, grid=grid)
    if workers < 2 or len(split.ids) < 32:
        images = [derive(image_id) for image_id in split.ids]
    else:
        # A forked copy of a process that holds threads can hang; fresh ones cost a second.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
            images = list(pool.map(derive, split.ids, chunksize=8))
    return WeakAnnotations(split.catalog, grid, {image.image_id: image for image in images})


def check_annotations(annotations: WeakAnnotations, split: CityscapesSplit) -> None:
    """Hold weak annotations against the images they speak of, before any work starts.

    Raises:
        DataError: an image without annotation, an annotation without image, or another size.
    """
    images, annotated = set(split.ids), set(annotations.images)
    if images - annotated:
        example = min(images - annotated)
        raise DataError(
            f"{split.image_path(example)}: no entry in the weak-annotation file ({len(images - annotated)} such "
            "images); annotate it or leave it out with data.train_list"
        )
    if annotated - images and split.only_ids is None:
        example = min(annotated - images)
        raise DataError(
            f"weak annotations name {example}, which has no image in split {split.split} of {split.root} "
            f"({len(annotated - images)} such entries); add the images or choose ids with data.train_list"
        )
    for image_id in split.ids:
        entry, size = annotations.images[image_id], split.image_size(image_id)
        if (entry.height, entry.width) != size:
            raise DataError(
                f"{split.image_path(image_id)}: {size[0]} x {size[1]} pixels (height x width), its weak annotation "
                f"says {entry.height} x {entry.width}"
            )
