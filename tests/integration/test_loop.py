"""The whole loop: repeats, goes on, refuses, and never needs a training mask."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import weakpan.rounds
import weakpan.stages.segmenter
import weakpan.tasks.annotations
from tests.integration import make_gt_in_process
from tests.integration.loop_in_process import (
    ROOT,
    TINY,
    assert_same_maps,
    assert_same_weights,
    maps_of,
    run_tiny,
    tiny_config,
    tiny_experiment,
    weights_of,
    without_times,
)
from tests.integration.scripts import environment
from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import RunError, WeakpanError
from weakpan.callbacks.write_labels import WriteLabels
from weakpan.data.annotation_file import read_weak_annotations
from weakpan.job.plan import print_plan
from weakpan.stages.annotations import run_annotations
from weakpan.stages.report import finished_results, metric_named
from weakpan.stages.settings import refuse_other_settings
from weakpan.storage.images import read_map
from weakpan.storage.layout import RunLayout
from weakpan.tasks.masks import MakeMasks
from weakpan.training.classifier_module import ClassifierModule
from weakpan.training.segmenter_module import SegmenterModule


@pytest.fixture
def copy(tmp_path, finished_run):
    shutil.copytree(finished_run[0], tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture(scope="module")
def fully_supervised(tmp_path_factory, city):
    """Folder and metrics of a run on real masks; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("full") / "run"
    return folder, run_tiny(folder, city, "supervision=full", "report.train_images=1")


def refuse_to_train(*_):
    raise AssertionError("a finished run must not train or predict labels again")


def test_a_run_leaves_what_the_layout_says(finished_run, city):
    folder, metrics = finished_run
    ids = sorted(p.name.removesuffix("_leftImg8bit.png") for p in city.rglob("leftImg8bit/train/*/*.png"))
    expected = {f"masks/{i}.png" for i in ids} | {f"seeds/{i}.png" for i in ids}
    for index in (0, 1):
        expected |= {f"round_{index:02d}/labels/{i}_{kind}.png" for i in ids for kind in ("semantic", "instances")}
    assert set(maps_of(folder)) == expected
    for name in ("metrics.json", "report.html", "weak_annotations.json", "round_00/manifest.json",
                 "round_01/last.ckpt", "round_01/labels/manifest.json", "seeds/manifest.json",
                 "classifier/manifest.json"):  # fmt: skip
        assert (folder / name).is_file(), name
    assert not list(folder.rglob("resume.ckpt"))
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    assert [r["round"] for r in metrics["rounds"]] == [0, 1]
    assert metrics["stopped"] == "after rounds.n=2 rounds"
    assert metric_named("val.pq", metrics) == metrics["rounds"][1]["val"]["pq"]
    assert metric_named("train_loss", metrics) == metrics["rounds"][1]["train_loss"] > 0


def test_labels_keep_what_boxes_and_tags_say(finished_run):
    folder, _ = finished_run
    weak = read_weak_annotations(folder / "weak_annotations.json", TOY_CITY)
    for index in (0, 1):
        for image_id, entry in weak.images.items():
            semantic = read_map(folder / f"round_{index:02d}" / "labels" / f"{image_id}_semantic.png")
            for crop, tags in zip(weak.grid.crops(entry.height, entry.width), entry.tags, strict=True):
                # A filled box may spill a class into a crop; stuff comes from nowhere but its tags.
                stuff = {int(v) for v in np.unique(semantic[crop.slices]) if v < 255 and not TOY_CITY.is_thing[v]}
                assert stuff <= tags
            for class_id in TOY_CITY.thing_ids:
                inside = np.zeros(semantic.shape, bool)
                for box in entry.boxes:
                    if box.class_id == class_id:
                        inside[box.slices] = True
                assert not ((semantic == class_id) & ~inside).any()


def test_the_same_command_gives_the_same_labels_weights_and_scores(tmp_path, finished_run, city):
    folder, metrics = finished_run
    again = run_tiny(tmp_path / "again", city)
    assert_same_maps(folder, tmp_path / "again")
    assert_same_weights(folder, tmp_path / "again")
    assert without_times(again) == without_times(metrics)


def test_loader_processes_change_nothing(tmp_path, finished_run, city):
    folder, metrics = finished_run
    shared = run_tiny(tmp_path / "shared", city, "data.workers=2")
    assert_same_maps(folder, tmp_path / "shared")
    assert_same_weights(folder, tmp_path / "shared")
    assert without_times(shared) == without_times(metrics)


def test_another_seed_gives_another_run(tmp_path, finished_run, city):
    run_tiny(tmp_path / "other", city, "seed=1", "rounds.n=1")
    one, other = weights_of(finished_run[0], 0), weights_of(tmp_path / "other", 0)
    assert any(not np.array_equal(one[k], other[k]) for k in one)


def test_a_finished_run_started_again_does_no_work(monkeypatch, copy, finished_run, city):
    times = {p: p.stat().st_mtime_ns for p in copy.rglob("*") if p.suffix in (".png", ".ckpt")}
    times |= {p: p.stat().st_mtime_ns for p in copy.rglob("manifest.json")}
    for module in (ClassifierModule, SegmenterModule):
        monkeypatch.setattr(module, "training_step", refuse_to_train)
        monkeypatch.setattr(module, "predict_step", refuse_to_train)
    again = run_tiny(copy, city)
    # To the last digit, warnings and times included; only the configuration names the folder of the copy.
    first, second = ({**metrics, "config_yaml": ""} for metrics in (finished_run[1], again))
    assert first == second
    assert json.loads((copy / "metrics.json").read_text()) == again
    assert times == {p: p.stat().st_mtime_ns for p in times}


def everything(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_finished_run_says_so_and_where_its_results_are(monkeypatch, copy, city, capsys):
    run_tiny(copy, city)
    before, asked = everything(copy), []
    capsys.readouterr()
    monkeypatch.setattr(weakpan.rounds, "run_round", refuse_to_train)
    with monkeypatch.context() as patch:
        patch.setattr(weakpan.rounds, "make_gallery", refuse_to_train)
        metrics = run_tiny(copy, city, announce=asked.append)
    shown = capsys.readouterr().out
    for part in (f"run folder {copy} is finished (after rounds.n=2 rounds)", str(copy / "report.html"),
                 str(copy / "metrics.json"), "run=FOLDER", "rounds.n"):  # fmt: skip
        assert part in shown
    assert metrics == json.loads((copy / "metrics.json").read_text())
    assert everything(copy) == before
    assert asked == []


def test_a_run_that_lacks_anything_is_not_finished(copy, city):
    run_tiny(copy, city)
    experiment = tiny_experiment(copy, city)
    assert finished_results(experiment) is not None
    assert finished_results(tiny_experiment(copy, city, "report.train_images=1")) is None
    for name in ("report.html", "metrics.json", "round_01/last.ckpt", "round_01/manifest.json", "masks/manifest.json",
                 "seeds/manifest.json", "classifier/manifest.json", "round_00/labels/manifest.json",
                 "weak_annotations.json"):  # fmt: skip
        content = (copy / name).read_bytes()
        (copy / name).unlink()
        assert finished_results(experiment) is None, name
        (copy / name).write_bytes(content)


def test_the_plan_speaks_of_what_is_left(copy, city, caplog):
    caplog.set_level("INFO")
    print_plan(tiny_experiment(copy, city))
    for part in ("masks in boxes: finished already", "classifier, 1 epoch: finished already",
                 "seeds: finished already", "labels of round 0: finished already",
                 "2 rounds finished; up to 0 rounds"):  # fmt: skip
        assert part in caplog.text
    (copy / "seeds/manifest.json").unlink()
    caplog.clear()
    print_plan(tiny_experiment(copy, city, "rounds.n=3"))
    for part in ("  seeds\n", "2 rounds finished; up to 1 round of 1 epoch, scores on 2 images"):
        assert part in caplog.text


def finish_and_compare(copy, finished_run, city):
    again = run_tiny(copy, city)
    assert_same_maps(finished_run[0], copy)
    assert_same_weights(finished_run[0], copy)
    assert without_times(again) == without_times(finished_run[1])


def test_a_run_killed_while_labels_are_written_goes_on(copy, finished_run, city):
    shutil.rmtree(copy / "round_01")
    (copy / "round_01" / "labels").mkdir(parents=True)
    name = sorted(p.name for p in (finished_run[0] / "round_01" / "labels").glob("*.png"))[0]
    (copy / "round_01" / "labels" / name).write_bytes(b"half a file")
    for path in ("round_00/manifest.json", "metrics.json", "report.html"):
        (copy / path).unlink()
    finish_and_compare(copy, finished_run, city)


def test_a_run_killed_after_the_first_round_goes_on(monkeypatch, copy, finished_run, city):
    for path in ("round_01/manifest.json", "round_01/labels/manifest.json", "round_01/last.ckpt", "metrics.json"):
        (copy / path).unlink()
    monkeypatch.setattr(ClassifierModule, "training_step", refuse_to_train)
    first = (copy / "round_00" / "last.ckpt").stat().st_mtime_ns
    finish_and_compare(copy, finished_run, city)
    assert (copy / "round_00" / "last.ckpt").stat().st_mtime_ns == first


def test_a_run_killed_between_training_and_its_record_goes_on(monkeypatch, copy, finished_run, city):
    (copy / "round_01" / "manifest.json").unlink()
    monkeypatch.setattr(SegmenterModule, "training_step", refuse_to_train)
    finish_and_compare(copy, finished_run, city)


def test_a_run_killed_before_the_seeds_are_sealed_goes_on(monkeypatch, copy, finished_run, city):
    (copy / "seeds" / "manifest.json").unlink()
    monkeypatch.setattr(ClassifierModule, "training_step", refuse_to_train)
    finish_and_compare(copy, finished_run, city)


def test_the_loop_goes_on_with_a_stage_of_make_gt_that_was_killed(tmp_path, monkeypatch, finished_run, city):
    run, write, begun = tmp_path / "run", MakeMasks.write, []
    config = make_gt_in_process.settings(*TINY, "stage=masks", f"run={run}", f"data.root={city}")

    def dies_at_the_third(self, image_id, result):
        begun.append(image_id)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return write(self, image_id, result)

    with monkeypatch.context() as patch:
        patch.setattr(MakeMasks, "write", dies_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            make_gt_in_process.run_with(config)
    made = sorted((run / "masks").glob("*.png"))
    assert [path.stem for path in made] == begun[:2]
    before = made[0].stat().st_mtime_ns
    assert not (run / "masks/manifest.json").exists()
    finish_and_compare(run, finished_run, city)
    assert made[0].stat().st_mtime_ns == before


def test_a_training_killed_between_epochs_goes_on(tmp_path, monkeypatch, city):
    two_epochs = ("rounds.n=1", "rounds.epochs=2")
    whole = run_tiny(tmp_path / "whole", city, *two_epochs)
    shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    shutil.rmtree(tmp_path / "killed" / "round_00")
    (tmp_path / "killed" / "metrics.json").unlink()
    step = SegmenterModule.training_step

    def dies_in_the_second_epoch(self, batch, batch_idx):
        if self.current_epoch == 1:
            raise RuntimeError("power cut")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(SegmenterModule, "training_step", dies_in_the_second_epoch)
    with pytest.raises(RuntimeError, match="power cut"):
        run_tiny(tmp_path / "killed", city, *two_epochs)
    assert (tmp_path / "killed" / "round_00" / "resume.ckpt").is_file()
    epochs = []

    def counted(self, batch, batch_idx):
        epochs.append(self.current_epoch)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(SegmenterModule, "training_step", counted)
    again = run_tiny(tmp_path / "killed", city, *two_epochs)
    assert set(epochs) == {1}
    assert_same_maps(tmp_path / "whole", tmp_path / "killed")
    assert_same_weights(tmp_path / "whole", tmp_path / "killed", rounds=1)
    assert without_times(again) == without_times(whole)


@pytest.mark.parametrize(
    "change",
    [
        "labels.rules.score_threshold.minimum=0.7", "seeds.rule.threshold=0.4", "masks.grabcut.core=0.5", "seed=3",
        "labels.rules.candidates=null", "segmenter.optimizer.lr=0.1", "classifier.crops.flip=false",
        "data.classes=cityscapes",
    ],
)  # fmt: skip
def test_changed_settings_on_a_sealed_run_are_refused_by_name(copy, city, change):
    before, asked = everything(copy), []
    key = change.partition("=")[0]
    with pytest.raises(WeakpanError, match=key.replace(".", r"\.")):
        run_tiny(copy, city, change, announce=asked.append)
    # Predictions go on with the configuration that the weights were made with.
    assert everything(copy) == before
    assert asked == []


def test_a_change_that_the_configuration_tells_is_refused_before_data_is_looked_at(copy, tmp_path):
    config = tiny_config(copy, tmp_path / "gone", "seed=3")
    with pytest.raises(RunError, match="seed: 0 then, 3 now"):
        refuse_other_settings(config, RunLayout(copy))
    refuse_other_settings(tiny_config(copy, tmp_path / "gone", "rounds.n=7"), RunLayout(copy))


@pytest.fixture(scope="module")
def with_a_file(tmp_path_factory, finished_run, city):
    """Folder of a run by boxes and tags of a file of the user's, and that file; tests work on a copy."""
    folder = tmp_path_factory.mktemp("given")
    shutil.copy(finished_run[0] / "weak_annotations.json", folder / "weak.json")
    run_tiny(folder / "run", city, f"data.weak_annotations={folder / 'weak.json'}", "rounds.n=1")
    return folder


def test_boxes_that_have_changed_are_refused_and_a_file_that_is_gone_is_not_needed(tmp_path, with_a_file, city):
    folder = shutil.copytree(with_a_file, tmp_path / "given")
    file = folder / "weak.json"
    given = (f"data.weak_annotations={file}", "rounds.n=1", "report.train_images=1")
    content = json.loads(file.read_text())
    content["images"][0]["boxes"].pop()
    file.write_text(json.dumps(content))
    before = everything(folder)
    with pytest.raises(RunError, match="weak annotations"):
        run_tiny(folder / "run", city, *given)
    assert everything(folder) == before
    file.unlink()
    run_tiny(folder / "run", city, *given)


def test_other_images_are_refused_before_anything_is_written(tmp_path, copy, city):
    (tmp_path / "ids.txt").write_text("\n".join(ids_of(city)[:3]))
    before = everything(copy)
    with pytest.raises(RunError, match="training images: '4 ids"):
        run_tiny(copy, city, f"data.train_list={tmp_path / 'ids.txt'}")
    assert everything(copy) == before


def test_boxes_and_tags_that_were_lost_are_derived_again(copy, finished_run, city):
    (copy / "weak_annotations.json").unlink()
    finish_and_compare(copy, finished_run, city)
    assert (copy / "weak_annotations.json").read_bytes() == (finished_run[0] / "weak_annotations.json").read_bytes()


def test_what_a_refused_command_would_derive_is_not_left_in_the_folder(fully_supervised, city):
    folder, _ = fully_supervised
    before = everything(folder)
    with pytest.raises(RunError, match="supervision: 'full' then, 'weak' now"):
        run_tiny(folder, city)
    assert everything(folder) == before


def test_a_start_that_ends_while_annotations_are_put_together_goes_on(tmp_path, city, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    experiment = tiny_experiment(tmp_path / "run", city)
    with monkeypatch.context() as patch:
        patch.setattr(weakpan.tasks.annotations, "write_annotation_entries", full)
        with pytest.raises(OSError, match="No space left"):
            run_annotations(experiment, experiment.train.ids)
    assert not (tmp_path / "run/weak_annotations.json").exists()
    run_annotations(experiment, experiment.train.ids)
    assert (tmp_path / "run/weak_annotations.json").is_file()


def test_changed_settings_are_refused_before_anything_is_sealed(copy, city):
    for sealed in ("masks", "seeds", "round_00", "round_01"):
        shutil.rmtree(copy / sealed)
    with pytest.raises(RunError, match=r"classifier\.epochs: 1 then, 2 now"):
        run_tiny(copy, city, "classifier.epochs=2")


def test_a_training_killed_after_its_last_epoch_still_knows_its_loss(copy, finished_run, city, monkeypatch):
    whole = finished_run[1]
    shutil.rmtree(copy / "round_01")
    monkeypatch.setattr(weakpan.stages.segmenter, "save_weights", killed)
    with pytest.raises(KeyboardInterrupt):
        run_tiny(copy, city)
    monkeypatch.undo()
    assert (copy / "round_01" / "resume.ckpt").is_file()
    again = run_tiny(copy, city)
    assert without_times(again["rounds"]) == without_times(whole["rounds"])


def killed(*_, **__):
    raise KeyboardInterrupt


def test_one_more_round_goes_on_from_the_last_one_and_is_logged_alone(copy, finished_run, city, monkeypatch):
    logged = []
    monkeypatch.setattr(weakpan.rounds, "log_round", lambda _, record: logged.append(record["round"]))
    more = run_tiny(copy, city, "rounds.n=3")
    assert without_times(more["rounds"][:2]) == without_times(finished_run[1]["rounds"])
    assert more["rounds"][2]["round"] == 2
    assert (copy / "round_02" / "labels" / "manifest.json").is_file()
    assert logged == [2]


def test_training_works_with_the_masks_deleted(tmp_path, finished_run, city):
    blind = tmp_path / "blind"
    shutil.copytree(city, blind)
    shutil.rmtree(blind / "gtFine" / "train")
    file = tmp_path / "weak.json"
    shutil.copy(finished_run[0] / "weak_annotations.json", file)
    metrics = run_tiny(tmp_path / "run", blind, f"data.weak_annotations={file}", "report.train_images=1")
    assert_same_maps(finished_run[0], tmp_path / "run")
    assert_same_weights(finished_run[0], tmp_path / "run")
    assert [r["labels"] for r in metrics["rounds"]] == [None, None]
    assert [r["val"] for r in metrics["rounds"]] == [r["val"] for r in finished_run[1]["rounds"]]


def test_training_masks_are_used_for_scores_alone(tmp_path, finished_run, city):
    lying = tmp_path / "lying"
    shutil.copytree(city, lying)
    for path in (lying / "gtFine" / "train").rglob("*.png"):
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), np.full_like(values, 7))  # road everywhere
    file = finished_run[0] / "weak_annotations.json"
    metrics = run_tiny(tmp_path / "run", lying, f"data.weak_annotations={file}")
    assert_same_maps(finished_run[0], tmp_path / "run")
    assert_same_weights(finished_run[0], tmp_path / "run")
    assert metrics["rounds"][0]["labels"] != finished_run[1]["rounds"][0]["labels"]


def test_without_validation_there_are_no_scores_and_no_figure_for_sweeps(tmp_path, city):
    metrics = run_tiny(tmp_path / "run", city, "data.val_split=null", "rounds.n=1")
    assert metrics["rounds"][0]["val"] is None
    assert metric_named("val.pq", metrics) is None


def test_full_supervision_needs_no_cues(fully_supervised):
    folder, metrics = fully_supervised
    assert (metrics["supervision"], metrics["masks"], metrics["classifier"]) == ("full", None, None)
    assert metrics["supervision_used"] == [
        "pixel masks of all 4 training images",
        "initial weights of the segmenter's encoder: random",
    ]
    assert maps_of(folder) == {}
    assert not (folder / "weak_annotations.json").exists()
    assert [r["labels"] for r in metrics["rounds"]] == [None, None]
    assert metrics["rounds"][1]["val"]["images"] == 2


def ids_of(city):
    return sorted(p.name.removesuffix("_leftImg8bit.png") for p in (city / "leftImg8bit" / "train").rglob("*.png"))


@pytest.mark.parametrize("count", [1, 4])
def test_semi_supervision_uses_the_masks_of_the_list(tmp_path, city, count):
    listed = ids_of(city)[:count]
    (tmp_path / "full.txt").write_text("\n".join(listed))
    run = tmp_path / "run"
    metrics = run_tiny(run, city, "supervision=semi", f"full_list={tmp_path / 'full.txt'}", "report.train_images=4")
    assert metrics["supervision"] == "semi"
    assert f"pixel masks of {count} further training images" in metrics["supervision_used"]
    labelled = {p.name.removesuffix("_semantic.png") for p in (run / "round_01" / "labels").glob("*_semantic.png")}
    assert labelled == set(ids_of(city)) - set(listed)
    assert metrics["rounds"][1]["val"]["images"] == 2


def test_labels_of_nothing_are_refused(tmp_path, city):
    names = tiny_config(tmp_path / "run", city).labels["rules"]
    without_rules = [f"labels.rules.{name}=null" for name in names]
    with pytest.raises(RunError, match=r"round_00/labels: only 0\.\d\d% of the pixels .*at least 1%.*seeds\.rule\.thr"):
        run_tiny(tmp_path / "run", city, *without_rules, "seeds.rule.threshold=1")
    assert not (tmp_path / "run" / "round_00" / "last.ckpt").exists()


def test_a_class_that_no_label_gets_is_warned_about_by_name(copy, monkeypatch, capsys, city):
    write, sky = WriteLabels.take, TOY_CITY.train_id_named("sky")

    def blind_to_the_sky(self, prediction):
        logits = prediction.logits.clone()
        logits[:, sky] = -1e4
        write(self, replace(prediction, logits=logits))

    monkeypatch.setattr(WriteLabels, "take", blind_to_the_sky)
    shutil.rmtree(copy / "round_01")
    for path in ("round_00/manifest.json", "metrics.json"):
        (copy / path).unlink()
    metrics = run_tiny(copy, city)
    expected = "round 1: class sky has tags and no labelled pixel in any image; the network cannot learn it"
    assert expected in metrics["warnings"]
    assert f"warning: {expected}" in capsys.readouterr().err
    assert not [w for w in metrics["warnings"] if w.startswith("round 0: class road")]


def test_the_loop_stops_when_the_loss_no_longer_falls(tmp_path, city):
    metrics = run_tiny(tmp_path / "run", city, "rounds.stop_on_loss=true", "rounds.min_loss_drop=1", "rounds.n=3")
    assert len(metrics["rounds"]) == 2
    assert metrics["stopped"] == "after round 1: the training loss no longer fell"


def test_the_weak_annotations_are_derived_once(copy, city):
    before = (copy / "weak_annotations.json").stat().st_mtime_ns
    experiment = tiny_experiment(copy, city)
    assert (copy / "weak_annotations.json").stat().st_mtime_ns == before
    assert len(experiment.weak.images) == 4


def train(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "train.py", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600,
        env=environment(**more),
    )  # fmt: skip


@pytest.mark.slow
def test_a_sweep_makes_a_run_folder_a_job(tmp_path):
    done = train(
        "-m", "rounds.n=1,2", "debug=fast", "trainer=cpu", f"run={tmp_path / 'sweep'}", f"data.root={tmp_path / 'd'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = [json.loads((tmp_path / "sweep" / str(job) / "metrics.json").read_text()) for job in (0, 1)]
    assert [len(metrics["rounds"]) for metrics in found] == [1, 2]
    assert "'n': 2" in found[1]["config_yaml"]


@pytest.mark.slow
def test_wandb_offline_gets_the_scores(tmp_path):
    run = tmp_path / "run"
    done = train(
        "debug=fast", "trainer=cpu", "logger=wandb", "logger.wandb.offline=true", "rounds.n=1",
        f"run={run}", f"data.root={tmp_path / 'd'}", WANDB_MODE="offline",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (folder,) = (run / "wandb").glob("offline-run-*")
    binary = Path(sys.executable).with_name("wandb")
    shown = subprocess.run(
        [str(binary), "leet", "inspect", "--summary", "--json", str(folder)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    metrics = json.loads((run / "metrics.json").read_text())
    assert "val/miou" in shown.stdout
    assert f"{metrics['rounds'][0]['val']['miou']:.6f}"[:7] in shown.stdout
