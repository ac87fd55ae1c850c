"""Random data in the layout that the authors released, written with plain tools, and what should become of it.

The second half reads the files again and applies the published rules in the obvious way. It shares with the code under
test nothing but the types, the crop grid and the settings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

from tests.unit.labels.plain_labels import plain_labels
from weakpan.basics.catalog import CITYSCAPES, Catalog, ClassInfo
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.data.crops import CropGrid
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import LabelRules

GRID = CropGrid(40, 60)
SUFFIX = "_leftImg8bit"


@dataclass
class Frame:
    """Ground truth of one image.

    Attributes:
        image_id: name.
        semantic: (H, W) train ids, 255 none.
        numbers: (H, W) of the instance of its class, -1 for none.
    """

    image_id: str
    semantic: np.ndarray
    numbers: np.ndarray


def random_frame(rng, image_id, catalog, height, width, things=8) -> Frame:
    """Blocks of stuff, rectangles and ellipses of things that hide each other, groups, unlabelled strips."""
    stuff = list(catalog.stuff_ids) or [255]
    semantic = blocks(rng, [*rng.permutation(stuff)[:4], 255], height, width, int(rng.integers(8, 30))).astype(np.uint8)
    numbers = np.full((height, width), -1)
    for n in range(things if catalog.thing_ids else 0):
        class_id = int(rng.choice(catalog.thing_ids))
        tall, wide = int(rng.integers(1, max(2, height // 2))), int(rng.integers(1, max(2, width // 3)))
        top, left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
        rows, columns = np.mgrid[:tall, :wide]
        round_one = ((rows + 0.5) / tall - 0.5) ** 2 + ((columns + 0.5) / wide - 0.5) ** 2 <= 0.25
        inside = np.zeros((height, width), bool)
        inside[top : top + tall, left : left + wide] = round_one if rng.random() < 0.6 else True
        semantic[inside], numbers[inside] = class_id, -1 if rng.random() < 0.15 else n
    return Frame(image_id, semantic, numbers)


def special_frames(rng, catalog) -> list[Frame]:
    """An image smaller than a crop, one without any label, one of stuff alone, one of groups alone, one of a crowd."""
    things, stuff = catalog.thing_ids, catalog.stuff_ids
    frames = [random_frame(rng, "town_small", catalog, 25, 31, 5)]
    frames.append(Frame("town_empty", np.full((60, 90), 255, np.uint8), np.full((60, 90), -1)))
    if stuff:
        frames.append(random_frame(rng, "town_stuff", catalog, 61, 97, 0))
    if things:
        semantic = blocks(rng, [*things, 255], 60, 90, 12).astype(np.uint8)
        frames.append(Frame("town_groups", semantic, np.full((60, 90), -1)))
        numbers = np.arange(15 * 22).reshape(15, 22).repeat(4, 0).repeat(4, 1)
        frames.append(Frame("town_crowd", np.full(numbers.shape, things[-1], np.uint8), numbers))
    return frames


def write_tree(root: Path, results: Path, frames: list[Frame], catalog: Catalog, kind: str, rng) -> None:
    """Everything that stage `labels` may read; `kind` of boxes is `train_ids`, `dataset_ids` or `mat`."""
    for frame in frames:
        write_truth(root, frame, catalog, kind, rng)
        write_cues(results, frame, catalog, rng)


def write_truth(root, frame, catalog, kind, rng):
    folder = root / "gtFine" / "train" / frame.image_id.partition("_")[0]
    has_number = (frame.numbers >= 0) & (frame.semantic != 255)
    name = folder / f"{frame.image_id}_gtFine_"
    if kind == "dataset_ids":
        ids = np.array([c.dataset_id for c in catalog.classes] + [0] * (256 - catalog.num_classes))[frame.semantic]
        ignored = blocks(rng, sorted(catalog.ignored_dataset_ids) or [255], *ids.shape, 9)
        ids = np.where(frame.semantic == 255, ignored, ids)
        save(Path(f"{name}instanceIds.png"), np.where(has_number, ids * 1000 + frame.numbers, ids).astype(np.uint16))
        save(Path(f"{name}labelIds.png"), ids.astype(np.uint8))
        return
    train = frame.semantic.astype(np.uint16)
    train = np.where(has_number, train * 1000 + frame.numbers, train).astype(np.uint16)
    save(Path(f"{name}labelTrainIds.png"), frame.semantic)
    if kind == "train_ids":
        save(Path(f"{name}instanceTrainIds.png"), train)
        return
    boxes = boxes_of(train, {k: k for k in range(catalog.num_classes)}, catalog)
    # Exact repeats happen in the released files; they must not get an id of their own.
    boxes += [boxes[int(rng.integers(len(boxes)))] for _ in range(2 if boxes else 0)]
    save_mat_boxes(root / f"gtFine_bboxes/train/panoptic/{frame.image_id}{SUFFIX}.mat", boxes, catalog)


def write_cues(results, frame, catalog, rng):
    """CAM map, prediction, scores, masks in boxes: like the ground truth, with much that is wrong."""
    truth, shape = frame.semantic, frame.semantic.shape
    classes = [*range(catalog.num_classes), 255]

    def noisy(share, values, block):
        swap = blocks(rng, [0, 1], *shape, block, [1 - share, share]) == 1
        return np.where(swap, blocks(rng, values, *shape, block), truth).astype(np.uint8)

    name = f"{frame.image_id}{SUFFIX}"
    cam = np.where(blocks(rng, [0, 1], *shape, 7) == 1, noisy(0.3, classes, 9), 255).astype(np.uint8)
    save(results / f"cam/train/{name}.png", cam, rng)
    save(results / f"pred_sem_raw/{name}.png", noisy(0.3, classes, 6), rng)
    scores = blocks(rng, [0.2, 0.5, 0.7, 0.98, 0.99, np.nextafter(np.float32(0.99), 0), 1.0], *shape, 5)
    path = results / f"pred_flat_feat/{name}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"feat": scores.astype(np.float32)}, do_compression=bool(rng.random() < 0.7))
    nothing = 254 if catalog.is_thing[0] else 0
    things = [*catalog.thing_ids, nothing, 255]
    masks = noisy(0.4, things, 8)
    masks[~np.isin(masks, things)] = nothing
    save(results / f"mcg_and_grabcut/train/{name}.png", masks, rng)


def blocks(rng, values, height, width, block, p=None):
    coarse = rng.choice(values, (-(-height // block), -(-width // block)), p=p)
    return coarse.repeat(block, axis=0).repeat(block, axis=1)[:height, :width].copy()


def save(path: Path, values: np.ndarray, rng=None) -> None:
    """Plain PNG, or with `rng` an indexed one of random colours, which say nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values.astype(np.uint8) if values.max(initial=0) < 256 and rng is not None else values)
    if rng is not None:
        image.putpalette(rng.integers(0, 256, 768, dtype=np.uint8).tobytes())
    image.save(path)


def save_mat_boxes(path, boxes, catalog):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.zeros((1, len(boxes)), [(n, object) for n in ("name", "bndbox", "is_grp", "is_stuff")])
    for k, box in enumerate(boxes):
        corners = {c: str(getattr(box, c)) for c in ("xmin", "ymin", "xmax", "ymax")}
        rows[0, k] = (
            catalog.names[box.class_id],
            corners,
            str(int(box.kind == "group")),
            str(int(box.kind == "stuff")),
        )
    annotation = {"object": rows} if boxes else np.zeros((0, 0))
    scipy.io.savemat(path, {"dets": {"annotation": annotation}}, do_compression=True)


def write_table(path: Path, things: list[bool], first_dataset_id: int = 3) -> Catalog:
    """A class table as JSON; returns what it says."""
    classes = [
        {"name": f"class {k}", "dataset_id": first_dataset_id + k, "color": [k, 10 * k, 200], "thing": thing}
        for k, thing in enumerate(things)
    ]
    path.write_text(json.dumps({"name": "own", "classes": classes, "ignored_dataset_ids": [1, 2]}))
    infos = tuple(ClassInfo(c["name"], c["dataset_id"], tuple(c["color"]), c["thing"]) for c in classes)
    return Catalog("own", infos, frozenset({1, 2}))


# What should become of it.


def load(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def boxes_of(raw: np.ndarray, train_id_of: dict[int, int], catalog: Catalog) -> list[Box]:
    """Ids ascending; 255 dropped; instances, groups of things, image-wide boxes of stuff."""
    found = {}
    for value in np.unique(raw).tolist():
        class_id = train_id_of.get(value // 1000 if value >= 1000 else value)
        if class_id is not None:
            found[value >= 1000, class_id, value % 1000 if value >= 1000 else 0] = value
    boxes = []
    for (single, class_id, _), value in sorted(found.items()):
        rows, columns = np.nonzero(raw == value)
        corners = [int(v) for v in (columns.min(), rows.min(), columns.max(), rows.max())]
        if class_id not in catalog.thing_ids:
            boxes.append(Box(class_id, 0, 0, raw.shape[1] - 1, raw.shape[0] - 1, BoxKind.STUFF))
        else:
            boxes.append(Box(class_id, *corners, kind=BoxKind.INSTANCE if single else BoxKind.GROUP))
    return boxes


def read_mat_boxes(path: Path, catalog: Catalog) -> list[Box]:
    annotation = scipy.io.loadmat(path, simplify_cells=True)["dets"]["annotation"]
    if not isinstance(annotation, dict):
        return []
    boxes = []
    for row in np.atleast_1d(annotation["object"]):
        kind = "group" if row["is_grp"] == "1" else "stuff" if row["is_stuff"] == "1" else "instance"
        corners = (int(row["bndbox"][c]) for c in ("xmin", "ymin", "xmax", "ymax"))
        boxes.append(Box(catalog.names.index(row["name"]), *corners, kind=BoxKind(kind)))
    return boxes


def read_truth(root: Path, image_id: str, catalog: Catalog, kind: str) -> tuple[list[Box], np.ndarray]:
    """Boxes, and the (H, W) map of train ids that tags come from."""
    name = root / "gtFine" / "train" / image_id.partition("_")[0] / f"{image_id}_gtFine_"
    if kind == "dataset_ids":
        train_id_of = {c.dataset_id: k for k, c in enumerate(catalog.classes)}
        labels = load(Path(f"{name}labelIds.png"))
        semantic = np.array([train_id_of.get(v, 255) for v in range(256)])[labels]
        return boxes_of(load(Path(f"{name}instanceIds.png")), train_id_of, catalog), semantic
    semantic = load(Path(f"{name}labelTrainIds.png"))
    if kind == "mat":
        return read_mat_boxes(root / f"gtFine_bboxes/train/panoptic/{image_id}{SUFFIX}.mat", catalog), semantic
    same = {k: k for k in range(catalog.num_classes)}
    return boxes_of(load(Path(f"{name}instanceTrainIds.png")), same, catalog), semantic


def expected_labels(
    root: Path, results: Path, image_id: str, catalog: Catalog, kind: str, rules: LabelRules, round_index: int
) -> tuple[np.ndarray, np.ndarray]:
    """Semantic map (uint8) and instance map (uint8, or uint16 with more than 254 instances) as files hold them."""
    boxes, truth = read_truth(root, image_id, catalog, kind)
    tags = []
    for crop in GRID.crops(*truth.shape):
        tags.append(frozenset(np.unique(truth[crop.top : crop.bottom, crop.left : crop.right]).tolist()) - {255})
    name = f"{image_id}{SUFFIX}"
    masks = load(results / f"mcg_and_grabcut/train/{name}.png")
    if not catalog.is_thing[0]:
        masks = np.where(masks == 0, 254, masks).astype(np.uint8)
    inp = LabelInput(
        load(results / f"{'pred_sem_raw' if round_index else 'cam/train'}/{name}.png"),
        scipy.io.loadmat(results / f"pred_flat_feat/{name}.mat")["feat"],
        masks,
        ImageAnnotation(image_id, *truth.shape, tuple(boxes), tuple(tags)),
    )
    semantic, instances = plain_labels(inp, rules, catalog, GRID, round_index)
    # -1 becomes the largest value.
    return semantic, instances.astype(np.uint16 if instances.max(initial=0) > 254 else np.uint8)


def cityscapes_frames(seed: int) -> list[Frame]:
    """Frames of all kinds and sizes with the class table of Cityscapes."""
    rng = np.random.default_rng(seed)
    sizes = [(60, 90), (130, 170), (97, 111)]
    frames = [random_frame(rng, f"city_{k}", CITYSCAPES, *size, 6 + 6 * k) for k, size in enumerate(sizes)]
    return [*frames, *special_frames(rng, CITYSCAPES)]
