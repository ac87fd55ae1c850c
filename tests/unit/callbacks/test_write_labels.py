"""Labels written behind the network: the same as at once, and errors that name the image."""

import errno
from dataclasses import dataclass

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

import weakpan.callbacks.write_labels
from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import DiskFullError
from weakpan.callbacks.write_labels import WriteLabels
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation, WeakAnnotations
from weakpan.data.candidates import candidate_sets
from weakpan.data.crops import CropGrid
from weakpan.data.loaders.panoptic_datamodule import single_image
from weakpan.labels import CandidateClasses, Diffusion, MapRule, ProbabilityRule, ScoreThreshold
from weakpan.labels.pipeline import LabelRules, published_rules
from weakpan.labels.rule import PROBABILITIES, SCORE, SEEDS
from weakpan.labels.store import LabelStore
from weakpan.models.decode import PanopticDecoder
from weakpan.models.panoptic_net import PanopticNet
from weakpan.training.losses import CrossEntropy
from weakpan.training.segmenter_module import SegmenterModule

HEIGHT, WIDTH = 32, 48
IDS = [f"a{k}" for k in range(5)]
GRID = CropGrid(HEIGHT, WIDTH)
RULES = LabelRules(
    {
        "candidates": CandidateClasses(),
        "diffusion": Diffusion(steps=3, side=24),
        **published_rules(),
        "score_threshold": ScoreThreshold(0.2, 0.5),
    }
)


def annotations():
    car = TOY_CITY.names.index("car")
    entries = {
        image_id: ImageAnnotation(
            image_id, HEIGHT, WIDTH, (Box(car, 2 + k, 3, 20 + k, 25, BoxKind.INSTANCE),), (frozenset({0, 1, car}),)
        )
        for k, image_id in enumerate(IDS)
    }
    return WeakAnnotations(TOY_CITY, GRID, entries)


def items(weak):
    rng = np.random.default_rng(0)
    rows, columns = np.arange(HEIGHT), np.arange(WIDTH)
    for image_id, entry in weak.images.items():
        sets = candidate_sets(entry, GRID, TOY_CITY, rows, columns)
        yield {
            "image_id": image_id,
            "image": torch.from_numpy(rng.integers(0, 255, (3, HEIGHT, WIDTH), np.uint8)),
            "size": (HEIGHT, WIDTH),
            "semantic_only": True,
            "set_index": torch.from_numpy(sets.index).long(),
            "set_table": torch.from_numpy(sets.table),
        }


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(0)
    network = PanopticNet(TOY_CITY.num_classes, "test_resnet", channels=16)
    return SegmenterModule(network, {"semantic": CrossEntropy()}, torch.optim.AdamW, PanopticDecoder(), TOY_CITY)


def no_things(image_id):
    assert image_id in IDS
    return np.full((HEIGHT, WIDTH), 254, np.uint8)


def nowhere(image_id):
    raise AssertionError(f"nobody needs the seeds of {image_id}")


def write(folder, module, monkeypatch, behind, rules=RULES, seeds=nowhere, trails=None):
    """Predict all images and write their labels, behind the network or at once; trails are kept where asked for."""
    monkeypatch.setattr(weakpan.callbacks.write_labels, "gains_time", lambda _: behind)
    weak, store = annotations(), LabelStore(folder / "labels")

    def keep(inp, labels, trail):
        store.write(inp.annotation.image_id, labels)
        assert (trail is None) == (trails is None)
        if trails is not None:
            trails[inp.annotation.image_id] = trail

    callback = WriteLabels(keep, rules, no_things, seeds, weak, 1, audit=trails is not None)
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[callback], default_root_dir=folder,
    )  # fmt: skip
    loader = DataLoader(list(items(weak)), collate_fn=single_image)
    trainer.predict(module, loader, return_predictions=False)
    return store


def test_the_same_files_behind_the_network_and_at_once(tmp_path, module, monkeypatch):
    at_once = write(tmp_path / "at_once", module, monkeypatch, behind=False)
    behind = write(tmp_path / "behind", module, monkeypatch, behind=True)
    files = sorted(p.name for p in behind.folder.iterdir())
    assert len(files) == 2 * len(IDS)
    assert files == sorted(p.name for p in at_once.folder.iterdir())
    for name in files:
        assert (behind.folder / name).read_bytes() == (at_once.folder / name).read_bytes()
    assert len({at_once.read(image_id).semantic.tobytes() for image_id in IDS}) > 1


@pytest.mark.parametrize("behind", [False, True])
def test_an_audit_sees_the_map_after_every_rule(tmp_path, module, monkeypatch, behind):
    trails = {}
    audited = write(tmp_path / "audited", module, monkeypatch, behind, trails=trails)
    plain = write(tmp_path / "plain", module, monkeypatch, behind=False)
    assert list(trails) == IDS
    for image_id, trail in trails.items():
        assert [name for name, _ in trail.steps] == list(RULES.rules)
        labels = plain.read(image_id)
        np.testing.assert_array_equal(audited.read(image_id).semantic, labels.semantic)
        np.testing.assert_array_equal(trail.final, labels.semantic)
        contested = (labels.instances == -1) & (labels.semantic != 255)
        np.testing.assert_array_equal(trail.contested, contested)
        # All classes are allowed that are tagged, and no others.
        assert set(np.unique(trail.steps[0][1])) <= {0, 1, TOY_CITY.names.index("car")}
    assert any((trail.prediction != trail.steps[0][1]).any() for trail in trails.values())


@dataclass(frozen=True)
class Sure(ProbabilityRule):
    """Makes the network sure of what seeds say."""

    needs = frozenset({SEEDS})

    def __call__(self, probabilities, context):
        assert context.allowed is None
        assert len(context.crops) == len(context.annotation.tags) == 1
        probabilities.zero_().scatter_(0, torch.from_numpy(context.seeds).long()[None], 1)
        return probabilities


@dataclass(frozen=True)
class Unanimous(MapRule):
    """Keeps what score, probabilities and seeds agree about."""

    needs = frozenset({SCORE, SEEDS, PROBABILITIES})

    def __call__(self, semantic, context):
        assert context.masks is None
        chosen = np.take_along_axis(context.probabilities, semantic[None].astype(np.int64), 0)[0]
        return np.where((chosen == context.score) & (semantic == context.seeds), semantic, 255).astype(np.uint8)


@pytest.mark.parametrize("behind", [False, True])
def test_rules_are_given_what_they_need_and_nothing_else_is_read(tmp_path, module, monkeypatch, behind):
    def seeds(image_id):
        return np.full((HEIGHT, WIDTH), IDS.index(image_id), np.uint8)

    rules = LabelRules({"sure": Sure(), "unanimous": Unanimous()})
    store = write(tmp_path, module, monkeypatch, behind, rules, seeds)
    for index, image_id in enumerate(IDS):
        assert (store.read(image_id).semantic == index).all()


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("at", [0, len(IDS) - 1])
def test_a_full_disk_ends_the_prediction_and_names_the_image(tmp_path, module, monkeypatch, behind, at):
    whole = LabelStore.write

    def full(store, image_id, labels):
        if image_id == IDS[at]:
            raise OSError(errno.ENOSPC, "No space left on device", str(store.semantic_path(image_id)))
        whole(store, image_id, labels)

    monkeypatch.setattr(LabelStore, "write", full)
    with pytest.raises(
        DiskFullError, match=rf"{IDS[at]}_semantic.png: no space left on file system .* image {IDS[at]};"
    ):
        write(tmp_path, module, monkeypatch, behind)
    assert not list((tmp_path / "labels").glob(f"{IDS[at]}*")) if (tmp_path / "labels").is_dir() else at == 0


@pytest.mark.parametrize("behind", [False, True])
def test_a_fault_of_the_program_names_the_image(tmp_path, module, monkeypatch, behind):
    def fault(*_):
        raise IndexError("out of bounds")

    monkeypatch.setattr(weakpan.callbacks.write_labels, "make_labels", fault)
    with pytest.raises(IndexError, match="out of bounds") as caught:
        write(tmp_path, module, monkeypatch, behind)
    assert caught.value.__notes__ == [f"image {IDS[0]}"]
