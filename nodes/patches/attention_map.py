"""Recording, on ComfyUI's MODEL, what the hand tokens look at."""

import uuid

import torch

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from ...sesahand.attention.bias import check_settings
from ...sesahand.attention.heatmap import AttentionMaps, AttentionRecorder, BlockShares, MapAverage
from .attention_bias import check_whole_batch
from .cross_attention import Recording, add_wrapper, track_prompts, with_task
from .sampling_step import SESSION

# The finest grid that is looked at, as a fraction of the picture's side, and the cells of the latent it stands for.
DETAIL = {"1/8": 1, "1/16": 2, "1/32": 4}


def record_attention(
    model: ModelPatcher, blocks: str = "output", detail: str = "1/16"
) -> tuple[ModelPatcher, AttentionRecorder]:
    """A MODEL that notes, at each step, how much attention the hand tokens of the positive prompts get and where.

    Args:
        model: The MODEL; it stays as it is.
        blocks: "output", "input", "middle" or "all": the cross-attentions that are looked at.
        detail: The finest grid that is looked at: "1/8", "1/16" or "1/32" of the picture's side.

    Returns:
        The recording MODEL, and the recorder that holds the maps of each sampling when it has ended.

    Raises:
        SesaHandError: The model has no cross-attention to a text, or a setting means nothing.
    """
    check_settings(0.0, blocks, 0.0, 1.0)
    model = model.clone()
    track_prompts(model)
    recorder, name, coarseness = AttentionRecorder(), uuid.uuid4().hex, DETAIL[detail]

    def outer_sample(executor, *args, **kwargs):
        steps = executor.class_obj.model_options["transformer_options"][SESSION].runs.setdefault(name, [])
        latent = executor(*args, **kwargs)
        if steps:
            # The times are read only now: to read one from the GPU is to wait for it.
            blocks = BlockShares.means(shares for *_, shares in steps)
            maps = ((progress_of(sampling, time), share) for sampling, time, share, _ in steps)
            recorder.keep(latent, AttentionMaps.collect(maps, blocks))
        return latent

    def calc_cond_batch(executor, model, conds, x, timestep, model_options):
        check_whole_batch(model_options, "the maps of its parts do not fit together. Leave out Record Attention")
        height, width = (-(-size // coarseness) for size in x.shape[-2:])
        average, shares = MapAverage(x.shape[0], height, width), BlockShares()
        options = with_task(model_options, conds, x, record=Recording(blocks, coarseness, average, shares))
        out = executor(model, conds, x, timestep, options)
        session = options["transformer_options"].get(SESSION)
        if session is not None:
            # The same device in every step, whichever of several was the first to add a map.
            share = average.mean().to(x.device)
            session.runs.setdefault(name, []).append((model.model_sampling, timestep[:1].clone(), share, shares))
        return out

    add_wrapper(model, WrappersMP.OUTER_SAMPLE, outer_sample)
    add_wrapper(model, WrappersMP.CALC_COND_BATCH, calc_cond_batch)
    return model, recorder


def progress_of(sampling, timestep: torch.Tensor) -> float:
    """How far the sampling is, 0..1: the start percent from which this step would just be included, to 1/4096."""
    sigma, low, high = float(timestep), 0.0, 1.0
    for _ in range(12):
        middle = 0.5 * (low + high)
        if float(sampling.percent_to_sigma(middle)) >= sigma:
            low = middle
        else:
            high = middle
    return low
