"""Losses, heads, optimizers and callbacks that live outside the package and are used by YAML alone."""

import csv

import pytest
import torch

from tests.integration.loop_in_process import run_tiny, tiny_config, tiny_experiment, toy_city, weights_of
from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import ConfigError
from weakpan.stages.build import build_segmenter, shares_encoder
from weakpan.stages.checks import check_networks

HERE = "tests.extension"
CONFIDENCE = f"+segmenter.losses.confidence={{_target_: {HERE}.losses.Confidence, weight: 0.1, temperature: 2}}"
COSINE = (f"segmenter.network._target_={HERE}.heads.CosineNet", "+segmenter.network.sharpness=5")


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    return toy_city(tmp_path_factory.mktemp("city"))


def columns(run, stage):
    with (run / "logs" / stage / "metrics.csv").open(newline="") as file:
        return set(next(csv.reader(file)))


def test_a_whole_run_with_a_term_a_head_an_optimizer_a_schedule_and_callbacks_of_ones_own(tmp_path, city):
    run = tmp_path / "run"
    found = run_tiny(
        run, city, CONFIDENCE, *COSINE, "segmenter.losses.presence=null", "rounds.n=1",
        "segmenter.optimizer._target_=torch.optim.RMSprop", "segmenter.optimizer.lr=1e-3",
        "segmenter.scheduler._target_=torch.optim.lr_scheduler.CosineAnnealingLR",
        "+callbacks.lr={_target_: pytorch_lightning.callbacks.LearningRateMonitor, logging_interval: epoch}",
        f"+callbacks.norm={{_target_: {HERE}.callbacks.GradientNorm, name: norm}}",
        "+callbacks.best={_target_: pytorch_lightning.callbacks.ModelCheckpoint}",
        "+trainer.accumulate_grad_batches=4", "+trainer.precision=bf16-mixed", "+trainer.num_nodes=1",
        "+trainer.profiler=simple",
    )  # fmt: skip
    assert found["rounds"][0]["train_loss"] > 0
    logged = columns(run, "round_0_fit")
    assert {"segmenter/loss_confidence", "segmenter/loss_semantic", "segmenter/loss_total"} <= logged
    assert "segmenter/loss_presence" not in logged
    assert any(name.startswith("lr-RMSprop") for name in logged)
    assert "norm" in logged
    assert any((run / "logs").glob("*profile_round_0_fit*"))
    assert "classifier/loss_tags" in columns(run, "classifier")
    assert any(name.startswith("network.semantic_head.prototypes") for name in weights_of(run, 0))


def test_a_network_derived_from_ours_begins_with_the_encoder_of_the_classifier(tmp_path, city):
    assert shares_encoder(tiny_config(tmp_path / "run", city, *COSINE))


def test_a_term_teaches_what_it_says(tmp_path, city):
    off = [f"segmenter.losses.{name}=null" for name in ("candidates", "presence", "centre", "offset")]
    config = tiny_config(tmp_path / "run", city, CONFIDENCE, *off, "segmenter.losses.semantic.weight=0")
    network = build_segmenter(config.segmenter, TOY_CITY).network
    frozen = {name.split(".")[0] for name, p in network.named_parameters() if not p.requires_grad}
    assert frozen == {"instance_entry", "instance_path", "centre_head", "offset_head"}


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ([CONFIDENCE.replace("temperature: 2", "temperature: 0")], "segmenter.losses.confidence.temperature"),
        ([CONFIDENCE.replace("temperature", "temprature")], "segmenter.losses.confidence.temprature"),
        ([CONFIDENCE.replace("Confidence", "Confidnce")], "segmenter.losses.confidence._target_"),
        ([*COSINE, "segmenter.network.channels=0"], "segmenter.network.channels"),
    ],
)
def test_a_mistake_in_an_object_of_ones_own_names_its_key_before_anything_is_written(tmp_path, city, overrides, key):
    with pytest.raises(ConfigError) as caught:
        check_networks(tiny_experiment(tmp_path / "run", city, *overrides))
    assert caught.value.key == key
    assert not (tmp_path / "run").exists()


def test_a_term_that_needs_what_batches_lack_says_so(tmp_path, city):
    config = tiny_config(tmp_path / "run", city, f"+segmenter.losses.depth={{_target_: {HERE}.losses.NeedsDepth}}")
    module = build_segmenter(config.segmenter, TOY_CITY)
    batch = {"image": torch.zeros(1, 3, 32, 32, dtype=torch.uint8), "semantic": torch.full((1, 32, 32), 255)}
    module.losses = torch.nn.ModuleDict({"depth": module.losses["depth"]})
    with pytest.raises(ConfigError, match="needs depth") as caught:
        module.training_step(batch, 0)
    assert caught.value.key == "segmenter.losses.depth"
