"""Boxes in MATLAB files: they come back in their order, lie as the released code wants them, and errors are named."""

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.errors import DataError
from weakpan.data.annotations import Box, BoxKind
from weakpan.data.boxes import boxes_from_maps
from weakpan.data.formats.mat_boxes import read_mat_boxes, write_mat_boxes
from weakpan.storage.images import read_map

DATA = Path(os.environ.get("WEAKPAN_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
REAL = DATA / "cityscapes_sample/gtFine/train/aachen/aachen_000000_000019_gtFine_instanceTrainIds.png"

SIZE = (40, 60)
FIELDS = ("name", "bndbox", "is_grp", "is_stuff")
LIGHT = CITYSCAPES.train_id_named("traffic light")
CAR = CITYSCAPES.train_id_named("car")
BOXES = (
    Box(LIGHT, 0, 0, 59, 39, BoxKind.STUFF),
    Box(CAR, 3, 4, 50, 9, BoxKind.GROUP),
    Box(CAR, 59, 39, 59, 39),
    Box(CAR, 0, 1, 2, 3),
)


@st.composite
def boxes(draw):
    class_id = draw(st.integers(0, CITYSCAPES.num_classes - 1))
    xmin, ymin = draw(st.integers(0, 59)), draw(st.integers(0, 39))
    xmax, ymax = draw(st.integers(xmin, 59)), draw(st.integers(ymin, 39))
    kinds = [BoxKind.INSTANCE, BoxKind.GROUP] if CITYSCAPES.is_thing[class_id] else [BoxKind.STUFF]
    return Box(class_id, xmin, ymin, xmax, ymax, draw(st.sampled_from(kinds)))


@settings(max_examples=30, deadline=None)
@given(st.lists(boxes(), max_size=6))
def test_boxes_come_back_in_their_order(tmp_path_factory, some):
    path = tmp_path_factory.mktemp("mat") / "a.mat"
    write_mat_boxes(path, some, CITYSCAPES)
    assert read_mat_boxes(path, CITYSCAPES, SIZE) == tuple(some)


@pytest.mark.parametrize("count", [0, 1, 2, 300])
def test_any_number_of_boxes_comes_back(tmp_path, count):
    some = tuple(Box(CAR, k % 60, k % 40, 59, 39) for k in range(count))
    write_mat_boxes(tmp_path / "a.mat", some, CITYSCAPES)
    assert read_mat_boxes(tmp_path / "a.mat", CITYSCAPES, SIZE) == some


def test_the_layout_is_that_of_the_released_code(tmp_path):
    write_mat_boxes(tmp_path / "a.mat", BOXES, CITYSCAPES)
    objects = scipy.io.loadmat(tmp_path / "a.mat", simplify_cells=True)["dets"]["annotation"]["object"]
    assert objects[:2] == [
        {
            "name": "traffic light",
            "bndbox": {"xmin": "0", "ymin": "0", "xmax": "59", "ymax": "39"},
            "is_grp": "0",
            "is_stuff": "1",
        },
        {
            "name": "car",
            "bndbox": {"xmin": "3", "ymin": "4", "xmax": "50", "ymax": "9"},
            "is_grp": "1",
            "is_stuff": "0",
        },
    ]
    assert scipy.io.whosmat(tmp_path / "a.mat") == [("dets", (1, 1), "struct")]


def test_an_image_without_boxes_has_an_empty_annotation(tmp_path):
    write_mat_boxes(tmp_path / "a.mat", (), CITYSCAPES)
    assert scipy.io.loadmat(tmp_path / "a.mat")["dets"]["annotation"][0, 0].shape == (0, 0)


def save(path, *objects, **options):
    """A file by SciPy alone; an object is a dictionary."""
    records = np.zeros((1, len(objects)), [(name, object) for name in objects[0]])
    for k, entry in enumerate(objects):
        records[0, k] = tuple(entry.values())
    scipy.io.savemat(path, {"dets": {"annotation": {"object": records}}}, **options)


def an_object(**changes):
    corners = {"xmin": "3", "ymin": "4", "xmax": "50", "ymax": "9"}
    corners.update({key: changes.pop(key) for key in list(changes) if key in corners})
    return {"name": "car", "bndbox": corners, "is_grp": "0", "is_stuff": "0", **changes}


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_what_scipy_writes_is_read(tmp_path, compressed, count):
    save(tmp_path / "a.mat", *[an_object(xmin=str(k)) for k in range(count)], do_compression=compressed)
    expected = tuple(Box(CAR, k, 4, 50, 9) for k in range(count))
    assert read_mat_boxes(tmp_path / "a.mat", CITYSCAPES, SIZE) == expected


def test_numbers_that_other_programs_wrote_as_numbers_are_read(tmp_path):
    save(tmp_path / "a.mat", an_object(xmin=3.0, ymax="9.0", is_grp=True, is_stuff=0.0))
    assert read_mat_boxes(tmp_path / "a.mat", CITYSCAPES, SIZE) == (Box(CAR, 3, 4, 50, 9, BoxKind.GROUP),)


@pytest.mark.parametrize("annotation", [np.zeros((0, 0)), {"object": np.zeros((0, 0))}])
def test_an_empty_annotation_is_an_image_without_boxes(tmp_path, annotation):
    scipy.io.savemat(tmp_path / "a.mat", {"dets": {"annotation": annotation}})
    assert read_mat_boxes(tmp_path / "a.mat", CITYSCAPES, SIZE) == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Car"}, r"\(Car\): class 'Car' is not in class table 'cityscapes'"),
        ({"name": "traffic_light"}, "class 'traffic_light' is not in"),
        ({"name": ""}, "class '' is not in"),
        ({"name": 13.0}, "name is not text"),
        ({"xmin": "three"}, r"\(car\): bndbox.xmin is 'three'; expected a whole number"),
        ({"xmin": "3.5"}, "bndbox.xmin is '3.5'"),
        ({"ymax": ""}, "bndbox.ymax is ''"),
        ({"ymax": "NaN"}, "bndbox.ymax is 'NaN'"),
        ({"xmin": 3.5}, "bndbox.xmin is '3.5'"),
        ({"xmax": "60"}, r"box \[3, 4, 60, 9\] is empty or outside its 40 x 60"),
        ({"ymax": "40"}, r"box \[3, 4, 50, 40\] is empty or outside"),
        ({"xmin": "-1"}, r"box \[-1, 4, 50, 9\] is empty or outside"),
        ({"xmin": "51"}, r"box \[51, 4, 50, 9\] is empty or outside"),
        ({"is_grp": "yes"}, "is_grp is 'yes'; expected '0' or '1'"),
        ({"is_stuff": 2.0}, "is_stuff is '2'"),
        ({"is_stuff": "1"}, "car is a class of things .* kind stuff"),
        ({"name": "road"}, "road is a class of stuff .* kind instance"),
        ({"is_stuff": "1", "is_grp": "1"}, "both is_grp and is_stuff"),
        ({"bndbox": "3 4 50 9"}, "bndbox: no field 'xmin' .found no struct"),
        ({"bndbox": {"xmin": "3", "ymin": "4", "xmax": "50"}}, "no field 'ymax' .found fields xmin, ymin, xmax"),
    ],
)
def test_a_wrong_object_is_named(tmp_path, changes, message):
    save(tmp_path / "bad.mat", an_object(), an_object(**changes))
    with pytest.raises(DataError, match=rf"bad\.mat: object\(2\).*{message}"):
        read_mat_boxes(tmp_path / "bad.mat", CITYSCAPES, SIZE)


@pytest.mark.parametrize("missing", FIELDS)
def test_a_missing_field_is_named(tmp_path, missing):
    entry = an_object()
    del entry[missing]
    save(tmp_path / "bad.mat", entry)
    with pytest.raises(DataError, match=rf"bad\.mat: object\(1\).*no field '{missing}'"):
        read_mat_boxes(tmp_path / "bad.mat", CITYSCAPES, SIZE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"boxes": 1}, "no variable 'dets' in it; found 'boxes'"),
        ({"dets": 1.0}, "dets is of class double; expected struct"),
        ({"dets": {"annotations": 1}}, "dets: no field 'annotation' .found fields annotations"),
        ({"dets": {"annotation": 1}}, "dets.annotation: no field 'object' .found no struct"),
        ({"dets": {"annotation": {"objects": 1}}}, "dets.annotation: no field 'object' .found fields objects"),
        ({"dets": {"annotation": {"object": 1}}}, r"object\(1\): no field 'name'"),
        ({"dets": {"annotation": {"object": "car"}}}, r"object\(1\): no field 'name'"),
    ],
)
def test_another_layout_is_named(tmp_path, content, message):
    scipy.io.savemat(tmp_path / "bad.mat", content)
    with pytest.raises(DataError, match=rf"bad\.mat: {message}"):
        read_mat_boxes(tmp_path / "bad.mat", CITYSCAPES, SIZE)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.99])
def test_a_truncated_file_is_named(tmp_path, share):
    path = tmp_path / "cut.mat"
    write_mat_boxes(path, BOXES, CITYSCAPES)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"cut\.mat.*truncated"):
        read_mat_boxes(path, CITYSCAPES, SIZE)


def test_every_changed_byte_is_named_or_without_effect(tmp_path):
    path = tmp_path / "bad.mat"
    write_mat_boxes(path, BOXES, CITYSCAPES)
    content = path.read_bytes()
    messages = []
    for position in range(120, len(content)):
        changed = bytearray(content)
        changed[position] ^= 0x5B
        path.write_bytes(changed)
        try:
            assert read_mat_boxes(path, CITYSCAPES, SIZE) == BOXES
        except DataError as error:
            messages.append(str(error))
    assert all("bad.mat" in message for message in messages)
    # Only the header has bytes without a meaning, those before its version.
    assert len(messages) >= len(content) - 128


def test_a_missing_file_and_a_newer_version_are_named(tmp_path):
    with pytest.raises(DataError, match=r"a\.mat: no such file"):
        read_mat_boxes(tmp_path / "a.mat", CITYSCAPES, SIZE)
    (tmp_path / "a.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF")
    with pytest.raises(DataError, match=r"a\.mat: a MATLAB 7.3 .* save it with -v7"):
        read_mat_boxes(tmp_path / "a.mat", CITYSCAPES, SIZE)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (Box(19, 0, 0, 1, 1), "no train id 19"),
        (Box(-1, 0, 0, 1, 1), "no train id -1"),
        (Box(0, 0, 0, 1, 1), "kind instance"),
        (Box(CAR, 0, 0, 1, 1, BoxKind.STUFF), "kind stuff"),
    ],
)
def test_a_wrong_box_is_not_written(tmp_path, box, message):
    with pytest.raises(DataError, match=rf"a\.mat: box 1: .*{message}"):
        write_mat_boxes(tmp_path / "a.mat", [BOXES[0], box], CITYSCAPES)
    assert not (tmp_path / "a.mat").exists()


@pytest.mark.skipif(not REAL.is_file(), reason="the real frame is not there (set WEAKPAN_DATA)")
def test_the_boxes_of_a_real_frame_come_back(tmp_path):
    ids = read_map(REAL).astype(np.int32)
    single = ids > 1000
    semantic = np.where(single, ids // 1000, ids).astype(np.uint8)
    some = boxes_from_maps(semantic, np.where(single, ids % 1000 + 1, 0).astype(np.int32), CITYSCAPES)
    assert {box.kind for box in some} >= {BoxKind.STUFF, BoxKind.INSTANCE}
    write_mat_boxes(tmp_path / "a.mat", some, CITYSCAPES)
    assert read_mat_boxes(tmp_path / "a.mat", CITYSCAPES, ids.shape) == some
