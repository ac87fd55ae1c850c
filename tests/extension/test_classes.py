"""A class table of one's own: annotations are derived in its classes, and in no others."""

from pathlib import Path

import pytest

from tests.integration.loop_in_process import tiny_config, tiny_experiment
from weakpan.basics.errors import DataError
from weakpan.data.annotation_file import read_weak_annotations
from weakpan.stages.annotations import run_annotations
from weakpan.stages.experiment import prepare

TABLE = Path(__file__).with_name("classes.json")


def test_boxes_and_tags_are_of_its_classes(tmp_path, city):
    experiment = tiny_experiment(tmp_path / "run", city, f"data.classes={TABLE}")
    assert experiment.catalog.names == ("ground", "house", "car")
    run_annotations(experiment, experiment.train.ids)
    found = read_weak_annotations(tmp_path / "run/weak_annotations.json", experiment.catalog)
    assert {box.class_id for image in found.images.values() for box in image.boxes} >= {2}
    assert frozenset().union(*(image.image_tags for image in found.images.values())) == {0, 1, 2}


def test_a_table_with_two_classes_of_one_id_is_refused(tmp_path, city):
    path = tmp_path / "classes.json"
    path.write_text(TABLE.read_text().replace('"dataset_id": 11', '"dataset_id": 7'))
    with pytest.raises(DataError) as caught:
        prepare(tiny_config(tmp_path / "run", city, f"data.classes={path}"), tmp_path / "run")
    assert str(path) in str(caught.value)
