"""A seed source of one's own is used by both scripts as those of the package are."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.extension.seeds import YAML, OnlyCandidate
from tests.integration.loop_in_process import TINY, run_tiny_with, tiny_config
from tests.integration.make_gt_in_process import run_with, settings
from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import ConfigError
from weakpan.config.train_checks import check_run
from weakpan.data.annotation_file import read_weak_annotations
from weakpan.data.candidates import whole_image_sets
from weakpan.storage.images import read_map


def expected(annotations, image_id):
    """The same pixel by pixel of the sets."""
    sets = whole_image_sets(annotations.images[image_id], annotations.grid, TOY_CITY)
    labels = np.full(sets.index.shape, 255)
    for y, x in np.ndindex(labels.shape):
        row = sets.index[y, x]
        classes = np.flatnonzero(sets.table[row])
        if row and len(classes) == 1:
            labels[y, x] = classes[0]
    return labels


@pytest.fixture(scope="module")
def finished(tmp_path_factory, city):
    folder = tmp_path_factory.mktemp("own_seeds") / "run"
    config = tiny_config(folder, city, "rounds.n=1", "rounds.from_classifier=false")
    config.seeds = {**YAML, "largest": 1.0}
    return folder, run_tiny_with(config, folder)


def test_a_run_uses_it_and_trains_no_classifier(finished):
    folder, metrics = finished
    assert metrics["classifier"] is None
    assert OnlyCandidate().supervision in metrics["supervision_used"]
    assert not (folder / "classifier").exists()
    annotations = read_weak_annotations(folder / "weak_annotations.json", TOY_CITY)
    for image_id in annotations.images:
        np.testing.assert_array_equal(read_map(folder / f"seeds/{image_id}.png"), expected(annotations, image_id))
    recorded = json.loads((folder / "seeds/manifest.json").read_text())["settings"]
    assert recorded["seeds._target_"] == YAML["_target_"]
    assert recorded["seeds.largest"] == 1.0


def test_make_gt_makes_the_same(finished, city, tmp_path):
    folder, _ = finished
    config = settings(*TINY, "stage=seeds", f"data.root={city}", f"run={tmp_path / 'alone'}")
    config.seeds = {**YAML, "largest": 1.0}
    assert run_with(config) == []
    made = sorted((tmp_path / "alone/seeds").glob("*.png"))
    assert len(made) == 4
    for path in made:
        np.testing.assert_array_equal(read_map(path), read_map(folder / f"seeds/{path.name}"))


def test_its_settings_are_checked(tmp_path, city):
    config = tiny_config(tmp_path / "run", city)
    config.seeds = {**YAML, "largest": 2}
    with pytest.raises(ConfigError) as caught:
        check_run(config)
    assert caught.value.key == "seeds.largest"
