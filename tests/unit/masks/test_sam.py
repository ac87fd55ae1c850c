"""Masks of models of the SAM family: small ones with random weights, asked here by hand and by weakpan."""

import json
import shutil
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
import transformers as library
from torch.nn import functional as F

import weakpan.masks.sam_folder
from tests.unit.masks.tiny_sam import FAMILIES, SIDE, save_sam
from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.errors import ConfigError, DataError
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.masks.fallback import FallbackSettings, fallback_mask
from weakpan.masks.network import NetworkMasks
from weakpan.masks.result import Fallback
from weakpan.masks.sam import SamMasks
from weakpan.masks.sam_folder import check_sam_folder
from weakpan.masks.sam_predictor import read_sam

HEIGHT, WIDTH = 60, 90
BOXES = (
    Box(3, 10, 10, 49, 39), Box(2, 0, 0, 89, 59, BoxKind.STUFF), Box(3, 60, 5, 79, 54), Box(4, 0, 0, 0, 0),
    Box(4, 55, 30, 89, 59, BoxKind.GROUP),
)  # fmt: skip
ANNOTATION = ImageAnnotation("a", HEIGHT, WIDTH, BOXES, ())


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {family: save_sam(tmp_path_factory.mktemp("sam") / family, family) for family in FAMILIES}


@pytest.fixture
def folder(folders, tmp_path):
    """One that a test may damage."""
    return shutil.copytree(folders["sam"], tmp_path / "model")


def by_hand(folder, image, corners):
    """(H, W) probabilities of one box, whose corners are scaled here, from the image to the mask in one go."""
    model = library.AutoModelForMaskGeneration.from_pretrained(folder, local_files_only=True).eval()
    processor = library.AutoProcessor.from_pretrained(folder, local_files_only=True)
    # SAM keeps the shape of the photograph and fills up the square; SAM 2 distorts it.
    padded = "sam2" not in model.config.model_type
    rows = round(HEIGHT * SIDE / WIDTH) if padded else SIDE
    box = torch.tensor([[corners]]) * torch.tensor([SIDE / WIDTH, rows / HEIGHT] * 2)
    with torch.no_grad():
        pixels = processor(images=image, return_tensors="pt")["pixel_values"]
        logits = model(pixel_values=pixels, input_boxes=box, multimask_output=False).pred_masks[0]
        if padded:
            logits = F.interpolate(logits, (SIDE, SIDE), mode="bilinear")[..., :rows, :]
        return F.interpolate(logits, (HEIGHT, WIDTH), mode="bilinear")[0, 0].sigmoid().numpy()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_instance_box_has_what_the_library_says(folders, image, family):
    found = read_sam(folders[family]).probabilities(image, BOXES)
    assert {index: (values.shape, values.dtype) for index, values in found.items()} == {
        0: ((30, 40), np.float32), 2: ((50, 20), np.float32), 3: ((1, 1), np.float32),
    }  # fmt: skip
    for index, values in found.items():
        box = BOXES[index]
        whole = by_hand(folders[family], image, (box.xmin, box.ymin, box.xmax, box.ymax))
        np.testing.assert_allclose(values, whole[box.slices], atol=5e-5)
    # Nothing would be shown by a model that does not listen: to rows and columns changed, to corners of the photograph
    # for those of the picture that it sees, to a box that is a pixel wider.
    for corners in ((5, 60, 54, 79), (84.375, 7.03, 111, 75.9), (59, 4, 80, 55)):
        assert np.abs(found[2] - by_hand(folders[family], image, corners)[BOXES[2].slices]).max() > 3e-4


def test_many_boxes_are_as_each_alone(folders, image):
    model = read_sam(folders["sam"])
    boxes = [Box(3, x, y, x + 15, y + 11) for x in range(0, 70, 12) for y in range(0, 44, 10)]
    assert len(boxes) == 30
    together = model.probabilities(image, boxes)
    assert list(together) == list(range(30))
    for index in (0, 15, 16, 29):
        np.testing.assert_allclose(together[index], model.probabilities(image, boxes[index : index + 1])[0], atol=1e-5)


def test_photograph_is_looked_at_once(folders, image, monkeypatch):
    model, looks = read_sam(folders["sam"]), []
    look = model.model.get_image_embeddings
    monkeypatch.setattr(model.model, "get_image_embeddings", lambda pixels: looks.append(pixels) or look(pixels))
    assert len(model.probabilities(image, [Box(3, x, 0, x + 5, 5) for x in range(20)])) == 20
    assert len(looks) == 1
    assert model.probabilities(image, BOXES[1:2]) == {}
    assert len(looks) == 1


def test_masks_are_cut_to_boxes_and_painted(folders, image):
    result = SamMasks(folders["sam"], FallbackSettings(min_cover=0)).masks(ANNOTATION, lambda: image, CITYSCAPES)
    said = read_sam(folders["sam"]).probabilities(image, BOXES)
    masks = {index: values >= 0.5 for index, values in said.items()}
    assert 0 < masks[0].mean() < 1
    assert 0 < masks[2].mean() < 1
    assert not masks[3].any()
    first, second, third = result.records
    assert [(r.index, r.class_id) for r in result.records] == [(0, 3), (2, 3), (3, 4)]
    for record, index in ((first, 0), (second, 2)):
        assert (record.network_area, record.cover) == (masks[index].sum(), pytest.approx(masks[index].mean()))
        assert record.fallback is Fallback.NOT_NEEDED
    # An empty mask is too small whatever the dial says; the ellipse takes the one pixel.
    assert (third.network_area, third.cover, third.fallback) == (0, 1, Fallback.SMALL_MASK)
    wanted = np.full((HEIGHT, WIDTH), 254, np.uint8)
    wanted[BOXES[4].slices] = 255
    for index in (0, 2):
        wanted[BOXES[index].slices] = np.where(masks[index], 3, 255)
    wanted[0, 0] = 4
    np.testing.assert_array_equal(result.semantic, wanted)
    assert result.semantic.dtype == np.uint8


@pytest.mark.parametrize("fallback", ["ellipse", "none"])
def test_small_masks_give_way_to_the_fallback(folders, image, fallback):
    free = SamMasks(folders["sam"], FallbackSettings(min_cover=0)).masks(ANNOTATION, lambda: image, CITYSCAPES).records
    least, other = sorted(free[:2], key=lambda r: r.cover)
    settings = FallbackSettings(min_cover=(least.cover + other.cover) / 2, shape=fallback)
    result = SamMasks(folders["sam"], settings).masks(ANNOTATION, lambda: image, CITYSCAPES)
    records = {r.index: r for r in result.records}
    assert records[other.index] == other
    small = records[least.index]
    assert (small.fallback, small.network_area) == (Fallback.SMALL_MASK, least.network_area)
    box = BOXES[least.index]
    height, width = box.ymax - box.ymin + 1, box.xmax - box.xmin + 1
    ellipse = fallback_mask(height, width, settings)
    assert ellipse.any() == (fallback == "ellipse")
    assert small.cover == pytest.approx(ellipse.mean())
    # Beside the group, which has no other pixels of that box undecided.
    np.testing.assert_array_equal(result.semantic[box.slices] == 3, ellipse)


def test_smaller_box_has_the_pixel_or_nobody(folders, image):
    boxes = (Box(3, 10, 10, 49, 39), Box(5, 10, 10, 48, 39))
    annotation = ImageAnnotation("a", HEIGHT, WIDTH, boxes, ())
    said = read_sam(folders["sam"]).probabilities(image, boxes)
    large, small = said[0] >= 0.5, np.pad(said[1] >= 0.5, ((0, 0), (0, 1)))
    assert (large & small).any()
    for overlap, both in (("small", 5), ("ignore", 255)):
        source = SamMasks(folders["sam"], FallbackSettings(min_cover=0), overlap)
        inside = source.masks(annotation, lambda: image, CITYSCAPES).semantic[boxes[0].slices]
        assert (inside[large & small] == both).all()
        # What the smaller box leaves undecided does not hide the larger one's mask.
        assert (inside[large & ~small] == 3).all()
        assert (inside[small & ~large] == 5).all()


def test_equal_input_gives_equal_masks_and_leaves_threads_and_random_numbers_alone(folders, image):
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    level = library.logging.get_verbosity()
    first = SamMasks(folders["sam"]).masks(ANNOTATION, lambda: image, CITYSCAPES)
    again = read_sam(folders["sam"]).probabilities(image, BOXES)
    torch.set_num_threads(threads + 1)
    try:
        more = read_sam(folders["sam"]).probabilities(image, BOXES)
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert all((again[index] == more[index]).all() for index in again)
    assert [r.network_area for r in first.records] == [int((again[r.index] >= 0.5).sum()) for r in first.records]
    assert torch.equal(torch.get_rng_state(), before)
    assert library.logging.get_verbosity() == level


def test_other_weights_under_the_same_path_are_noticed(folder, image):
    source, seen = SamMasks(folder), []
    for seed in (1, 2):
        save_sam(folder, seed=seed)
        seen.append([r.network_area for r in source.masks(ANNOTATION, lambda: image, CITYSCAPES).records])
    assert seen[0] != seen[1]


def test_it_can_be_evidence_beside_grabcut(folders, image):
    source = NetworkMasks(path=folders["sam"])
    records = source.masks(ANNOTATION, lambda: image, CITYSCAPES).records
    alone = SamMasks(folders["sam"]).masks(ANNOTATION, lambda: image, CITYSCAPES).records
    assert [r.network_area for r in records] == [r.network_area for r in alone]
    assert all(r.grabcut_area > 0 for r in records[:2])
    silent = NetworkMasks(path=folders["sam"], weight=0.0)
    assert [r.cover for r in silent.masks(ANNOTATION, lambda: image, CITYSCAPES).records] != [r.cover for r in records]


def test_boxes_and_photographs_that_do_not_fit_are_named(folders, image):
    outside = replace(ANNOTATION, boxes=(Box(3, 60, 5, 90, 54),))
    with pytest.raises(DataError, match=r"box 0 \(60, 5, 90, 54\) is empty or outside its 90 x 60 image"):
        SamMasks(folders["sam"]).masks(outside, lambda: image, CITYSCAPES)
    with pytest.raises(DataError, match="60 x 90 pixels"):
        SamMasks(folders["sam"]).masks(replace(ANNOTATION, width=100), lambda: image, CITYSCAPES)


def edited(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: shutil.rmtree(f), r"config\.json: no such file; save model and processor"),
        (lambda f: (f / "config.json").unlink(), r"config\.json: no such file; save model and processor"),
        (lambda f: (f / "config.json").write_text("{"), r"config\.json: not readable as JSON"),
        (lambda f: (f / "config.json").write_text("[]"), r"config\.json: holds a list"),
        (
            lambda f: edited(f / "config.json", model_type="vit"),
            r"model_type is 'vit'; expected one of sam, sam_hq, sam2",
        ),
        (
            lambda f: edited(f / "config.json", attn_implementation="some/code"),
            r"names some/code, a program that would",
        ),
        (
            lambda f: edited(f / "config.json", _attn_implementation="some/code"),
            r"names some/code, a program that would",
        ),
        (lambda f: edited(f / "config.json", quantization_config={"load_in_8bit": True}), r"a quantised model"),
        (lambda f: (f / "adapter_config.json").write_text("{}"), r"with an adapter"),
        (lambda f: (f / "processor_config.json").unlink(), r"neither processor_config\.json nor preprocessor_config"),
        (lambda f: (f / "model.safetensors").unlink(), r"model\.safetensors: no such file; save model and processor"),
        (
            lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
            r"model\.safetensors: no such file, and pytorch_model\.bin is a pickle, which is not read",
        ),
        (
            lambda f: (f / "model.safetensors").write_bytes(b"none"),
            r"model\.safetensors: damaged or no safetensors file",
        ),
        (lambda f: cut_short(f / "model.safetensors"), r"model\.safetensors: damaged or no safetensors file"),
    ],
)
def test_unusable_folders_are_named_before_anything_is_read(folder, image, damage, words):
    check_sam_folder(folder)
    damage(folder)
    with pytest.raises(DataError, match=words):
        check_sam_folder(folder)
    with pytest.raises(DataError, match=words):
        SamMasks(folder).masks(ANNOTATION, lambda: image, CITYSCAPES)


def test_weights_in_several_files_are_read_and_missed(folder, image):
    whole = read_sam(folder).probabilities(image, BOXES)
    library.SamModel.from_pretrained(folder).save_pretrained(folder, max_shard_size="50KB")
    (folder / "model.safetensors").unlink()
    split = read_sam(folder).probabilities(image, BOXES)
    for index, values in whole.items():
        # Weights that begin elsewhere in memory are summed up in another order.
        np.testing.assert_allclose(split[index], values, atol=1e-5)
    index = folder / "model.safetensors.index.json"
    (part, *_) = sorted(folder.glob("model-*.safetensors"))
    part.unlink()
    with pytest.raises(DataError, match=rf"{part.name}: no such file"):
        check_sam_folder(folder)
    edited(index, weight_map={"a": "../model.safetensors"})
    with pytest.raises(DataError, match=r"index\.json: its weight_map does not name files of this folder"):
        check_sam_folder(folder)


@pytest.mark.parametrize(
    ("family", "names"),
    [("sam", ("SamImageProcessor", "SamProcessor")), ("sam2", ("Sam2ImageProcessorFast", "Sam2Processor"))],
)
def test_folders_as_older_releases_wrote_them_are_read(folders, image, tmp_path, family, names):
    folder = shutil.copytree(folders[family], tmp_path / "older")
    before = read_sam(folder).probabilities(image, BOXES)
    content = json.loads((folder / "processor_config.json").read_text())["image_processor"]
    (folder / "processor_config.json").unlink()
    content |= {"image_processor_type": names[0], "processor_class": names[1]}
    (folder / "preprocessor_config.json").write_text(json.dumps(content))
    after = read_sam(folder).probabilities(image, BOXES)
    assert all((after[index] == values).all() for index, values in before.items())


def test_weights_that_do_not_fit_are_named(folders, folder):
    config = json.loads((folder / "config.json").read_text())
    vision = {**config["vision_config"], "num_hidden_layers": 3}
    edited(folder / "config.json", vision_config=vision)
    with pytest.raises(DataError, match=r"\d+ weights of the model are not in its files, vision_encoder\.layers\.2"):
        read_sam(folder)
    edited(folder / "config.json", vision_config={**config["vision_config"], "mlp_dim": 16})
    with pytest.raises(DataError, match="not readable as a SAM model"):
        read_sam(folder)
    shutil.copy(folders["sam"] / "config.json", folder)
    content = json.loads((folder / "processor_config.json").read_text())
    edited(
        folder / "processor_config.json", image_processor={**content["image_processor"], "size": {"longest_edge": 32}}
    )
    with pytest.raises(
        DataError, match="its processor makes pictures with sides of 32 and 64 pixels, its model sees 64"
    ):
        read_sam(folder)


def test_missing_library_is_named(folder, image, monkeypatch):
    monkeypatch.setattr(
        weakpan.masks.sam_folder, "find_spec", lambda name: None if name == "transformers" else find_spec(name)
    )
    with pytest.raises(ConfigError, match=r"transformers, which is not installed; install it with uv sync --group sam"):
        SamMasks(folder).masks(ANNOTATION, lambda: image, CITYSCAPES)
