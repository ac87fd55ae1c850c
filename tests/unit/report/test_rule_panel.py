"""Pictures of how labels came about: what changed is seen, colours mean what the legends say, any size works."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from tests.unit.labels.label_cases import LabelCase, label_cases
from weakpan.basics.catalog import CAMVID, CITYSCAPES
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.labels.pipeline import INPUT, INSTANCES, LabelRules, PseudoLabels
from weakpan.labels.trail import AuditTrail, make_audited_labels, rule_table
from weakpan.report.pictures import HATCH_COLORS, color_instances, color_semantic, draw_boundaries, draw_boxes
from weakpan.report.rule_panel import DIMMED, color_change, color_rules, rule_panel, rule_pictures

Street = tuple[ImageAnnotation, AuditTrail, PseudoLabels]
TABLE = rule_table(LabelRules())
ROAD, CAR, PERSON = (CITYSCAPES.train_id_named(name) for name in ("road", "car", "person"))


def colors_in(picture: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(c) for c in np.unique(picture.reshape(-1, 3), axis=0).tolist()}


def dimmed(color: tuple[int, ...]) -> np.ndarray:
    return np.array(color) * DIMMED + 255 * (1 - DIMMED)


@pytest.fixture
def street() -> Street:
    """A road of 40 x 60 pixels; a tag check takes part of it away, a fill makes two cars that overlap in a column."""
    prediction = np.full((40, 60), ROAD, np.uint8)
    checked = prediction.copy()
    checked[:, 40:] = 255
    filled = checked.copy()
    filled[10:20, 10:25] = CAR
    instances = np.zeros((40, 60), np.int32)
    instances[10:20, 10:18], instances[10:20, 18:25] = 1, 2
    instances[filled == 255] = -1
    instances[10:20, 17] = -1
    trail = AuditTrail(prediction, LabelRules())
    trail("tag_check", checked)
    trail("box_prior", checked)
    trail("low_iou_fill", filled)
    trail.add_instances(instances)
    boxes = (Box(CAR, 10, 10, 17, 19), Box(CAR, 17, 10, 24, 19), Box(ROAD, 0, 0, 59, 39, BoxKind.STUFF))
    return ImageAnnotation("street", 40, 60, boxes, (frozenset({ROAD, CAR}),)), trail, PseudoLabels(filled, instances)


def test_pictures_tell_the_way_from_image_to_labels_in_order(street: Street) -> None:
    annotation, trail, labels = street
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    pictures = rule_pictures(image, annotation, CITYSCAPES, trail, labels)
    assert [caption for caption, _ in pictures] == [
        "image and boxes of things: 2",
        "input: 100.0% labelled",
        "tag_check: 800 px changed (33.3%)",
        "box_prior: nothing changed",
        "low_iou_fill: 150 px changed (6.2%)",
        "labels: 66.7% labelled, 0.4% in several boxes",
        "decided last by",
    ]
    assert {picture.shape for _, picture in pictures} == {(40, 60, 3)}
    assert {picture.dtype for _, picture in pictures} == {np.dtype(np.uint8)}
    by_step = [picture for _, picture in pictures]
    np.testing.assert_array_equal(by_step[0], draw_boxes(image, annotation.boxes, CITYSCAPES))
    np.testing.assert_array_equal(by_step[1], color_semantic(trail.prediction, CITYSCAPES))
    np.testing.assert_array_equal(by_step[4], color_change(trail.steps[1][1], trail.steps[2][1], CITYSCAPES))
    cars = color_instances(labels.semantic, labels.instances, CITYSCAPES)
    np.testing.assert_array_equal(by_step[5], draw_boundaries(cars, labels.instances))
    np.testing.assert_array_equal(by_step[6], color_rules(trail.deciding_rule(), labels.semantic, TABLE))


def test_without_a_photograph_the_boxes_stand_on_paper(street: Street) -> None:
    caption, picture = rule_pictures(None, street[0], CITYSCAPES, street[1], street[2])[0]
    assert caption == "boxes of things: 2"
    colors = {CITYSCAPES.classes[CAR].color, CITYSCAPES.classes[ROAD].color, (255, 255, 255)}
    assert colors_in(picture) == colors


def test_a_change_stands_out_and_the_rest_is_dimmed() -> None:
    before = np.full((60, 80), ROAD, np.uint8)
    before[:, 60:] = 255
    after = before.copy()
    after[10:30, 5:40] = CAR
    picture = color_change(before, after, CITYSCAPES)
    assert (picture[10:30, 5:40] == CITYSCAPES.classes[CAR].color).all()
    np.testing.assert_allclose(picture[40, 40], dimmed(CITYSCAPES.classes[ROAD].color), atol=1)
    assert picture[:, 60:].min() >= dimmed(HATCH_COLORS[1]).min() - 1  # "no label" that was there before


def test_a_label_that_was_taken_away_leaves_stripes_of_its_class() -> None:
    before = np.full((60, 80), PERSON, np.uint8)
    before[:, 40:] = ROAD
    after = before.copy()
    after[5:55, 5:75] = 255
    picture = color_change(before, after, CITYSCAPES)
    for part, class_id in ((picture[5:55, 5:40], PERSON), (picture[5:55, 40:75], ROAD)):
        full, pale = sorted(colors_in(part), key=sum)
        assert full == CITYSCAPES.classes[class_id].color
        assert sum(pale) > sum(full)
        share = (part == full).all(axis=2).mean()
        assert 0.4 < share < 0.6


def test_a_few_pixels_are_surrounded_and_many_are_not() -> None:
    before = np.full((600, 800), ROAD, np.uint8)
    few, many = before.copy(), before.copy()
    few[300:303, 400:403] = CAR
    many[:300] = CAR
    picture = color_change(before, few, CITYSCAPES)
    assert (picture[300:303, 400:403] == CITYSCAPES.classes[CAR].color).all()
    near = picture[290:313, 390:413]
    assert (near == 0).all(axis=2).sum() > 20
    assert (picture == 0).all(axis=2).sum() == (near == 0).all(axis=2).sum()
    assert not (color_change(before, many, CITYSCAPES) == 0).all(axis=2).any()
    assert not (color_change(before, before, CITYSCAPES) == 0).all(axis=2).any()


def test_rules_have_their_color_striped_where_they_left_no_label() -> None:
    deciding = np.repeat(np.arange(TABLE.num_classes, dtype=np.uint8), 20)[None].repeat(40, axis=0)
    labelled, dropped = (color_rules(deciding, np.full(deciding.shape, v, np.uint8), TABLE) for v in (ROAD, 255))
    for code, rule in enumerate(TABLE.classes):
        columns = slice(20 * code, 20 * code + 20)
        assert colors_in(labelled[:, columns]) == {rule.color}
        expected = set(HATCH_COLORS) if rule.name == INPUT else {rule.color}
        assert expected <= colors_in(dropped[:, columns])
        assert len(colors_in(dropped[:, columns])) == 2


def test_panel_is_a_grid_with_legends_below(street: Street) -> None:
    narrow, wide = (rule_panel(None, *(street[0], CITYSCAPES, *street[1:]), columns=n, height=60) for n in (1, 4))
    assert narrow.shape[0] > 2.5 * wide.shape[0]
    assert wide.shape[1] > 3 * narrow.shape[1]
    for picture in (narrow, wide):
        found = colors_in(picture)
        assert {rule.color for rule in TABLE.classes} <= found
        assert {CITYSCAPES.classes[i].color for i in (ROAD, CAR)} <= found
        assert CITYSCAPES.classes[PERSON].color not in found  # a class that does not occur takes no room


@settings(max_examples=30, deadline=None)
@given(label_cases())
def test_any_image_and_table_has_a_panel(case: LabelCase) -> None:
    labels, trail = make_audited_labels(*case)
    picture = rule_panel(None, case.inp.annotation, case.catalog, trail, labels, height=20)
    assert picture.ndim == 3
    assert picture.dtype == np.uint8
    assert (picture < 128).any()


def test_a_panel_of_nothing_at_all() -> None:
    nothing = np.full((1, 1), 255, np.uint8)
    trail, labels = AuditTrail(nothing, LabelRules()), PseudoLabels(nothing, np.full((1, 1), -1, np.int32))
    picture = rule_panel(None, ImageAnnotation("a", 1, 1, (), ()), CAMVID, trail, labels, height=30)
    assert TABLE.classes[TABLE.names.index(INSTANCES)].color in colors_in(picture)


def test_what_does_not_fit_together_is_refused(street: Street) -> None:
    annotation, trail, labels = street
    with pytest.raises(ValueError, match=r"image of \(4, 4\) and the record of \(40, 60\)"):
        rule_pictures(np.zeros((4, 4, 3), np.uint8), annotation, CITYSCAPES, trail, labels)
    other = PseudoLabels(labels.semantic[:5], labels.instances[:5])
    with pytest.raises(ValueError, match=r"labels of \(5, 60\)"):
        rule_pictures(None, annotation, CITYSCAPES, trail, other)
    with pytest.raises(ValueError, match="at least 1 column"):
        rule_panel(None, annotation, CITYSCAPES, trail, labels, columns=0)
