"""Threads of torch: as many as the machine has cores to spare, asleep while they wait."""

import subprocess
import sys

import pytest

from weakpan.parallel import threads
from weakpan.parallel.threads import limit_threads, share_cores, threads_of_rank

READ = "import torch, cv2; print(torch.get_num_threads(), cv2.getNumThreads())"


@pytest.mark.parametrize(
    ("cores", "ranks", "expected"), [(1, 1, 1), (2, 1, 1), (3, 1, 2), (16, 1, 15), (16, 2, 7), (2, 2, 1), (4, 8, 1)]
)
def test_one_core_of_a_rank_is_left_to_what_works_beside_it(cores, ranks, expected):
    assert threads_of_rank(cores, ranks) == expected


@pytest.mark.parametrize(
    ("devices", "expected"), [(1, "7"), (2, "3"), ([0, 1], "3"), ("auto", "7"), (None, "7"), (-1, "7"), ("2", "7")]
)
def test_ranks_share_the_cores_that_the_container_gives(devices, expected, monkeypatch):
    monkeypatch.setattr(threads, "available_cores", lambda: 8)
    environment = {}
    limit_threads(devices, environment)
    assert environment == {"OMP_NUM_THREADS": expected}


def test_threads_sleep_while_they_wait():
    environment = {"HOME": "/"}
    share_cores(environment)
    assert environment == {"HOME": "/", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0",
                           "OPENCV_FOR_THREADS_NUM": "1"}  # fmt: skip


@pytest.mark.parametrize("own", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_what_the_user_has_set_stays(own):
    given = {own: "ours", "OMP_NUM_THREADS": "5", "OPENCV_FOR_THREADS_NUM": "3"}
    environment = dict(given)
    share_cores(environment)
    limit_threads(1, environment)
    assert environment == given


def test_libraries_obey():
    environment = {"OMP_NUM_THREADS": "1"}
    share_cores(environment)
    done = subprocess.run([sys.executable, "-c", READ], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["1", "1"]


@pytest.mark.parametrize("script", ["train", "predict", "make_gt"])
def test_scripts_choose_before_torch_is_imported(script, request):
    """In their text: whatever they import later is imported below these calls."""
    text = (request.config.rootpath / f"weakpan/scripts/{script}.py").read_text()
    work = {"train": "weakpan.job.run", "predict": "weakpan.predict.run", "make_gt": "make_gt(config"}[script]
    assert text.index("limit_threads(") < text.index(work)
    assert text.index("share_cores()") < text.index("run_command(main)")
