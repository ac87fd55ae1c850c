"""What the loaders hand to the networks."""

import itertools

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.unit.data.tiny_tree import street, write_frame
from weakpan.basics.catalog import CITYSCAPES
from weakpan.data.crops import CropGrid
from weakpan.data.derive import derive_annotations
from weakpan.data.ground_truth import GroundTruth
from weakpan.data.image_tree import ImageTree
from weakpan.data.loaders.crop_datamodule import CropDataModule, CropDataset, collate_crops
from weakpan.data.loaders.panoptic_datamodule import (
    PanopticDataModule,
    TrainingViews,
    WholeImages,
    collate_views,
    single_image,
)
from weakpan.data.loaders.samplers import EpochSampler
from weakpan.data.loaders.settings import RandomCropSettings, TagCropSettings
from weakpan.data.loaders.targets import label_truth

GRID = CropGrid(12, 16)
SETTINGS = RandomCropSettings(height=16, width=24, min_scale=0.6, max_scale=1.6, centre_sigma=2.0)
NAMES = [f"f{i}" for i in range(5)]


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    for number, name in enumerate(NAMES):
        write_frame(root, name, street(20, 30 + 2 * number))
    return ImageTree(root, "train", CITYSCAPES)


@pytest.fixture(scope="module")
def weak(split):
    return derive_annotations(split, GRID, workers=1)


class RealLabels:
    """Ground truth by image id; a class of the module so that fresh worker processes can import it."""

    def __init__(self, split):
        self.split = split

    def __call__(self, image_id):
        return label_truth(GroundTruth.of(self.split).panoptic(image_id), CITYSCAPES)


def training_views(split, weak, unconstrained=frozenset(), seed=5):
    return TrainingViews(split, RealLabels(split), weak, unconstrained, SETTINGS, seed)


def assert_same(one, other):
    assert one.keys() == other.keys()
    for key in one:
        if isinstance(one[key], torch.Tensor):
            torch.testing.assert_close(one[key], other[key], rtol=0, atol=0)
        else:
            assert one[key] == other[key]


def test_a_view_has_the_documented_form(split, weak):
    item = training_views(split, weak)[(0, 2)]
    assert item["image"].shape == (3, 16, 24)
    assert item["image"].dtype == torch.uint8
    for key, dtype in (("semantic", torch.int64), ("centre", torch.float32), ("centre_known", torch.bool),
                       ("offset_known", torch.bool), ("set_index", torch.int64)):  # fmt: skip
        assert item[key].shape == (16, 24)
        assert item[key].dtype == dtype
    assert item["offset"].shape == (2, 16, 24)
    assert item["set_table"].shape[1] == CITYSCAPES.num_classes
    valid = item["semantic"] != 255
    assert valid.any()
    # Ground truth: every label is among the candidates that tags and boxes leave.
    assert item["set_table"][item["set_index"][valid], item["semantic"][valid]].all()


def test_views_depend_on_seed_epoch_and_index_alone(split, weak):
    assert_same(training_views(split, weak)[(1, 2)], training_views(split, weak)[(1, 2)])
    one = training_views(split, weak)[(1, 2)]["image"]
    for other in (training_views(split, weak)[(2, 2)], training_views(split, weak, seed=6)[(1, 2)]):
        assert (one != other["image"]).any()


def test_worker_processes_show_the_same_views(split, weak):
    def batches(workers):
        sampler = EpochSampler(len(split.ids), seed=1)
        sampler.set_epoch(3)
        return list(
            DataLoader(training_views(split, weak), batch_size=2, sampler=sampler, num_workers=workers,
                       collate_fn=collate_views)
        )  # fmt: skip

    alone, shared = batches(0), batches(2)
    assert len(alone) == len(shared) == 3
    for one, other in zip(alone, shared, strict=True):
        assert_same(one, other)


def test_images_with_real_labels_have_no_candidate_sets(split, weak):
    item = training_views(split, weak, frozenset({"f2"}))[(0, 2)]
    assert item["set_table"].shape == (1, CITYSCAPES.num_classes)
    assert item["set_table"].all()
    assert not item["set_index"].any()
    assert training_views(split, None)[(0, 1)]["set_table"].shape[0] == 1
    assert training_views(split, weak, frozenset({"f2"}))[(0, 1)]["set_table"].shape[0] > 1


def test_tables_of_a_batch_are_put_one_below_the_other(split, weak):
    views = training_views(split, weak)
    items = [views[(0, i)] for i in (0, 3, 1)]
    batch = collate_views(items)
    for k, item in enumerate(items):
        torch.testing.assert_close(
            batch["set_table"][batch["set_index"][k]], item["set_table"][item["set_index"]], rtol=0, atol=0
        )
        torch.testing.assert_close(batch["offset"][k], item["offset"], rtol=0, atol=0)
        for key in ("present_areas", "present_classes", "present_is_box"):
            torch.testing.assert_close(batch[key][batch["present_view"] == k], item[key], rtol=0, atol=0)


def test_whole_images_have_their_own_size(split, weak):
    item = WholeImages(split, ["f3"], 0.5, weak)[0]
    assert item["image"].shape == (3, 10, 18)
    assert item["size"] == (20, 36)
    assert item["set_index"].shape == (20, 36)
    assert single_image([item])["image"].shape == (1, 3, 10, 18)
    assert "set_table" not in WholeImages(split, ["f3"], 0.5, None)[0]


def test_all_crops_of_an_image_with_their_tags(split, weak):
    dataset = CropDataset(split, weak, TagCropSettings(flip=True, colour_jitter=0.5), seed=0)
    item = dataset[1]  # without an epoch: as it is
    crops = GRID.crops(20, 32)
    assert item["crops"].shape == (len(crops), 3, 12, 16)
    image = split.image("f1")
    for k, crop in enumerate(crops):
        np.testing.assert_array_equal(item["crops"][k].permute(1, 2, 0).numpy(), image[crop.slices])
        assert set(np.flatnonzero(item["tags"][k]).tolist()) == weak.images["f1"].tags[k]
    augmented = dataset[(0, 1)]
    assert (augmented["crops"] != item["crops"]).any()
    assert_same(augmented, dataset[(0, 1)])
    torch.testing.assert_close(augmented["tags"], item["tags"])


def test_crops_are_scaled_when_asked_and_small_images_still_fit(split, weak):
    dataset = CropDataset(split, weak, TagCropSettings(height=8, width=10), seed=0)
    assert dataset[0]["crops"].shape[1:] == (3, 8, 10)
    batch = collate_crops([dataset[(0, 0)], dataset[(0, 2)]])
    assert batch["image_id"] == ["f0", "f2"]
    assert len(batch["crops"]) == len(batch["tags"]) == sum(len(weak.images[i].tags) for i in ("f0", "f2"))


class OneOfTwo:
    """Stands for a Trainer of one rank of two."""

    global_rank, world_size = 1, 2


def test_ranks_share_prediction_without_repeats(split, weak):
    data = PanopticDataModule(None, WholeImages(split, split.ids, 1.0, None), 1, 0, seed=0)
    data.trainer = OneOfTwo()
    assert [batch["image_id"] for batch in data.predict_dataloader()] == ["f1", "f3"]
    crops = CropDataModule(split, weak, TagCropSettings(), workers=0, seed=0)
    crops.trainer = OneOfTwo()
    assert [batch["image_id"] for batch in crops.predict_dataloader()] == [["f1"], ["f3"]]


class Alone:
    """Stands for a Trainer of one process."""

    global_rank, world_size = 0, 1


@pytest.mark.parametrize(("batch_size", "sizes"), [(2, [2, 2]), (5, [5]), (8, [5])])
def test_a_last_small_batch_is_dropped_unless_it_is_all(split, weak, batch_size, sizes):
    data = PanopticDataModule(training_views(split, weak), None, batch_size, 0, seed=0)
    data.trainer = Alone()
    loader = data.train_dataloader()
    assert [len(batch["image"]) for batch in itertools.islice(loader, 9)] == sizes


def test_images_to_predict_come_with_the_candidates_of_their_pixels(split, weak):
    dataset = CropDataset(split, weak, TagCropSettings(), seed=0, ids=["f3", "f1"])
    assert len(dataset) == 2
    item, whole = dataset[1], WholeImages(split, ["f1"], 1.0, weak)[0]
    assert item["image_id"] == "f1"
    torch.testing.assert_close(item["set_index"].long(), whole["set_index"])
    torch.testing.assert_close(item["set_table"], whole["set_table"])
    assert "set_index" not in dataset[(0, 1)]
    of_tags = CropDataset(split, weak, TagCropSettings(), seed=0, with_pixels=False)[1]
    assert of_tags.keys() == {"image_id", "crops", "tags"}
    assert torch.equal(of_tags["crops"], item["crops"])
    batch = collate_crops([dataset[0], item])
    assert [index.shape for index in batch["set_index"]] == [(20, 36), (20, 32)]
    assert torch.equal(batch["image"][1], item["image"])
