"""How much memory of tensors is alive, and whether doing a thing again and again adds to it."""

import gc

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor

RUNS = 3


@pytest.fixture(scope="module", autouse=True)
def only_new_objects():
    """Leave what was there before out of the count, which would take a hundred times as long."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def tensor_bytes() -> int:
    """Return the bytes of the tensors that were made here and are alive, each storage once."""
    gc.collect()
    # What a compiled model was traced with has a shape and no memory.
    tensors = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)]
    tensors = [tensor for tensor in tensors if not isinstance(tensor, FakeTensor)]
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


def growth(run) -> int:
    """Return by how many bytes of tensors the runs after the first two add to what is alive."""
    for _ in range(2):
        run()
    before = tensor_bytes()
    for _ in range(RUNS):
        run()
    return tensor_bytes() - before
