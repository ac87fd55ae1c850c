"""Jobs that are killed, stopped or refused: promptly, with a last line that helps, and the same results after."""

import errno
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch

import weakpan.job.run
import weakpan.rounds
from tests.integration.jobs import GO_ON, Job, command, metrics_of, run_job
from tests.integration.loop_in_process import (
    ROOT,
    assert_same_maps,
    assert_same_weights,
    run_tiny,
    tiny_config,
)
from weakpan.basics.errors import WeakpanError
from weakpan.job.run import Work


@pytest.fixture
def finished(finished_run):
    """Run folder of two rounds by one process; tests work on copies."""
    return finished_run[0]


@pytest.fixture
def copy(tmp_path, finished):
    shutil.copytree(finished, tmp_path / "copy")
    (tmp_path / "copy" / "metrics.json").unlink()
    return tmp_path / "copy"


@pytest.fixture
def ended_here(capsys):
    """Runs a job of one process, this one, to its bad end: status and last line."""
    numbers = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
    before, wakeup = {number: signal.getsignal(number) for number in numbers}, signal.set_wakeup_fd(-1)

    def run(config):
        with pytest.raises(SystemExit) as ended:
            weakpan.job.run.run_job(Work.loop, config, Path(config.run), "train.py")
        return ended.value.code, capsys.readouterr().err.strip().splitlines()[-1]

    yield run
    # A job that ends so takes its process along, and gives nothing back.
    signal.set_wakeup_fd(wakeup)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("ranks", "number", "status"), [(1, signal.SIGTERM, 143), (2, signal.SIGUSR1, 138)])
def test_a_signal_ends_the_job_with_a_clear_last_line(tmp_path, city, ranks, number, status, ended_here):
    job = Job(command(tmp_path / "run", city, "rounds.epochs=500", "rounds.n=1", ranks=ranks))
    job.wait_for("round 0 fit: epoch 1")
    # Meanwhile nobody else may work there.
    refused, why = ended_here(tiny_config(tmp_path / "run", city, "rounds.epochs=500", "rounds.n=1"))
    assert refused == 2
    assert f"{tmp_path / 'run'}: another job is working on this run folder (process {job.process.pid} on" in why
    assert job.kill(0, number) < 15
    where = "rank 0 of 2, stage 'round 0 fit'" if ranks == 2 else "stage 'round 0 fit'"
    assert job.process.returncode == status
    assert job.lines[-1] == f"stopped by {number.name} at {where}: {GO_ON}"


def test_what_rank_zero_finds_wrong_is_said_once(tmp_path, city):
    job = Job(command(tmp_path / "run", city, f"data.val_list={tmp_path / 'gone.txt'}"))
    assert job.finish() == 2
    said = [line for line in job.lines if "rror" in line]
    assert len(said) == 1, job.end
    assert job.lines[-1].startswith("error: rank 0 of 2, stage 'prepare': ")
    assert "gone.txt" in job.lines[-1]


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_torchrun_ends_when_a_rank_is_killed(tmp_path, city, rank):
    arguments = command(tmp_path / "run", city, "rounds.epochs=500", "rounds.n=1", launcher="torchrun")
    job = Job(arguments)
    job.wait_for("round 0 fit: epoch 1")
    pid = job.ranks()[rank].pid
    assert job.kill(rank, signal.SIGKILL) < 40
    assert job.process.returncode == 1
    assert f"(pid: {pid})  (SIGKILL)" in job.end.replace(f"(pid: {pid}) (", f"(pid: {pid})  (")


@pytest.mark.slow
def test_ranks_end_when_torchrun_itself_is_killed(tmp_path, city):
    job = Job(command(tmp_path / "run", city, "rounds.epochs=500", "rounds.n=1", launcher="torchrun"))
    job.wait_for("round 0 fit: epoch 1")
    ranks = job.ranks()
    job.process.kill()
    _, alive = psutil.wait_procs(ranks, timeout=20)
    assert not alive


@pytest.mark.slow
def test_a_rank_that_dies_before_the_ranks_have_met_ends_the_job(tmp_path, city):
    job = Job(command(tmp_path / "run", city))
    while len(job.ranks()) < 2:
        assert job.process.poll() is None
    assert job.kill(1, signal.SIGKILL) < 15
    assert job.process.returncode == 3
    assert "was killed by SIGKILL" in job.lines[-1]
    assert "stage 'start'" in job.lines[-1]


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_a_job_goes_on_with_another_number_of_ranks(tmp_path, city, before, after):
    job = Job(command(tmp_path / "run", city, "rounds.epochs=6", ranks=before))
    job.wait_for("round 0 fit: epoch 2")
    job.kill(0, signal.SIGTERM)
    run_job(command(tmp_path / "run", city, "rounds.epochs=6", ranks=after))
    assert [record["round"] for record in metrics_of(tmp_path / "run")["rounds"]] == [0, 1]


@pytest.mark.slow
def test_an_error_on_one_rank_names_rank_and_stage(tmp_path, city):
    shutil.copytree(city, tmp_path / "data")
    run = tmp_path / "run"
    run_job(command(run, tmp_path / "data", "rounds.n=1"))
    # Rank 1 reads every second image of the split.
    damaged = sorted((tmp_path / "data" / "leftImg8bit" / "train").rglob("*.png"))[1]
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-30] + content[-12:])
    for made in ("round_00", "metrics.json", "seeds"):
        shutil.rmtree(run / made) if (run / made).is_dir() else (run / made).unlink()
    job = Job(command(run, tmp_path / "data", "rounds.n=1"))
    assert job.finish() == 2
    assert any(line.startswith("error: rank 1 of 2, stage 'seeds'") and damaged.name in line for line in job.lines)


@pytest.mark.slow
def test_a_short_fault_campaign(tmp_path):
    arguments = ["benchmarks/fault_campaign.py", "--kills", "4", "--seed", "7", "--folder", str(tmp_path)]
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stdout[-4000:]
    tally = json.loads(done.stdout.strip().splitlines()[-1])
    assert tally["kills"] == 4
    assert tally["runs_compared"] >= 1
    assert tally["differences"] == tally["hangs"] == tally["failures"] == []


@pytest.mark.parametrize(
    ("error", "status", "remedy"),
    [
        (OSError(errno.ENOSPC, "", "a.png"), 2, r"a.png.*no space left on file system /.*\d MB, .*: make room"),
        (OSError(errno.EIO, "", "a.png"), 2, r"a.png.*a disk failed, that of file system /.*dmesg"),
        (torch.OutOfMemoryError("CUDA out of memory"), 2, "lower segmenter.crops.batch_size"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), 2, "lower data.workers"),
        (RuntimeError("Connection closed by peer [127.0.0.1]:1"), 3, "contact to another rank is lost"),
        (AssertionError("a fault"), 1, "a fault.*after the fault is mended"),
    ],
)
def test_errors_that_nobody_foresaw_name_stage_and_remedy(
    tmp_path, city, monkeypatch, ended_here, error, status, remedy
):
    def fail(*_):
        raise error

    monkeypatch.setattr(weakpan.rounds, "run_annotations", fail)
    found, last = ended_here(tiny_config(tmp_path / "run", city))
    assert found == status
    assert last.startswith(f"error: stage 'prepare': {type(error).__name__}: ")
    assert re.search(remedy, last), last
    assert last.endswith("start the same command again, with run=FOLDER, to go on")


def cut_short(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def first(run, pattern):
    return sorted(run.glob(pattern))[0]


def forget(run, *names):
    for name in names:
        shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()


@pytest.mark.parametrize("damage", [cut_short, flip_a_bit])
@pytest.mark.parametrize(
    ("pattern", "forgotten"),
    [
        ("masks/*.png", ()),
        ("seeds/*.png", ()),
        ("round_01/labels/*_semantic.png", ("round_01/manifest.json", "round_01/last.ckpt")),
        ("round_01/labels/*_instances.png", ("round_01/manifest.json", "round_01/last.ckpt")),
        ("classifier/last.ckpt", ("seeds/manifest.json",)),
        ("round_00/last.ckpt", ("round_01",)),
        ("weak_annotations.json", ()),
    ],
)
def test_what_was_damaged_after_it_was_sealed_is_named(copy, city, pattern, forgotten, damage):
    forget(copy, *forgotten)
    damaged = first(copy, pattern)
    damage(damaged)
    with pytest.raises(WeakpanError) as refused:
        run_tiny(copy, city)
    # Of a pair of maps the first one is named; of annotations that are still readable, the checksum.
    named = (damaged.name, damaged.name.replace("_instances", "_semantic"), "weak annotations")
    assert any(name in str(refused.value) for name in named), str(refused.value)
    if pattern.startswith("round_"):
        # Nothing was trained on it, or on what came of it.
        assert not (copy / "round_01" / "last.ckpt").exists()


@pytest.mark.parametrize(
    "pattern",
    [
        "masks/settings.json",
        "round_00/settings.json",
        "masks/manifest.json",
        "seeds/manifest.json",
        "round_00/manifest.json",
    ],
)
def test_a_torn_manifest_is_named(copy, city, pattern):
    cut_short(copy / pattern)
    with pytest.raises(WeakpanError, match=pattern.replace(".", r"\.")):
        run_tiny(copy, city)


def test_half_a_map_of_a_stage_that_was_not_finished_is_made_again(copy, finished, city):
    whole = metrics_of(finished)
    forget(copy, "masks/manifest.json", "seeds/manifest.json", "round_00", "round_01")
    cut_short(first(copy, "masks/*.png"))
    cut_short(first(copy, "seeds/*.png"))
    (copy / "masks" / ".some.123-0123abcd.png").write_bytes(b"half")
    run_tiny(copy, city)
    (copy / "masks" / ".some.123-0123abcd.png").unlink()
    assert_same_maps(finished, copy)
    assert_same_weights(finished, copy)
    assert metrics_of(copy) == whole


@pytest.mark.parametrize("damage", [cut_short, flip_a_bit])
def test_a_damaged_checkpoint_of_a_training_under_way_costs_time_and_nothing_else(
    copy, finished, city, monkeypatch, capsys, damage
):
    forget(copy, "round_01")
    with monkeypatch.context() as patch:
        patch.setattr("weakpan.stages.segmenter.save_weights", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_tiny(copy, city)
    damage(copy / "round_01" / "resume.ckpt")
    run_tiny(copy, city)
    assert "round_01/resume.ckpt" in capsys.readouterr().err
    assert_same_maps(finished, copy)
    assert_same_weights(finished, copy)


def interrupt(*_):
    raise KeyboardInterrupt
