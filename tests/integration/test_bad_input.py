"""One clear error for each kind of bad input, before anything is trained."""

import json
import shutil

import cv2
import pytest
import timm
import torch

from tests.integration.loop_in_process import TINY, tiny_config, tiny_experiment
from tests.integration.scripts import run_script
from weakpan.basics.errors import ConfigError, DataError
from weakpan.stages.annotations import run_annotations
from weakpan.stages.checks import check_networks
from weakpan.stages.experiment import prepare


@pytest.fixture
def city(tmp_path, tiny_city):
    """A copy to damage."""
    shutil.copytree(tiny_city, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture(scope="module")
def good_file(tmp_path_factory, tiny_city):
    """Weak annotations of the city."""
    run = tmp_path_factory.mktemp("derive") / "run"
    experiment = tiny_experiment(run, tiny_city)
    run_annotations(experiment, experiment.train.ids)
    return run / "weak_annotations.json"


def begin(run, city, *overrides):
    experiment = tiny_experiment(run, city, *overrides)
    check_networks(experiment)
    assert not run.exists()
    run_annotations(experiment, experiment.train.ids)


@pytest.fixture
def refused(tmp_path, city):
    """Begin a run, expect one error, return its message; nothing may have been made but boxes and tags of images."""

    def check(*overrides, error=DataError):
        run = tmp_path / "run"
        with pytest.raises(error) as caught:
            begin(run, city, *overrides)
        assert {p.parent.name for p in run.rglob("*") if p.is_file()} <= {"annotations", "images"}
        return str(caught.value)

    return check


def photographs(root, split="train"):
    return sorted((root / "leftImg8bit" / split).rglob("*.png"))


def maps(root, kind, split="train"):
    return sorted((root / "gtFine" / split).rglob(f"*_{kind}.png"))


def cut(path, share=0.6):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def contains(message, *parts):
    for part in parts:
        assert str(part) in message, message


class TestTheTree:
    """Folders and photographs."""

    def test_a_good_tree_passes(self, tmp_path, city):
        experiment = tiny_experiment(tmp_path / "run", city)
        assert len(experiment.train.ids) == 4

    def test_a_missing_root(self, refused, tmp_path):
        contains(refused("data.toy=null", f"data.root={tmp_path / 'gone'}"), "data.root=", "gone: no such folder")

    def test_a_split_without_images(self, refused):
        contains(refused("data.train_split=trian"), "no image matches", "leftImg8bit/trian")
        contains(refused("data.val_split=test"), "no image matches", "leftImg8bit/test")

    @pytest.mark.parametrize("split", ["train", "val"])
    def test_a_truncated_png(self, refused, city, split):
        path = photographs(city, split)[1]
        cut(path)
        contains(refused(), path, "truncated")

    @pytest.mark.parametrize("split", ["train", "val"])
    def test_a_truncated_jpeg(self, refused, city, split):
        for path in photographs(city, "train") + photographs(city, "val"):
            cv2.imwrite(str(path.with_suffix(".jpg")), cv2.imread(str(path)))
        path = photographs(city, split)[0].with_suffix(".jpg")
        cut(path)
        template = "leftImg8bit/{split}/{group}/{id}_leftImg8bit.jpg"
        contains(refused(f"data.files.image='{template}'"), path, "truncated")

    def test_a_photograph_that_is_something_else(self, refused, city):
        path = photographs(city)[0]
        path.write_bytes(b"hello")
        contains(refused(), path, "not a readable image")

    def test_a_list_with_unknown_ids(self, refused, tmp_path):
        for key in ("data.train_list", "data.val_list"):
            (tmp_path / "ids.txt").write_text("nobody\n")
            contains(refused(f"{key}={tmp_path / 'ids.txt'}"), "nobody", "list")
        contains(refused(f"data.train_list={tmp_path / 'none.txt'}"), "none.txt")


class TestGroundTruth:
    """Label maps that are needed: all of them to derive boxes and tags, later those of scores."""

    def test_an_image_without_labels(self, refused, city):
        for kind in ("labelIds", "instanceIds"):
            maps(city, kind)[2].unlink()
        contains(refused(), "toyville_000002_000019_gtFine_instanceIds.png", "no such file", "data.weak_annotations")

    def test_a_validation_image_without_labels(self, refused, city):
        maps(city, "instanceIds", "val")[0].unlink()
        contains(refused(), photographs(city, "val")[0], "no ground truth", "data.val_split=null")

    @pytest.mark.parametrize("split", ["train", "val"])
    @pytest.mark.parametrize("kind", ["labelIds", "instanceIds"])
    def test_a_map_of_another_size(self, refused, city, split, kind):
        path = maps(city, kind, split)[1]
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[:-1])
        contains(refused(), path.name.partition("_gtFine")[0], "63", "64")

    @pytest.mark.parametrize("split", ["train", "val"])
    @pytest.mark.parametrize("kind", ["labelIds", "instanceIds"])
    def test_an_unknown_label_id(self, refused, city, split, kind):
        path = maps(city, kind, split)[1]
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        values[0, 0] = 77
        cv2.imwrite(str(path), values)
        contains(refused(), path, "label id 77", "toy_city")

    @pytest.mark.parametrize("split", ["train", "val"])
    @pytest.mark.parametrize("kind", ["labelIds", "instanceIds"])
    def test_a_truncated_map(self, refused, city, split, kind):
        path = maps(city, kind, split)[0]
        cut(path)
        contains(refused(), path, "truncated")

    def test_a_damaged_map_of_a_fully_labelled_image(self, refused, city):
        path = maps(city, "instanceIds")[3]
        cut(path)
        contains(refused("supervision=full"), path, "truncated")

    def test_maps_of_weakly_labelled_images_are_not_looked_at(self, tmp_path, city, good_file):
        for path in maps(city, "instanceIds") + maps(city, "labelIds"):
            path.write_bytes(b"nobody reads this")
        tiny_experiment(tmp_path / "run", city, f"data.weak_annotations={good_file}")


class TestTheWeakAnnotationFile:
    """Boxes and tags from a file."""

    @pytest.fixture
    def file_with(self, tmp_path, good_file):
        def write(edit):
            content = json.loads(good_file.read_text())
            edit(content)
            (tmp_path / "weak.json").write_text(json.dumps(content))
            return f"data.weak_annotations={tmp_path / 'weak.json'}"

        return write

    def test_a_good_file_passes(self, tmp_path, city, file_with):
        tiny_experiment(tmp_path / "run", city, file_with(dict))

    @pytest.mark.parametrize(
        ("edit", "parts"),
        [
            (lambda c: c.update(version=9), ["version is 9", "expected 1"]),
            (lambda c: c.update(format="coco"), ['format is "coco"']),
            (lambda c: c["classes"].reverse(), ["made with classes bicycle", "data.classes=toy_city"]),
            (lambda c: c["images"][1]["tags"].pop(), ["toyville_000001_000019", "lists of tags", "crops"]),
            (lambda c: c["images"][2]["boxes"][-1].update(box=[0, 0, 96, 10]),
             ["toyville_000002_000019", "outside its 96 x 64 image"]),
            (lambda c: c["images"].pop(0), ["toyville_000000_000019", "no entry in the weak-annotation file"]),
            (lambda c: c["images"].append({**c["images"][0], "id": "ghost"}), ["name ghost", "no image"]),
            (lambda c: c["images"][0].update(id=c["images"][1]["id"]), ["occurs twice"]),
        ],
    )  # fmt: skip
    def test_a_wrong_entry(self, refused, file_with, edit, parts):
        contains(refused(file_with(edit)), *parts)

    def test_an_entry_of_another_size(self, refused, file_with):
        def edit(content):
            content["images"][0].update(height=63)

        contains(refused(file_with(edit)), "toyville_000000_000019")

    def test_the_crop_grid_is_that_of_the_file(self, tmp_path, city, file_with):
        experiment = tiny_experiment(tmp_path / "run", city, file_with(dict), "data.crop.width=61")
        assert (experiment.weak.grid.height, experiment.weak.grid.width) == (40, 60)

    def test_tags_of_the_whole_image_in_place_of_lists_a_crop(self, refused, file_with):
        def edit(content):
            content["images"][0].update(tags=["road", "sky"])

        contains(refused(file_with(edit)), "toyville_000000_000019", "tags[0]", "expected a valid array")

    @pytest.mark.parametrize("text", ["", "{", "[]"])
    def test_what_is_not_json(self, refused, tmp_path, text):
        (tmp_path / "weak.json").write_text(text)
        contains(refused(f"data.weak_annotations={tmp_path / 'weak.json'}"), "weak.json")

    def test_no_file(self, refused, tmp_path):
        contains(refused(f"data.weak_annotations={tmp_path / 'no.json'}"), "no.json", "data.weak_annotations")

    def test_a_file_that_is_corrected_is_read_again(self, tmp_path, city, file_with):
        run = tmp_path / "run"
        with pytest.raises(DataError, match="no entry"):
            tiny_experiment(run, city, file_with(lambda c: c["images"].pop()))
        experiment = tiny_experiment(run, city, file_with(dict))
        assert len(experiment.weak.images) == 4


class TestSupervision:
    """Lists of fully labelled images."""

    def test_semi_without_a_list(self, refused):
        contains(refused("supervision=semi", error=ConfigError), "supervision=semi", "full_list=None")

    def test_a_list_without_semi(self, refused, tmp_path):
        contains(refused(f"full_list={tmp_path / 'ids.txt'}", error=ConfigError), "supervision=weak", "ids.txt")

    @pytest.mark.parametrize(
        ("content", "part"),
        [("toyville_000000_000019\nnobody\n", "nobody is not in split train"), ("", "no image id"), (None, "readable")],
    )
    def test_a_wrong_list(self, refused, tmp_path, content, part):
        if content is not None:
            (tmp_path / "ids.txt").write_text(content)
        contains(refused("supervision=semi", f"full_list={tmp_path / 'ids.txt'}"), "ids.txt", part)

    @pytest.mark.parametrize("key", ["classifier", "segmenter"])
    def test_initial_weights_that_are_missing(self, refused, tmp_path, key):
        contains(refused(f"{key}.init={tmp_path / 'w.pth'}"), f"{key}.init=", "w.pth: no such weights file")

    @pytest.mark.parametrize("key", ["classifier", "segmenter"])
    def test_initial_weights_of_another_architecture(self, refused, tmp_path, key):
        torch.save(timm.create_model("test_vit").state_dict(), tmp_path / "w.pth")
        contains(refused(f"{key}.init={tmp_path / 'w.pth'}"), f"{key}.init=", "w.pth", "another architecture")

    def test_initial_weights_that_are_damaged(self, refused, tmp_path):
        torch.save({"a": torch.zeros(1000)}, tmp_path / "w.pth")
        cut(tmp_path / "w.pth", 0.5)
        contains(refused(f"segmenter.init={tmp_path / 'w.pth'}"), "w.pth: not a readable weights file")

    def test_an_unknown_encoder(self, refused):
        message = refused("segmenter.network.encoder=resnet9000", error=ConfigError)
        contains(message, "segmenter", "resnet9000", "no such timm model")

    @pytest.mark.parametrize("key", ["classifier", "segmenter"])
    @pytest.mark.parametrize("target", ["weakpan.nowhere.Module", "torch.nn.Identity"])
    def test_a_module_of_another_kind(self, refused, key, target):
        contains(refused(f"{key}._target_={target}", error=ConfigError), f"{key}._target_={target}")

    @pytest.mark.parametrize(
        ("change", "key"),
        [
            ("++segmenter.network.chanels=3", "segmenter.network.chanels"),
            ("segmenter.network.channels=0", "segmenter.network.channels"),
            ("classifier.network.sharpness=-1", "classifier.network.sharpness"),
            ("++segmenter.optimizer.momentum=3", "segmenter.optimizer.momentum"),
            ("segmenter.optimizer._target_=torch.optim.Adamm", "segmenter.optimizer._target_"),
            ("++segmenter.optimizer.betas=3", "segmenter.optimizer"),
            ("++segmenter.scheduler.warmup=2", "segmenter.scheduler.warmup"),
            ("segmenter.scheduler._target_=torch.optim.lr_scheduler.StepLR", "segmenter.scheduler"),
            ("segmenter.losses.presence._target_=torch.nn.Identity", "segmenter.losses.presence._target_"),
            ("segmenter.losses.presence.box_share=2", "segmenter.losses.presence.box_share"),
            ("segmenter.decoder.centre_window=4", "segmenter.decoder.centre_window"),
            ("segmenter.flip_average=perhaps", "segmenter.flip_average"),
        ],
    )
    def test_an_object_that_is_not_there_or_does_not_fit(self, tmp_path, city, change, key):
        with pytest.raises(ConfigError) as caught:
            check_networks(tiny_experiment(tmp_path / "run", city, change))
        assert caught.value.key == key
        assert not (tmp_path / "run").exists()


def test_other_class_tables(tmp_path, city):
    with pytest.raises(DataError, match=r"data\.classes=animals"):
        tiny_experiment(tmp_path / "run", city, "data.classes=animals")


def test_initial_weights_are_not_needed_to_go_on(tmp_path, city):
    """Once a round is trained, its own checkpoint counts."""
    run = tmp_path / "run"
    (run / "round_00").mkdir(parents=True)
    (run / "round_00" / "last.ckpt").write_bytes(b"stands for a finished training")
    prepare(tiny_config(run, city, f"segmenter.init={tmp_path / 'gone.pth'}"), run)


def train(folder, *arguments):
    return run_script("train.py", *TINY, f"run={folder / 'run'}", *arguments, cwd=folder)


def test_the_script_prints_one_line_and_exits_with_2(tmp_path, city):
    path = photographs(city)[0]
    cut(path)
    done = train(tmp_path, f"data.root={city}")
    assert done.returncode == 2
    loading, line = [line for line in done.stderr.splitlines() if line.strip()]
    assert loading == "weakpan: loading"
    assert line.startswith(f"error: {path}: ")
    assert "Traceback" not in done.stdout + done.stderr


def test_the_script_names_an_unknown_key(tmp_path, city):
    done = train(tmp_path, f"data.root={city}", "rounds.epoch=3")
    assert done.returncode == 2
    assert done.stderr == "error: rounds.epoch: no such key; did you mean epochs? --cfg job prints all keys\n"
    assert not (tmp_path / "run").exists()


def test_a_refused_command_says_nothing_else_and_leaves_the_run_folder_as_it_was(tmp_path, finished_run, tiny_city):
    shutil.copytree(finished_run[0], tmp_path / "run")
    (tmp_path / "run/.hydra").mkdir()
    (tmp_path / "run/.hydra/overrides.yaml").write_text("- rounds.epochs=1\n")

    def content():
        paths = [p for p in (tmp_path / "run").rglob("*") if p.is_file() and p.name != ".lock"]
        return {p: p.read_bytes() for p in paths}

    before = content()
    done = train(tmp_path, f"data.root={tiny_city}", "rounds.epochs=4")
    assert (done.returncode, done.stdout) == (2, "")
    loading, line = done.stderr.splitlines()
    assert loading == "weakpan: loading"
    contains(line, "error: ", "rounds.epochs: 1 then, 4 now")
    # Neither what Hydra would say of this command, nor a log of it.
    assert content() == before
