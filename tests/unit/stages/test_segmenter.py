"""What the first round begins with."""

from pathlib import Path

import pytest
import torch

from tests.integration.loop_in_process import tiny_config, tiny_experiment, toy_city
from weakpan.basics.errors import DataError
from weakpan.stages.build import build_classifier, build_segmenter, shares_encoder
from weakpan.stages.segmenter import adopt_encoder
from weakpan.storage.class_table import load_catalog

TOY = load_catalog("toy_city")


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    return toy_city(tmp_path_factory.mktemp("city"))


def networks(segmenter_encoder="test_resnet"):
    torch.manual_seed(0)
    config = tiny_config(Path("run"), Path("data"), f"segmenter.network.encoder={segmenter_encoder}")
    return build_classifier(config.classifier, TOY), build_segmenter(config.segmenter, TOY)


def test_the_segmenter_sees_what_the_classifier_sees(tmp_path):
    classifier, segmenter = networks()
    torch.save({"state_dict": classifier.state_dict()}, tmp_path / "last.ckpt")
    head = {k: v.clone() for k, v in segmenter.network.state_dict().items() if not k.startswith("encoder.")}
    adopt_encoder(segmenter, tmp_path / "last.ckpt")
    body = classifier.network.body.state_dict()
    taken = {k: v for k, v in segmenter.network.encoder.body.state_dict().items() if k in body}
    assert len(taken) > 50
    for name, value in taken.items():
        torch.testing.assert_close(value, body[name], rtol=0, atol=0)
    for name, value in head.items():
        torch.testing.assert_close(segmenter.network.state_dict()[name], value, rtol=0, atol=0)
    # The deepest features of both networks are the same, whatever their heads make of them.
    images = torch.rand(2, 3, 64, 64)
    classifier.eval(), segmenter.eval()
    with torch.no_grad():
        torch.testing.assert_close(segmenter.network.encoder(images)[-1], classifier.network.features(images))


def test_another_architecture_is_refused(tmp_path):
    classifier, _ = networks()
    torch.save({"state_dict": classifier.state_dict()}, tmp_path / "last.ckpt")
    _, other = networks("resnet10t")
    with pytest.raises(DataError, match=r"last\.ckpt: only \d+% of the encoder's tensors"):
        adopt_encoder(other, tmp_path / "last.ckpt")


def test_initial_weights_can_be_those_of_a_classifier(tmp_path):
    classifier, _ = networks()
    torch.save({"state_dict": classifier.state_dict()}, tmp_path / "last.ckpt")
    config = tiny_config(tmp_path / "run", tmp_path / "data", f"segmenter.init={tmp_path / 'last.ckpt'}")
    loaded = build_segmenter(config.segmenter, TOY).network.encoder.body.state_dict()
    body = classifier.network.body.state_dict()
    assert all(torch.equal(value, body[name]) for name, value in loaded.items() if name in body)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], True),
        (["rounds.from_classifier=false"], False),
        (["supervision=full"], False),
        (["segmenter.network.encoder=resnet10t"], False),
        (["segmenter.init=weights.pth"], False),
        (["classifier.network._target_=torch.nn.Identity"], False),
        (["segmenter.network._target_=torch.nn.Identity"], False),
    ],
)
def test_when_the_first_round_begins_with_the_classifier(tmp_path, city, overrides, expected):
    experiment = tiny_experiment(tmp_path / "run", city, *overrides)
    assert (experiment.config.starts_from_classifier and shares_encoder(experiment.config)) is expected
