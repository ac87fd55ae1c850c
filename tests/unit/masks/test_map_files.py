"""Masks from files: every format decoded, given to boxes, and refused by name when it is wrong."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.masks.drawn_objects import tight_box
from weakpan.basics.arrays import NO_THING
from weakpan.basics.catalog import CITYSCAPES, Catalog
from weakpan.basics.errors import ConfigError, DataError
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.masks.coco import CocoMasks
from weakpan.masks.coco_shapes import decode_polygons, decode_runs, decode_segmentation, decompress
from weakpan.masks.map_files import IdMasks, ReleasedMasks
from weakpan.masks.matching import CROWD_MASKS
from weakpan.masks.result import Fallback
from weakpan.storage.images import write_png

DATA = Path(os.environ.get("WEAKPAN_DATA", Path(__file__).parents[3] / "../shared/data"))
ROAD, PERSON, CAR = (CITYSCAPES.train_id_named(name) for name in ("road", "person", "car"))
SHAPE = (12, 16)


def annotation_of(*boxes, image_id="street", shape=SHAPE):
    return ImageAnnotation(image_id, *shape, boxes, (frozenset(),))


def not_loaded():
    raise AssertionError("a source of files has no use for the image")


def run_lengths(mask):
    """Column by column, runs of 0 and 1 by turns."""
    counts, last = [0], False
    for value in mask.T.ravel().tolist():
        if value != last:
            counts.append(0)
            last = value
        counts[-1] += 1
    return counts


def compress(counts):
    """COCO's string: groups of five bits, lowest first, the sixth bit set where more follow."""
    text = ""
    for k, count in enumerate(counts):
        rest = count - counts[k - 2] if k > 2 else count
        while True:
            group, rest = rest & 31, rest >> 5
            done = rest == (-1 if group & 16 else 0)
            text += chr(48 + group + (0 if done else 32))
            if done:
                break
    return text


def two_objects():
    """A car with a hole and a person, and the boxes around them."""
    car, person = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    car[2:9, 1:8] = True
    car[4, 4] = False
    person[3:11, 10:13] = True
    return car, person, (tight_box(car, CAR), tight_box(person, PERSON))


def expected_map():
    car, person, boxes = two_objects()
    expected = np.full(SHAPE, NO_THING, np.uint8)
    for mask, box in zip((car, person), boxes, strict=True):
        expected[box.slices] = 255
        expected[mask] = box.class_id
    return expected


def rle(mask, compressed=True):
    counts = run_lengths(mask)
    return {"size": list(mask.shape), "counts": compress(counts) if compressed else counts}


def results():
    """A result file of two objects, one record in each form of run lengths."""
    car, person, _ = two_objects()
    return [
        {"image_id": "street", "category_id": 26, "segmentation": rle(car), "score": 0.9},
        {"image_id": "street", "category_id": 24, "segmentation": rle(person, compressed=False)},
    ]


def instances():
    """The same as a data set with numbers for images and its own categories."""
    names = {7: "person", 3: "car"}
    records = [{**r, "image_id": 5, "category_id": i} for r, i in zip(results(), (3, 7), strict=True)]
    return {
        "images": [
            {"id": 5, "file_name": "town/street.jpg", "height": 12, "width": 16},
            {"id": 6, "file_name": "town/lane.jpg", "height": 12, "width": 16},
        ],
        "annotations": records,
        "categories": [{"id": i, "name": n} for i, n in names.items()],
    }


def coco(tmp_path, content, **more):
    path = tmp_path / "masks.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return CocoMasks(path, **more)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 40), st.integers(1, 40), st.sampled_from([0, 0.05, 0.5, 0.95, 1]))
def test_run_lengths_survive_both_forms(seed, height, width, share):
    mask = np.random.default_rng(seed).random((height, width)) < share
    counts = run_lengths(mask)
    assert decompress(compress(counts)) == counts
    assert (decode_runs(counts, height, width) == mask).all()
    assert (decode_segmentation(rle(mask), height, width) == mask).all()


@given(st.lists(st.integers(0, 10_000_000), max_size=12))
def test_long_runs_survive_their_string(counts):
    assert decompress(compress(counts)) == counts


def test_a_string_of_the_library_of_the_format():
    # Written by pycocotools 2.0.11 for the mask drawn here.
    rows = ("........#", "..#####..", "..#####..", "..##.##..", "..#####..", "..#####..", ".........")
    mask = np.array([[c == "#" for c in row] for row in rows])
    found = decode_segmentation({"size": [7, 9], "counts": "?5200MO013006LN"}, 7, 9)
    assert (found == mask).all()
    assert found.dtype == bool


def test_polygons_hold_the_pixels_whose_centres_they_hold():
    square = decode_polygons([[2, 1, 7, 1, 7, 5, 2, 5]], 8, 10)
    expected = np.zeros((8, 10), bool)
    expected[1:5, 2:7] = True
    assert (square == expected).all()
    triangle = decode_polygons([[1.0, 1.0, 10.0, 2.0, 3.0, 9.5]], 12, 12)
    rows, columns = np.mgrid[:12, :12] + 0.5
    inside = np.ones((12, 12), bool)
    corners = [(1.0, 1.0), (10.0, 2.0), (3.0, 9.5)]
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        inside &= (x1 - x0) * (rows - y0) - (y1 - y0) * (columns - x0) >= 0
    assert (triangle == inside).all()


def test_polygons_of_one_object_are_joined_and_cut_to_the_image():
    found = decode_polygons([[0, 0, 3, 0, 3, 3, 0, 3], [1, 1, 20, 1, 20, 2, 1, 2]], 4, 6)
    expected = np.zeros((4, 6), bool)
    expected[:3, :3] = expected[1, 1:] = True
    assert (found == expected).all()
    assert not decode_polygons([], 4, 6).any()


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("make", [results, instances])
def test_both_kinds_of_coco_file_give_the_map(tmp_path, make, compressed):
    content = make()
    records = content if isinstance(content, list) else content["annotations"]
    for record, mask in zip(records, two_objects()[:2], strict=True):
        record["segmentation"] = rle(mask, compressed)
    result = coco(tmp_path, content).masks(annotation_of(*two_objects()[2]), not_loaded, CITYSCAPES)
    assert (result.semantic == expected_map()).all()
    assert [(r.index, r.class_id, r.fallback) for r in result.records] == [
        (0, CAR, Fallback.NOT_NEEDED), (1, PERSON, Fallback.NOT_NEEDED),
    ]  # fmt: skip
    assert result.records[0].cover == pytest.approx(48 / 49)


def test_polygons_in_a_file_give_the_map(tmp_path):
    content = results()
    content[1]["segmentation"] = [[10, 3, 13, 3, 13, 11, 10, 11]]
    result = coco(tmp_path, content).masks(annotation_of(*two_objects()[2]), not_loaded, CITYSCAPES)
    assert (result.semantic == expected_map()).all()


def test_the_order_of_masks_and_boxes_does_not_matter(tmp_path):
    boxes = two_objects()[2][::-1]
    result = coco(tmp_path, results()).masks(annotation_of(*boxes), not_loaded, CITYSCAPES)
    assert (result.semantic == expected_map()).all()


def test_masks_without_a_category_fit_every_class(tmp_path):
    content = [{k: v for k, v in record.items() if k != "category_id"} for record in results()]
    result = coco(tmp_path, content).masks(annotation_of(*two_objects()[2]), not_loaded, CITYSCAPES)
    assert (result.semantic == expected_map()).all()


def test_a_category_may_be_given_by_name(tmp_path):
    content = results()
    content[0] |= {"category_id": 1, "category_name": "car"}
    content[1] |= {"category_name": "car"}
    result = coco(tmp_path, content).masks(annotation_of(*two_objects()[2]), not_loaded, CITYSCAPES)
    assert [r.fallback for r in result.records] == [Fallback.NOT_NEEDED, Fallback.NO_MASK]
    assert (result.semantic[two_objects()[2][1].slices] == 255).all()


def test_empty_masks_and_ignored_ids_are_passed_over(tmp_path):
    content = results()
    content[0]["segmentation"] = rle(np.zeros(SHAPE, bool))
    content[1]["category_id"] = 29  # a caravan
    result = coco(tmp_path, content).masks(annotation_of(*two_objects()[2]), not_loaded, CITYSCAPES)
    assert [r.fallback for r in result.records] == [Fallback.NO_MASK] * 2


def test_what_was_painted_with_a_brush_is_used_where_no_other_mask_fits(tmp_path):
    boxes = two_objects()[2]
    content = results()
    assert coco(tmp_path, content).masks(annotation_of(*boxes), not_loaded, CITYSCAPES).counts == {}
    # Annotation tools mark run lengths as crowds.
    for record in content:
        record["iscrowd"] = 1
    result = coco(tmp_path, content).masks(annotation_of(*boxes), not_loaded, CITYSCAPES)
    assert (result.semantic == expected_map()).all()
    assert result.counts == {CROWD_MASKS: 2}
    # A mask that fits worse and is no crowd comes first.
    small = np.zeros(SHAPE, bool)
    small[2:9, 1:6] = True
    content.append({"image_id": "street", "category_id": 26, "segmentation": rle(small)})
    result = coco(tmp_path, content).masks(annotation_of(*boxes), not_loaded, CITYSCAPES)
    assert (result.semantic == CAR).sum() == small.sum()
    assert result.counts == {CROWD_MASKS: 1}


def test_a_listed_image_without_masks_leaves_its_boxes_undecided(tmp_path):
    result = coco(tmp_path, instances()).masks(
        annotation_of(*two_objects()[2], image_id="lane"), not_loaded, CITYSCAPES
    )
    assert [r.cover for r in result.records] == [0, 0]


def test_an_image_without_boxes_needs_no_masks(tmp_path):
    group = Box(CAR, 0, 0, 3, 3, BoxKind.GROUP)
    result = coco(tmp_path, results()).masks(annotation_of(group, image_id="lane"), not_loaded, CITYSCAPES)
    assert result.records == ()
    assert (result.semantic[:4, :4] == 255).all()


def test_images_are_found_by_id_and_by_a_template(tmp_path):
    boxes = two_objects()[2]
    content = instances()
    # The number of an image that has a name in the file says nothing about ours: it may be another one.
    with pytest.raises(DataError, match=r"masks\.json: no image 5 in it"):
        coco(tmp_path, content).masks(annotation_of(*boxes, image_id="5"), not_loaded, CITYSCAPES)
    del content["images"][0]["file_name"]
    by_number = coco(tmp_path, content).masks(annotation_of(*boxes, image_id="5"), not_loaded, CITYSCAPES)
    assert (by_number.semantic == expected_map()).all()
    content["images"][0]["file_name"] = "street_leftImg8bit.png"
    source = coco(tmp_path, content, template="{id}_leftImg8bit")
    assert (source.masks(annotation_of(*boxes), not_loaded, CITYSCAPES).semantic == expected_map()).all()


def test_the_least_iou_of_the_source_is_used(tmp_path):
    box = Box(CAR, 1, 2, 7, 11)  # the car fills seven of its ten rows
    for least, fallback in ((0.7, Fallback.NOT_NEEDED), (0.71, Fallback.NO_MASK)):
        source = coco(tmp_path, results(), min_iou=least)
        assert source.masks(annotation_of(box), not_loaded, CITYSCAPES).records[0].fallback is fallback


def test_a_file_that_was_written_again_is_read_again(tmp_path):
    source = coco(tmp_path, results())
    assert source.masks(annotation_of(*two_objects()[2]), not_loaded, CITYSCAPES).records[1].cover > 0
    source.path.write_text(json.dumps(results()[:1]))
    os.utime(source.path, ns=(1, 1))
    assert source.masks(annotation_of(*two_objects()[2]), not_loaded, CITYSCAPES).records[1].cover == 0


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [12, 16], "counts": [190]}, "add up to 190, a 12 x 16 image has 192 pixels"),
        ({"size": [12, 16], "counts": compress([0, 200])}, "add up to 200"),
        ({"size": [16, 12], "counts": [192]}, r"size \[16, 12\], the image is \[12, 16\]"),
        ({"size": [12, 16], "counts": "P"}, "end within a number"),
        ({"size": [12, 16], "counts": "5 5"}, "character ' ' does not occur"),
        ({"size": [12, 16], "counts": [-8, 200]}, "whole numbers from 0 on"),
        ({"size": [12, 16], "counts": compress([10, 5, -3, 180])}, "whole numbers from 0 on"),
        ({"size": [12, 16], "counts": [96.0, 96.0]}, "whole numbers from 0 on"),
        ({"size": [12, 16], "counts": 3}, "counts must be"),
        ({"counts": [192]}, "size None"),
        ({"size": [12, 16]}, "neither run lengths"),
        (None, "neither run lengths"),
        ([[1, 2, 3, 4]], "polygon 0 is not"),
        ([[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6, 7]], "polygon 1 is not"),
        ([[1, 2, 3, 4, 5, "6"]], "polygon 0 is not"),
        ([1, 2, 3, 4, 5, 6], "polygon 0 is not"),
        ([[1, 2, 3, 4, 5, float("nan")]], "polygon 0 is not"),
    ],
)
def test_a_damaged_mask_is_named_by_file_image_and_position(tmp_path, segmentation, message):
    content = results()
    content[1]["segmentation"] = segmentation
    with pytest.raises(DataError, match=r"masks\.json: image street: annotation 1: .*" + message):
        coco(tmp_path, content).masks(annotation_of(*two_objects()[2]), not_loaded, CITYSCAPES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category_id": 99}, "category 99 is not in class table 'cityscapes'"),
        ({"category_name": "tram"}, "category 'tram' is not in class table"),
        ({"category_id": [1]}, r"category \[1\] is not in class table"),
        ({"score": "high"}, "high"),
    ],
)
def test_a_wrong_record_is_named(tmp_path, change, message):
    content = results()
    content[0] |= change
    with pytest.raises(DataError, match=r"image street: annotation 0: .*" + message):
        coco(tmp_path, content).masks(annotation_of(*two_objects()[2]), not_loaded, CITYSCAPES)


def test_a_category_that_the_file_itself_does_not_list_is_refused(tmp_path):
    content = instances()
    content["annotations"][0]["category_id"] = 26  # the class table's id of a car, but not the file's
    with pytest.raises(DataError, match="annotation 0: category 26 is not in class table"):
        coco(tmp_path, content).masks(annotation_of(*two_objects()[2]), not_loaded, CITYSCAPES)


@pytest.mark.parametrize(
    "text", ["{", "3", '{"images": []}', "[3]", '[{"score": 1}]', '{"annotations": [], "images": [4]}']
)
def test_another_json_is_refused(tmp_path, text):
    with pytest.raises(DataError, match=r"masks\.json: (not|neither)"):
        coco(tmp_path, text).masks(annotation_of(*two_objects()[2]), not_loaded, CITYSCAPES)


def test_missing_files_images_and_sizes_are_named(tmp_path):
    boxes = two_objects()[2]
    with pytest.raises(DataError, match=r"masks\.json: not readable .*expected masks as COCO JSON"):
        CocoMasks(tmp_path / "masks.json").masks(annotation_of(*boxes), not_loaded, CITYSCAPES)
    with pytest.raises(DataError, match="no image alley in it"):
        coco(tmp_path, instances()).masks(annotation_of(*boxes, image_id="alley"), not_loaded, CITYSCAPES)
    with pytest.raises(DataError, match=r"image street is 12 x 16 .*says 12 x 17"):
        coco(tmp_path, instances()).masks(annotation_of(*boxes, shape=(12, 17)), not_loaded, CITYSCAPES)
    twice = instances()
    twice["images"][1]["file_name"] = "village/street.jpg"
    with pytest.raises(DataError, match="two images are called street"):
        coco(tmp_path, twice).masks(annotation_of(*boxes), not_loaded, CITYSCAPES)


@pytest.mark.parametrize(("dtype", "ids"), [(np.uint8, (255, 1)), (np.uint16, (65535, 26001))])
def test_ids_of_any_numbering_give_the_map(tmp_path, dtype, ids):
    car, person, boxes = two_objects()
    write_png(tmp_path / "street_ids.png", (car * ids[0] + person * ids[1]).astype(dtype))
    result = IdMasks(tmp_path, "{id}_ids").masks(annotation_of(*boxes), not_loaded, CITYSCAPES)
    assert (result.semantic == expected_map()).all()
    assert [r.fallback for r in result.records] == [Fallback.NOT_NEEDED] * 2


def test_an_object_in_two_pieces_is_one_mask(tmp_path):
    ids = np.zeros(SHAPE, np.uint16)
    ids[2:5, 1:5] = ids[7:9, 1:5] = 300
    write_png(tmp_path / "street.png", ids)
    result = IdMasks(tmp_path).masks(annotation_of(Box(CAR, 1, 2, 4, 8)), not_loaded, CITYSCAPES)
    assert result.records[0].cover == pytest.approx(5 / 7)
    assert ((result.semantic == CAR) == (ids == 300)).all()


def test_files_of_ids_that_do_not_fit_are_named(tmp_path):
    source, annotation = IdMasks(tmp_path), annotation_of(*two_objects()[2])
    with pytest.raises(DataError, match=r"street\.png: no such file; add the masks of image street"):
        source.masks(annotation, not_loaded, CITYSCAPES)
    write_png(tmp_path / "street.png", np.zeros((16, 12), np.uint16))
    with pytest.raises(DataError, match=r"street\.png: 16 x 12 .* of street says 12 x 16"):
        source.masks(annotation, not_loaded, CITYSCAPES)
    write_png(tmp_path / "street.png", np.zeros((*SHAPE, 3), np.uint8))
    with pytest.raises(DataError, match=r"street\.png: a label map has one channel"):
        source.masks(annotation, not_loaded, CITYSCAPES)
    Image.fromarray(np.zeros(SHAPE, bool)).save(tmp_path / "street.png")
    with pytest.raises(DataError, match=r"street\.png: expected a PNG of 8 or 16 bits"):
        source.masks(annotation, not_loaded, CITYSCAPES)
    (tmp_path / "street.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"street\.png: not a readable image"):
        source.masks(annotation, not_loaded, CITYSCAPES)


@pytest.mark.parametrize("kind", [IdMasks, ReleasedMasks, CocoMasks])
def test_a_template_without_the_id_is_refused(kind):
    with pytest.raises(ConfigError) as caught:
        kind(Path(), "masks")
    assert (caught.value.key, caught.value.found) == ("template", "masks")


def indexed(path, values):
    image = Image.fromarray(values.astype(np.uint8), mode="P")
    image.putpalette(CITYSCAPES.palette.ravel().tolist())
    image.save(path)


def test_a_released_map_is_taken_as_it_is(tmp_path):
    car, _, boxes = two_objects()
    # Beyond the boxes too, and with a box that has only undecided pixels.
    values = np.where(car, CAR, 0)
    values[0, 0] = PERSON
    values[boxes[1].slices] = 255
    indexed(tmp_path / "street_leftImg8bit.png", values)
    group = Box(PERSON, 0, 0, 2, 2, BoxKind.GROUP)
    result = ReleasedMasks(tmp_path).masks(annotation_of(group, *boxes), not_loaded, CITYSCAPES)
    assert (result.semantic == np.where(values == 0, NO_THING, values)).all()
    assert result.semantic.dtype == np.uint8
    assert [(r.index, r.class_id, r.fallback) for r in result.records] == [
        (1, CAR, Fallback.NOT_NEEDED), (2, PERSON, Fallback.NO_MASK),
    ]  # fmt: skip
    assert result.records[0].cover == pytest.approx(48 / 49)


@pytest.mark.parametrize("value", [ROAD + 1, 19, 254])
def test_a_released_map_with_a_value_that_is_no_thing_is_refused(tmp_path, value):
    indexed(tmp_path / "street.png", np.full(SHAPE, value))
    with pytest.raises(DataError, match=rf"street\.png: value {value} has no meaning here; expected 0"):
        ReleasedMasks(tmp_path, "{id}").masks(annotation_of(), not_loaded, CITYSCAPES)


def test_a_class_table_that_begins_with_a_thing_has_254_for_no_thing(tmp_path):
    things_first = Catalog("things_first", CITYSCAPES.classes[::-1])
    values = np.full(SHAPE, NO_THING)
    values[2:5, 3:6] = 0
    indexed(tmp_path / "street_leftImg8bit.png", values)
    result = ReleasedMasks(tmp_path).masks(annotation_of(Box(0, 3, 2, 5, 4)), not_loaded, things_first)
    assert (result.semantic == values).all()
    assert result.records[0].cover == 1


SAMPLE = DATA / "released_sample/results/mcg_and_grabcut/train"


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="needs WEAKPAN_DATA/released_sample")
def test_the_released_map_of_a_real_frame_is_read():
    image_id = "aachen_000000_000019"
    values = np.array(Image.open(SAMPLE / f"{image_id}_leftImg8bit.png"))
    classes = [int(v) for v in np.unique(values) if v not in (0, 255)]
    boxes = [tight_box(values == v, v) for v in classes]
    result = ReleasedMasks(SAMPLE).masks(
        annotation_of(*boxes, image_id=image_id, shape=(1024, 2048)), not_loaded, CITYSCAPES
    )
    assert len(classes) > 1
    assert ((result.semantic == NO_THING) == (values == 0)).all()
    assert [round(r.cover * b.area) for r, b in zip(result.records, boxes, strict=True)] == [
        (values == v).sum() for v in classes
    ]
