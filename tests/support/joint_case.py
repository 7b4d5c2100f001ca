"""A tiny transformer with a prompt whose hand tokens are known: sampled with the pack, and by a softmax in float64."""

import pytest
import tiny_transformers
import torch
from attention_reference import relative_l2
from joint_reference import places, reference
from sesahand_pack.nodes.patches.attention_bias import bias_attention
from tiny_transformers import FAMILIES, conditioning, sample

TOLERANCE = 1e-5
HAND = (4, 5, 9, 11)


class Case:
    """A family with its tiny model, a prompt and the places of its hand tokens."""

    def __init__(self, name, length=37, size=None, columns=HAND, **extra):
        if not FAMILIES[name].is_here:
            pytest.skip(f"This ComfyUI has no {FAMILIES[name].model}.")
        self.name, self.patch, self.size = name, 1 if name == "flux2" else 2, size
        self.model = tiny_transformers.model(name)
        self.positive = conditioning(name, 1, columns, length, **extra)
        self.negative = conditioning(name, 2, length=length, **extra)
        self.places = places(name, self.positive, columns, self.patch, size)

    def sample(self, model, positive=None, negative=None, **options):
        return sample(model, self.name, positive or self.positive, negative or self.negative, size=self.size, **options)

    def check(self, patched=None, settings=None, minimum=1e-3, plain=None, **options):
        """Sample with the node and with the reference: equal, and visibly other than without."""
        plain = plain or self.model
        settings = {"known": [self.places], "patch": self.patch} | (settings or {})
        got = self.sample(patched or bias_attention(plain, 2.0, "all"), **options)
        with reference(plain, **settings) as other:
            expected = self.sample(other, **options)
        assert relative_l2(got, expected) < TOLERANCE
        assert relative_l2(got, self.sample(plain, **options)) > minimum
        return got


def region(case, seed=4):
    """A mask of as many pixels as the latent has cells, and somewhere 0."""
    height, width = (case.size or FAMILIES[case.name].latent)[-2:]
    mask = torch.rand(height, width, generator=torch.Generator().manual_seed(seed))
    mask[: height // 3] = 0
    return mask
