"""Orders depend on seed and epoch alone, and ranks share them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from weakpan.data.loaders.samplers import EpochSampler

sizes = st.integers(1, 40)
worlds = st.integers(1, 5)


@settings(deadline=None)
@given(sizes, worlds, st.integers(0, 99), st.integers(0, 9))
def test_ranks_take_every_index_in_equally_many_steps(length, world, seed, epoch):
    shares = []
    for rank in range(world):
        sampler = EpochSampler(length, seed, rank, world)
        sampler.set_epoch(epoch)
        shares.append(list(sampler))
        assert len(shares[-1]) == len(sampler)
    pairs = [pair for share in shares for pair in share]
    assert {e for e, _ in pairs} == {epoch}
    indices = [i for _, i in pairs]
    assert set(indices) == set(range(length))
    assert len({len(share) for share in shares}) == 1
    assert len(indices) - length < world


def test_two_ranks_take_the_order_of_one():
    whole = list(EpochSampler(10, seed=3))
    halves = [list(EpochSampler(10, 3, rank, 2)) for rank in (0, 1)]
    assert [pair for both in zip(*halves, strict=True) for pair in both] == whole


def test_epochs_and_seeds_differ_and_repeat():
    def order(seed, epoch):
        sampler = EpochSampler(30, seed)
        sampler.set_epoch(epoch)
        return [i for _, i in sampler]

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(s, e)) for s in (0, 1) for e in (0, 1)}) == 4


def test_more_ranks_than_images_still_step_together():
    assert [list(EpochSampler(1, 0, rank, 3)) for rank in range(3)] == [[(0, 0)]] * 3
