"""Label rules of one's own are used by an entry of the configuration, beside those of the package."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.extension.labels import AgreeWithSeeds, Favour
from tests.integration.loop_in_process import run_tiny, tiny_config
from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import ConfigError
from weakpan.data.annotation_file import read_weak_annotations
from weakpan.data.candidates import whole_image_sets
from weakpan.labels.trail_store import AuditStore
from weakpan.storage.images import read_map

AGREE = "+labels.rules.agree={_target_: tests.extension.labels.AgreeWithSeeds, share: 0.0}"
FAVOUR = "+labels.rules.favour={_target_: tests.extension.labels.Favour, name: building, factor: 1e30}"
BUILDING = TOY_CITY.train_id_named("building")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, city):
    run = tmp_path_factory.mktemp("own_rules") / "run"
    run_tiny(run, city, AGREE, FAVOUR, "labels.rules.score_threshold=null", "audit=true")
    return run, read_weak_annotations(run / "weak_annotations.json", TOY_CITY)


@pytest.mark.parametrize("index", [0, 1])
def test_the_rule_on_label_maps_has_the_last_word_in_every_round(finished, index):
    run, annotations = finished
    audit = AuditStore(run / f"round_{index:02d}/audit")
    for image_id in annotations.images:
        labels = read_map(run / f"round_{index:02d}/labels/{image_id}_semantic.png")
        seeds = read_map(run / f"seeds/{image_id}.png")
        np.testing.assert_array_equal(labels[labels != 255], seeds[labels != 255])
    changes = [change for image_id in annotations.images for change in audit.read_changes(image_id)]
    assert sum(change.pixels for change in changes if change.step == "agree") > 0


def test_the_rule_on_probabilities_follows_those_of_the_package(finished):
    run, annotations = finished
    audit = AuditStore(run / "round_01/audit")
    favoured = 0
    for image_id, annotation in annotations.images.items():
        rows = [change for change in audit.read_changes(image_id) if change.step == "favour"]
        assert {change.after for change in rows} <= {"building"}
        sets = whole_image_sets(annotation, annotations.grid, TOY_CITY)
        possible = int(sets.table[:, BUILDING][sets.index].sum())
        assert sum(change.pixels for change in rows) <= possible
        favoured += sum(change.pixels for change in rows)
    assert favoured > 0
    assert "favour" not in (run / "round_00/audit/changes.csv").read_text()


def test_the_audit_shows_them_in_their_colors(finished):
    run, annotations = finished
    rules = ["candidates", "diffusion", "favour", "tag_check", "mask_merge", "box_prior", "low_iou_fill", "agree"]
    folder = run / "round_01/audit"
    for image_id in annotations.images:
        assert (folder / f"{image_id}_panel.png").is_file()
        with Image.open(folder / f"{image_id}_rules.png") as image:
            palette = np.array(image.getpalette()).reshape(-1, 3).tolist()
            used = set(np.unique(np.array(image)).tolist())
        assert palette[1 + rules.index("favour")] == list(Favour.color)
        assert palette[1 + rules.index("agree")] == list(AgreeWithSeeds.color)
        assert max(used) <= len(rules) + 1


def test_their_settings_are_recorded(finished):
    run, _ = finished
    recorded = json.loads((run / "round_01/labels/settings.json").read_text())["settings"]
    assert recorded["labels.rules.agree._target_"] == "tests.extension.labels.AgreeWithSeeds"
    assert recorded["labels.rules.favour.factor"] == 1e30
    assert recorded["labels.rules.score_threshold"] is None


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        (AGREE.replace("0.0", "1.5"), "labels.rules.agree.share"),
        (FAVOUR.replace("1e30", "0"), "labels.rules.favour.factor"),
        (FAVOUR.replace("name: building, ", ""), "labels.rules.favour"),
        (FAVOUR.replace("name:", "title:"), "labels.rules.favour.title"),
    ],
)
def test_their_settings_are_checked(tmp_path, city, entry, key):
    with pytest.raises(ConfigError) as caught:
        tiny_config(tmp_path / "run", city, entry)
    assert caught.value.key == key
