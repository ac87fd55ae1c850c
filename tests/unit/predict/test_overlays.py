"""Pictures of predictions: colours, names where there is room, and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.errors import DataError
from weakpan.basics.panoptic import PanopticMap, Segment
from weakpan.predict.overlays import draw_prediction, write_jpeg
from weakpan.report.pictures import draw_boundaries, overlay
from weakpan.storage.images import read_rgb

ROAD, POLE = CITYSCAPES.train_id_named("road"), CITYSCAPES.train_id_named("pole")


def street(height: int, width: int) -> tuple[np.ndarray, PanopticMap]:
    """Road all over, with a pole that is long enough for a name and too thin for one."""
    ids = np.ones((height, width), np.int32)
    ids[:, width // 4 : width // 4 + 3] = 2
    photograph = np.full((height, width, 3), 90, np.uint8)
    return photograph, PanopticMap(ids, (Segment(1, ROAD, 0.9), Segment(2, POLE, 0.8)))


def test_only_segments_with_room_carry_a_name() -> None:
    photograph, panoptic = street(200, 300)
    plain = draw_boundaries(overlay(photograph, panoptic, CITYSCAPES, 0.55), panoptic.ids)
    written = (draw_prediction(photograph, panoptic, CITYSCAPES) != plain).any(axis=2)
    assert written.sum() > 50
    assert not written[panoptic.ids == 2].any()
    _, columns = np.nonzero(written)
    assert columns.max() - columns.min() < 60, "one name, once"
    assert (photograph == 90).all()


def test_a_small_picture_has_no_names() -> None:
    photograph, panoptic = street(60, 300)
    plain = draw_boundaries(overlay(photograph, panoptic, CITYSCAPES, 0.55), panoptic.ids)
    np.testing.assert_array_equal(draw_prediction(photograph, panoptic, CITYSCAPES), plain)


def test_a_picture_is_written_in_its_colours_or_refused(tmp_path: Path) -> None:
    picture = np.full((30, 40, 3), (200, 100, 30), np.uint8)
    write_jpeg(tmp_path / "overlays" / "a.jpg", picture)
    assert np.abs(read_rgb(tmp_path / "overlays" / "a.jpg").astype(int) - picture).max() <= 4
    with pytest.raises(DataError, match="overlays=false"):
        write_jpeg(tmp_path / "long.jpg", np.zeros((1, 70_000, 3), np.uint8))
    assert not (tmp_path / "long.jpg").exists()
