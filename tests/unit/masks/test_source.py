"""Sources of masks in boxes as the stage sees them."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.unit.masks.drawn_objects import disc_in_grass
from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.errors import ConfigError, DataError, RunError
from weakpan.data.annotations import Box, ImageAnnotation
from weakpan.masks import CocoMasks, GrabCutAndProposals, IdMasks, MaskSource, ReleasedMasks
from weakpan.masks.grabcut import GrabCutSettings
from weakpan.masks.source import PinnedMasks
from weakpan.storage.files import content_digest

CAR = CITYSCAPES.train_id_named("car")


def annotation_of(shape, *boxes):
    return ImageAnnotation("street", *shape, boxes, (frozenset(),))


def test_masks_from_pixels_are_those_in_the_boxes():
    image, _, box = disc_in_grass()
    source = GrabCutAndProposals(overlap="ignore", grabcut=GrabCutSettings(core=0.5))
    result = source.masks(annotation_of((90, 120), box), lambda: image, CITYSCAPES)
    expected = source.masks_in_boxes(image, [box], source.proposer)
    assert (result.semantic == expected.semantic).all()
    assert result.records == expected.records


def test_an_image_of_another_size_is_named():
    image, _, box = disc_in_grass()
    with pytest.raises(DataError, match=r"street: 90 x 120 pixels .*says 90 x 121"):
        GrabCutAndProposals().masks(annotation_of((90, 121), box), lambda: image, CITYSCAPES)


def test_a_box_outside_the_image_is_refused():
    image = np.zeros((4, 5, 3), np.uint8)
    with pytest.raises(DataError, match=r"street: box 0 \(0, 0, 5, 3\).*5 x 4"):
        GrabCutAndProposals().masks(annotation_of((4, 5), Box(1, 0, 0, 5, 3)), lambda: image, CITYSCAPES)


@pytest.mark.parametrize("kind", [GrabCutAndProposals, IdMasks, ReleasedMasks, CocoMasks])
def test_sources_travel_to_other_processes_and_stay_small(kind, tmp_path):
    arguments = {GrabCutAndProposals: (), CocoMasks: (tmp_path / "masks.json",)}
    source: MaskSource = kind(*arguments.get(kind, (tmp_path,)))
    (tmp_path / "masks.json").write_text("[" + ",".join(['{"image_id": "other"}'] * 2000) + "]")
    try:
        source.masks(annotation_of((4, 4), Box(CAR, 0, 0, 3, 3)), lambda: np.zeros((4, 4, 3), np.uint8), CITYSCAPES)
    except DataError:
        assert kind is not GrabCutAndProposals
    for sent in (source, source.pinned()):
        assert pickle.loads(pickle.dumps(sent)) == sent
        assert len(pickle.dumps(sent)) < 4000


@pytest.mark.parametrize(("kind", "what"), [(IdMasks, "folder"), (ReleasedMasks, "folder"), (CocoMasks, "file")])
def test_what_is_read_is_looked_for(kind, what, tmp_path):
    with pytest.raises(ConfigError, match=f"no such {what}") as caught:
        kind(tmp_path / "gone").check_files()
    assert (caught.value.key, caught.value.found) == ("path", tmp_path / "gone")


def test_a_pinned_source_refuses_other_files(tmp_path):
    path = tmp_path / "masks.json"
    path.write_text("[]")
    source = CocoMasks(path)
    pinned = source.pinned()
    assert pinned == PinnedMasks(source, {"path": content_digest([path])})
    assert pinned.supervision == source.supervision
    annotation = annotation_of((4, 4))
    assert pinned.masks(annotation, None, CITYSCAPES).records == ()
    path.write_text("[ ]")
    with pytest.raises(
        RunError, match=r"changed while masks were made with it \(crc32 \w+ .*, crc32 \w+ now\)"
    ) as caught:
        pinned.masks(annotation, None, CITYSCAPES)
    assert caught.value.key == "path"
    path.unlink()
    with pytest.raises(RunError, match="gone now"):
        pinned.masks(annotation, None, CITYSCAPES)


def test_a_source_without_files_that_may_change_needs_no_pin():
    assert GrabCutAndProposals().pinned() == GrabCutAndProposals()
    assert IdMasks(Path()).contents() == {}
