"""Cross-attention with a bias on hand tokens, worked out plainly in float64 and told apart by the text itself.

It shares nothing with the pack: it takes the place of ComfyUI's CrossAttention.forward, compares each row of the text
it is given with the texts it knows, and multiplies the matrices out.
"""

import math
from contextlib import contextmanager

import torch

import comfy.ldm.modules.attention as comfy_attention
import comfy.sample

STEPS = 1


def conditioning(seed, columns=None, length=77, width=768, **extra):
    """One conditioning with a random text of `length` tokens; `columns` are its hand tokens, None for unknown ones."""
    text = torch.randn(1, length, width, generator=torch.Generator().manual_seed(seed))
    options = {"pooled_output": torch.randn(1, 1280, generator=torch.Generator().manual_seed(seed + 1000)), **extra}
    if columns is not None:
        options["sesahand_tokens"] = {"columns": tuple(columns), "length": length}
    return [[text, options]]


@torch.inference_mode()
def sample(model, positive, negative, shape=(1, 4, 16, 16), cfg=4.0, steps=STEPS, sampler="euler", **options):
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(7))
    return comfy.sample.sample(
        model, noise, steps, cfg, sampler, "normal", positive, negative, torch.zeros(shape), disable_pbar=True, seed=7,
        **options,
    )  # fmt: skip


def biased_attention(query, key, value, heads, bias):
    """softmax(Q K^T / sqrt(d) + bias) V in float64; bias [B, 1 or N, K]."""
    batch, queries, channels = query.shape
    depth = channels // heads
    out = torch.empty(batch, queries, channels, dtype=torch.float64)
    for head in range(heads):
        part = slice(head * depth, (head + 1) * depth)
        logits = query[..., part].double() @ key[..., part].double().transpose(1, 2) / math.sqrt(depth)
        weights = torch.exp(logits + bias - (logits + bias).amax(dim=-1, keepdim=True))
        out[..., part] = (weights / weights.sum(dim=-1, keepdim=True)) @ value[..., part].double()
    return out


def text_bias(context, texts, alpha):
    """[B, 1, K]: alpha on the columns of each known text, wherever it repeats in a row of the context."""
    bias = torch.zeros(context.shape[0], 1, context.shape[1], dtype=torch.float64)
    for row in range(context.shape[0]):
        for text, columns in texts:
            length = text.shape[0]
            if context.shape[1] % length == 0 and torch.equal(context[row, :length], text):
                for start in range(0, context.shape[1], length):
                    for column in columns:
                        bias[row, 0, start + column] += alpha
    return bias


def cross_attentions(model):
    """The cross-attention modules of a MODEL's UNet, with the part of the UNet they are in."""
    unet = model.get_model_object("diffusion_model")
    for name, module in unet.named_modules():
        if name.endswith(".attn2"):
            yield module, name.split("_", 1)[0]


@contextmanager
def reference(model, texts, alpha=2.0, places=("output",), when=lambda sigma: True, weights=None, seen=None):
    """Let the model attend as it should: `texts` are (text [L, D], columns); `weights(row, height, width)` a mask."""
    places_of = {id(module): place for module, place in cross_attentions(model)}
    original = comfy_attention.CrossAttention.forward

    def forward(self, x, context=None, value=None, mask=None, transformer_options=None):
        place = places_of.get(id(self))
        if place not in places or not when(float(transformer_options["sigmas"][0])):
            return original(self, x, context, value, mask, transformer_options or {})
        bias = text_bias(context, texts, alpha)
        if weights is not None:
            height, width = transformer_options["activations_shape"][-2:]
            bias = bias * torch.stack([weights(row, height, width).reshape(-1, 1) for row in range(len(x))])
        if seen is not None:
            seen.append(float(bias.abs().sum()))
        query, key = self.to_q(x), self.to_k(context)
        out = biased_attention(query, key, self.to_v(context if value is None else value), self.heads, bias)
        return self.to_out(out.to(x.dtype))

    comfy_attention.CrossAttention.forward = forward
    try:
        yield
    finally:
        comfy_attention.CrossAttention.forward = original


def relative_l2(got, expected):
    return float((got.double() - expected.double()).norm() / expected.double().norm())
