"""The attention of transformers with a bias on hand tokens, in float64, with its places found by trying.

It shares nothing with the pack, nor with what is known of any network: a row of the text, or a cell of the latent, is
changed a little, and the key or query that changes with it in the first attention that sees both is its own. Rows of a
batch are told by their text.
"""

import sys
from contextlib import contextmanager
from dataclasses import dataclass

import tiny_transformers
import torch

import comfy.sampler_helpers
import comfy.samplers
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key

NAMES = ("optimized_attention", "optimized_attention_masked")


@dataclass(frozen=True)
class Places:
    """Where things stand in the attentions that see text and picture.

    Args:
        lengths: Their queries and keys.
        keys: The key of each hand token, in order.
        queries: The queries of each cell of the latent that is the first of its patch, by its row and column.
        text: [K, D], the text as the network is given it.
    """

    lengths: tuple[int, int]
    keys: tuple[int, ...]
    queries: dict[tuple[int, int], tuple[int, ...]]
    text: torch.Tensor


@contextmanager
def attention(function):
    """Let all networks attend by `function(query, key, value, mask, transformer_options)` on [B, H, N, d]."""

    def attend(
        q, k, v, heads, mask=None, attn_precision=None, skip_reshape=False, skip_output_reshape=False,
        transformer_options=None, **_,
    ):  # fmt: skip
        if not skip_reshape:
            width = q.shape[-1] // heads
            q, k, v = (t.reshape(*t.shape[:2], -1, width).transpose(1, 2) for t in (q, k, v))
        k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], dim=1) for t in (k, v))

        def plain(q, k, v, *_, **__):
            out = function(q, k, v, mask, transformer_options or {})
            return out if skip_output_reshape else out.transpose(1, 2).flatten(2)

        other = (transformer_options or {}).get("optimized_attention_override")
        return plain(q, k, v) if other is None else other(plain, q, k, v, heads, mask=mask)

    modules = [m for name, m in list(sys.modules.items()) if name.startswith("comfy.ldm.") and m is not None]
    kept = [(module, name, vars(module)[name]) for module in modules for name in NAMES if name in vars(module)]
    for module, name, _ in kept:
        setattr(module, name, attend)
    try:
        yield
    finally:
        for module, name, original in kept:
            setattr(module, name, original)


def softmax_attention(q, k, v, mask, bias=None):
    """softmax(Q K^T / sqrt(d) + mask + bias) V in float64."""
    return (logits_of(q, k, mask, bias).softmax(dim=-1) @ v.double()).to(v.dtype)


def logits_of(q, k, mask, bias=None):
    logits = q.double() @ k.double().transpose(-1, -2) / q.shape[-1] ** 0.5
    if mask is not None:
        mask = mask[None] if mask.ndim == 2 else mask
        mask = mask[:, None] if mask.ndim == 3 else mask
        logits = logits + (torch.where(mask, 0.0, -torch.inf) if mask.dtype == torch.bool else mask).double()
    if bias is not None:
        logits = logits + bias
    return logits


@torch.inference_mode()
def attended(patcher, positive, x):
    """The queries and keys of all attentions of one call of the model, and the text that the network is given."""
    seen, texts = [], []

    def note(q, k, v, mask, options):
        seen.append((q.clone(), k.clone()))
        return softmax_attention(q, k, v, mask)

    def text(executor, x, t, c_concat=None, c_crossattn=None, *args, **kwargs):
        texts.append(c_crossattn)
        return executor(x, t, c_concat, c_crossattn, *args, **kwargs)

    patcher = patcher.clone()
    add_wrapper_with_key(WrappersMP.APPLY_MODEL, "reference", text, patcher.model_options, is_model_options=True)
    with attention(note):
        conds = {"positive": comfy.sampler_helpers.convert_cond(positive)}
        comfy.model_management.load_models_gpu([patcher])
        model = patcher.model
        conds = comfy.samplers.process_conds(model, x, conds, torch.device("cpu"), torch.zeros_like(x), None, 0)
        patcher.pre_run()
        sigma = torch.tensor([float(model.model_sampling.percent_to_sigma(0.3))])
        comfy.samplers.calc_cond_batch(model, [conds["positive"]], x, sigma, patcher.model_options)
    return seen, texts[0][0]


def changed(before, after):
    """The rows of [1, H, N, d] that differ by more than rounding."""
    return tuple(((before - after).abs() > 1e-5).any(dim=3).any(dim=1)[0].nonzero().flatten().tolist())


def places(family, positive, columns, patch=2, size=None):
    """Find the places of the hand tokens `columns` of a conditioning, and of the picture."""
    patcher = tiny_transformers.model(family, still=True)
    shape = tiny_transformers.FAMILIES[family].latent
    shape = shape if size is None else (*shape[:-2], *size)
    x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(5))
    base, _ = attended(patcher, positive, x)
    moved, _ = attended(patcher, positive, poked(x, (0, 0)))
    seeing = [i for i, (now, then) in enumerate(zip(base, moved, strict=True)) if changed(now[0], then[0])]
    keys, call = [], None
    for column in columns:
        calls, _ = attended(patcher, nudged(positive, column), x)
        found = {i: changed(base[i][1], calls[i][1]) for i in seeing}
        # The first attention whose queries hang on the picture and one of whose keys hangs on this row of the text.
        call = next(i for i, rows in found.items() if rows) if call is None else call
        assert len(found[call]) == 1, f"one row of the text is several keys: {found[call]}"
        keys += found[call]

    def queries_of(part):
        calls, _ = attended(patcher, positive, poked(x, part))
        return set(changed(base[call][0], calls[call][0]))

    # The queries of a patch are those that hang both on its rows of cells and on its columns. One of each will do, and
    # the last: where the latent is filled up by its beginning, the first are also in the last patch.
    def last(start, count):
        return min(start + patch, count) - 1

    height, width = shape[-2:]
    down = {row: queries_of((last(row, height), slice(None))) for row in range(0, height, patch)}
    across = {column: queries_of((slice(None), last(column, width))) for column in range(0, width, patch)}
    queries = {(row, column): tuple(sorted(down[row] & across[column])) for row in down for column in across}
    assert all(len(of) == len(queries[0, 0]) > 0 for of in queries.values()), "patches differ in number of queries"
    query, key = base[call]
    _, text = attended(tiny_transformers.model(family), positive, x)
    return Places((query.shape[2], key.shape[2]), tuple(keys), queries, text)


def poked(x, part):
    x = x.clone()
    x[..., part[0], part[1]] += 0.5
    return x


def nudged(positive, column):
    (text, options), *rest = positive
    if "t5xxl_ids" in options:
        ids = options["t5xxl_ids"].clone()
        ids[column] += 1
        return [[text, {**options, "t5xxl_ids": ids}], *rest]
    text = text.clone()
    text[:, column] += 0.5
    return [[text, options], *rest]


def weights_of(places, mask, patch=2):
    """The weight of each query: the mean of a mask [h, w] over the cells of its patch."""
    height, width = mask.shape
    weights = {}
    for (row, column), queries in places.queries.items():
        cells = mask[row : min(row + patch, height), column : min(column + patch, width)]
        weights |= {query: float(cells.double().mean()) for query in queries}
    return weights


@contextmanager
def reference(
    patcher, known, alpha=2.0, mask=None, when=lambda sigma: True, calls=None, patch=2, inside=None, seen=None
):
    """A MODEL that attends as it should, for as long as the block runs.

    Args:
        patcher: The MODEL without the pack's patches.
        known: The Places of each prompt with hand tokens.
        alpha: Added to the logits.
        mask: [h, w], how much of it each cell gets.
        when: Whether there is a bias at a sigma.
        calls: Which of the attentions that see both are biased, counted in each call of the model; None for all.
        patch: Cells along a side of a patch.
        inside: Modules whose attentions alone may be biased.
        seen: Called with query, key and biased logits of each attention.
    """
    texts, counted, depth = [], [0], [0]

    def text(executor, x, t, c_concat=None, c_crossattn=None, *args, **kwargs):
        texts.append(c_crossattn)
        counted[0] = 0
        return executor(x, t, c_concat, c_crossattn, *args, **kwargs)

    def attend(q, k, v, mask_, options):
        lengths = q.shape[2], k.shape[2]
        if inside is not None and not depth[0]:
            return softmax_attention(q, k, v, mask_)
        of = [p for p in known if p.lengths == lengths]
        bias = torch.zeros(len(q), 1, *lengths, dtype=torch.float64)
        counted[0] += bool(of)
        if of and (calls is None or counted[0] - 1 in calls) and when(float(options["sigmas"][0])):
            for place in of:
                weights = weights_of(place, torch.ones(1024, 1024) if mask is None else mask, patch)
                for row, own in enumerate(texts[-1]):
                    if own.shape == place.text.shape and torch.equal(own, place.text):
                        for query, weight in weights.items():
                            bias[row, 0, query, list(place.keys)] = alpha * weight
        if seen is not None:
            seen(q, k, logits_of(q, k, mask_, bias))
        return softmax_attention(q, k, v, mask_, bias)

    patcher = patcher.clone()
    patcher.add_wrapper(WrappersMP.APPLY_MODEL, text)
    hooks = []
    for module in inside or ():
        hooks.append(module.register_forward_pre_hook(lambda *_: depth.__setitem__(0, depth[0] + 1)))
        hooks.append(module.register_forward_hook(lambda *_: depth.__setitem__(0, depth[0] - 1)))
    try:
        with attention(attend):
            yield patcher
    finally:
        for hook in hooks:
            hook.remove()
