"""torch's threads after fits in several threads at once."""

import threading

import pytest
import torch

from sesahand.reconstruct.fitting.one_thread import one_thread


@pytest.fixture
def three():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def of_a_new_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_fits_that_overlap_give_back_all_of_torchs_threads(three, first_leaves_first):
    entered, leave = [threading.Event(), threading.Event()], [threading.Event(), threading.Event()]
    inside, after = {}, {}

    def fit(k):
        with one_thread():
            inside[k] = torch.get_num_threads()
            entered[k].set()
            leave[k].wait(30)
        after[k] = torch.get_num_threads()

    threads = [threading.Thread(target=fit, args=(k,)) for k in (0, 1)]
    for k in (0, 1):
        threads[k].start()
        assert entered[k].wait(30)
    for k in (0, 1) if first_leaves_first else (1, 0):
        leave[k].set()
        threads[k].join()
    assert inside == {0: 1, 1: 1} and after == {0: 3, 1: 3}
    assert torch.get_num_threads() == 3 == of_a_new_thread()


def test_an_error_within_gives_them_back_too(three):
    with pytest.raises(ZeroDivisionError), one_thread(), one_thread():
        _ = 1 / 0
    assert torch.get_num_threads() == 3 == of_a_new_thread()
