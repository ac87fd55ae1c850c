"""Label rules of the configuration: composed by Hydra, named by their full keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from weakpan.basics.errors import ConfigError
from weakpan.config.labels import build_rules
from weakpan.labels import BoxPrior, CandidateClasses, Diffusion, LowIouFill, MaskMerge, ScoreThreshold, TagCheck
from weakpan.labels.pipeline import LabelRules, published_rules

CONF = str(Path(__file__).parents[3] / "conf")
PUBLISHED = ("labels=published",)


def composed(*overrides: str) -> dict:
    with initialize_config_dir(CONF, version_base="1.3"):
        return OmegaConf.to_container(compose("common", list(overrides)).labels)


def test_the_rules_of_this_project_in_their_order() -> None:
    rules = build_rules(composed())
    assert rules == LabelRules(
        {
            "candidates": CandidateClasses(),
            "diffusion": Diffusion(steps=6, side=120),
            "score_threshold": ScoreThreshold(0.6, 0.5),
            "tag_check": TagCheck(),
            "mask_merge": MaskMerge(5),
            "box_prior": BoxPrior(),
            "low_iou_fill": LowIouFill(0.25, False),
        }
    )
    assert list(rules.rules) == ["candidates", "diffusion", *published_rules()]


def test_the_published_rules_are_those_of_the_code() -> None:
    rules = build_rules(composed(*PUBLISHED))
    assert rules == LabelRules()
    assert list(rules.rules) == list(LabelRules().rules)


def test_coarse_annotations_do_without_tags_boxes_and_instances() -> None:
    rules = build_rules(composed("labels=coarse"))
    assert list(rules.rules.items()) == [
        ("score_threshold", ScoreThreshold(0.99)), ("mask_merge", MaskMerge()), ("low_iou_fill", LowIouFill(0.5)),
    ]  # fmt: skip
    assert not rules.instances


def test_null_switches_a_rule_off_and_an_entry_adds_one() -> None:
    rules = build_rules(
        composed(*PUBLISHED, "labels.rules.tag_check=null", "+labels.rules.late={_target_: weakpan.labels.TagCheck}")
    )
    assert list(rules.rules) == ["score_threshold", "mask_merge", "box_prior", "low_iou_fill", "late"]


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("labels.rules.score_threshold.minimum=1.01", "labels.rules.score_threshold.minimum"),
        ("labels.rules.score_threshold.kept_share=-0.1", "labels.rules.score_threshold.kept_share"),
        ("labels.rules.low_iou_fill.threshold=none", "labels.rules.low_iou_fill.threshold"),
        ("labels.rules.low_iou_fill.over_things=sometimes", "labels.rules.low_iou_fill.over_things"),
        ("labels.rules.mask_merge.last_round=-1", "labels.rules.mask_merge.last_round"),
        ("labels.rules.mask_merge.last_round=2.5", "labels.rules.mask_merge.last_round"),
        ("+labels.rules.tag_check.strict=true", "labels.rules.tag_check.strict"),
        ("+labels.rules.tag_chek={minimum: 1}", "labels.rules.tag_chek"),
        ("labels.rules.tag_check._target_=weakpan.labels.TagChek", "labels.rules.tag_check._target_"),
        ("labels.rules.tag_check._target_=weakpan.basics.catalog.Catalog", "labels.rules.tag_check._target_"),
        (
            "+labels.rules.diffusion={_target_: weakpan.labels.Diffusion, reaches: [90]}",
            "labels.rules.diffusion.reaches",
        ),
        ("+labels.rules.input={_target_: weakpan.labels.TagCheck}", "labels.rules.input"),
        ("labels.instances=maybe", "labels.instances"),
        ("+labels.steps=[tag_check]", "labels.steps"),
    ],
)
def test_what_makes_no_sense_is_named_by_its_full_key(override: str, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_rules(composed(*PUBLISHED, override))
    assert caught.value.key == key


def test_the_groups_of_the_configuration_hold_rules_alone() -> None:
    with pytest.raises(ConfigError) as caught:
        build_rules({"rules": ["tag_check"]})
    assert caught.value.key == "labels.rules"
