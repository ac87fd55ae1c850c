"""COCO panoptic files in and out of weak training: images of ground truth by name, files from pseudo labels."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np

from weakpan.basics.arrays import IGNORE, InstanceMap, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.basics.panoptic import PanopticMap, Segment
from weakpan.data.formats.coco import CocoImage, CocoPanoptic, segment_records
from weakpan.storage.layout import checked_id


def image_names(coco: CocoPanoptic) -> dict[str, str]:
    """What the images of a COCO file are called: their ids in the file, by name, in the order of the file.

    An image is called by its id if that is text, and if it is a number (as in COCO itself) by the name of its file
    without folder and suffix.

    Raises:
        DataError: two images of one name, or a name that is a path.
    """
    names: dict[str, str] = {}
    for coco_id in coco.ids:
        image_id = _image_name(coco, coco_id)
        if image_id in names:
            raise DataError(f"{coco.path}: two images are called {image_id}; rename one, image ids must be unique")
        names[checked_id(image_id, coco.path)] = coco_id
    return names


def _image_name(coco: CocoPanoptic, coco_id: str) -> str:
    image = coco.images.get(coco_id)
    if image is not None and isinstance(image.id, int) and image.file_name is not None:
        return PurePosixPath(image.file_name).stem
    return coco_id


def labels_to_coco(
    image_id: str, file_name: str, semantic: SemanticMap, instances: InstanceMap, catalog: Catalog
) -> tuple[PanopticMap, CocoImage]:
    """Pseudo labels of one image as COCO panoptic ground truth.

    A class of stuff is one segment, whatever its instance numbers; an instance of a thing is one segment. Thing pixels
    that no single box claims (instance 0 or -1) are one segment a class with `iscrowd` 1: that is how the format says
    that the class of a pixel is known and its instance is not. Trainers use such pixels for classes and leave them out
    for instances; unlabelled, the class would be lost too. Reading the file again with `CocoPanoptic.truth` gives back
    `semantic`, and the division into instances.

    Segment ids count from 1: classes of stuff and crowds by train id, then instances by number.

    Args:
        image_id: unique in the file.
        file_name: of the image.
        semantic: (H, W) train ids, 255 unlabelled.
        instances: (H, W) int32: 0 none, -1 unlabelled, k >= 1 the k-th; of a thing, (class, k) is one instance.
        catalog: tells things from stuff.

    Returns:
        What `write_panoptic_png` writes, and the record for `write_panoptic_json`. In the map a crowd is a segment like
        others: it is meant for the file, not for scoring.

    Raises:
        DataError: maps of different shape, or a train id outside the class table.
    """
    where = f"labels of {image_id}"
    if semantic.shape != instances.shape:
        raise DataError(f"{where}: semantic map of shape {semantic.shape}, instance map of {instances.shape}")
    semantic = catalog.check_train_ids(semantic, where)
    numbers = np.where(catalog.is_thing[semantic], np.maximum(instances, 0), 0).astype(np.int64)
    # One code a segment; they sort as the ids shall.
    coded = numbers * 256 + semantic
    codes = np.unique(coded)
    ids_of = np.zeros(len(codes), np.int32)
    segments: list[Segment] = []
    crowds: list[bool] = []
    for k, code in enumerate(codes):
        number, class_id = divmod(int(code), 256)
        if class_id == IGNORE:
            continue
        segments.append(Segment(len(segments) + 1, class_id, 1.0))
        crowds.append(number == 0 and bool(catalog.is_thing[class_id]))
        ids_of[k] = len(segments)
    panoptic = PanopticMap(ids_of[np.searchsorted(codes, coded)], tuple(segments))
    records = segment_records(panoptic, catalog)
    for record, crowd in zip(records, crowds, strict=True):
        record["iscrowd"] = int(crowd)
    height, width = semantic.shape
    return panoptic, CocoImage(image_id, file_name, height, width, tuple(records))
