"""Labels written behind the network: the same as at once, and errors that name the image."""

import errno

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
from weakpan.labels.settings import LabelSettings
from weakpan.labels.store import LabelStore
from weakpan.models.decode import PanopticDecoder
from weakpan.models.panoptic_net import PanopticNet
from weakpan.storage.map_store import MapStore
from weakpan.training.losses import CrossEntropy
from weakpan.training.segmenter_module import SegmenterModule

HEIGHT, WIDTH = 32, 48
IDS = [f"a{k}" for k in range(5)]
GRID = CropGrid(HEIGHT, WIDTH)
SETTINGS = LabelSettings(score_threshold=0.2, kept_share=0.5)


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
            "set_index": torch.from_numpy(sets.index).long(),
            "set_table": torch.from_numpy(sets.table),
        }


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(0)
    network = PanopticNet(TOY_CITY.num_classes, "test_resnet", channels=16)
    return SegmenterModule(network, {"semantic": CrossEntropy()}, torch.optim.AdamW, PanopticDecoder(), TOY_CITY)


def write(folder, module, monkeypatch, behind):
    """Predict all images and write their labels, behind the network or at once."""
    monkeypatch.setattr(weakpan.callbacks.write_labels, "gains_time", lambda _: behind)
    weak, store, masks = annotations(), LabelStore(folder / "labels"), MapStore(folder / "masks")
    for image_id in IDS:
        masks.write(image_id, np.full((HEIGHT, WIDTH), 254, np.uint8))
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[WriteLabels(store, masks, weak, SETTINGS, 1)], default_root_dir=folder,
    )  # fmt: skip
    module.decode_panoptic = False
    loader = DataLoader(list(items(weak)), collate_fn=single_image)
    trainer.predict(module, loader, return_predictions=False)
    assert not module.deferred
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


class Prompt(SegmenterModule):
    """Of one's own, as written before predictions could be left pending."""

    def predict_step(self, batch, batch_idx):
        return super().predict_step(batch, batch_idx).finish()


def test_a_module_of_ones_own_may_finish_its_predictions(tmp_path, module, monkeypatch):
    prompt = Prompt(module.network, {"semantic": CrossEntropy()}, torch.optim.AdamW, PanopticDecoder(), TOY_CITY)
    expected = write(tmp_path / "pending", module, monkeypatch, behind=False)
    found = write(tmp_path / "prompt", prompt, monkeypatch, behind=False)
    for image_id in IDS:
        np.testing.assert_array_equal(found.read(image_id).semantic, expected.read(image_id).semantic)


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
