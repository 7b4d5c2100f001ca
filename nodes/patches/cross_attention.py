"""Being there when ComfyUI samples: around the whole sampling, around each step and around each call of the model.

ComfyUI batches prompts as it sees fit, and other nodes may batch them again. Three wrappers keep track: one around the
whole sampling, one around the prediction of one step (the prompts are known there), one around the call of the model
(the batch is known there). The last puts a replacement on the cross-attentions for that one call; nothing stays on the
MODEL, so the order of the nodes does not matter.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from comfy.ldm.modules.attention import SpatialTransformer, SpatialVideoTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key, get_wrappers_with_key

from ...sesahand.errors import SesaHandError
from ...sesahand.models.families import TEXT_ATTENTION
from .attention_call import BlockKey, Call, replace_attention
from .joint_attention import override_attention
from .joint_layouts import transformer_of
from .sampling_step import KEY, SESSION, TOKENS, Bias, Recording, Session, Step, find_prompts

# Each is a call inside that of the one before, in every step.
MOST_STACKED = 50

logger = logging.getLogger(__name__)


def cross_attention_blocks(model: ModelPatcher) -> tuple[BlockKey, ...]:
    """The name, number and depth of every cross-attention to a text in a Stable Diffusion UNet.

    Raises:
        SesaHandError: The model is of another kind.
    """
    unet = model.get_model_object("diffusion_model")
    blocks: list[BlockKey] = []
    if isinstance(unet, UNetModel):
        places = [("input", unet.input_blocks), ("middle", [unet.middle_block]), ("output", unet.output_blocks)]
        for name, modules in places:
            for number, module in enumerate(modules):
                for layer in module or ():
                    if isinstance(layer, SpatialVideoTransformer):
                        raise unsupported(model)
                    if isinstance(layer, SpatialTransformer):
                        blocks += [(name, number, depth) for depth in range(len(layer.transformer_blocks))]
    if not blocks:
        raise unsupported(model)
    return tuple(blocks)


def unsupported(model: ModelPatcher) -> SesaHandError:
    return SesaHandError(
        f"The attention of {type(model.model).__name__} cannot be biased or recorded. Supported are Stable Diffusion "
        f"1.x, 2.x and SDXL, {', '.join(facts.families for facts in TEXT_ATTENTION.values())}. Where the text stands "
        "in the attention of other models, and of variants of these with more in it, is not known; leave this node out "
        "for them."
    )


def check_attention(model: ModelPatcher) -> None:
    """Refuse a MODEL whose attention to the text is not known.

    Raises:
        SesaHandError: It is such a one.
    """
    if transformer_of(model) is None:
        cross_attention_blocks(model)


def add_wrapper(model: ModelPatcher, kind: str, wrapper: Callable) -> None:
    if len(get_wrappers_with_key(kind, KEY, model.model_options, is_model_options=True)) >= MOST_STACKED:
        raise SesaHandError(
            f"There are more than {MOST_STACKED} nodes of Attention Bias and Record Attention in a row: one bias with "
            "all of alpha does the same."
        )
    # Among the options and not model.add_wrapper: a MODEL with other wrappers counts as other weights and is reloaded.
    add_wrapper_with_key(kind, KEY, wrapper, model.model_options, is_model_options=True)


def track_prompts(model: ModelPatcher) -> None:
    """Make this MODEL know its prompts while it samples; a second call changes nothing."""
    if get_wrappers_with_key(WrappersMP.APPLY_MODEL, KEY, model.model_options, is_model_options=True):
        return
    transformer = transformer_of(model)
    blocks = cross_attention_blocks(model) if transformer is None else ()

    def outer_sample(executor, *args, **kwargs):
        guider = executor.class_obj
        options = guider.model_options.setdefault("transformer_options", {})
        options[SESSION] = start_session(guider.conds, guider.model_options)
        return executor(*args, **kwargs)

    def apply_model(executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **kwargs):
        options = transformer_options or {}
        step = options.get(KEY)
        if step is None:
            raise SesaHandError(
                "Another node computes the prediction of a step in its own way (sampler_calc_cond_batch_function), so "
                "the attention to the hand words cannot be told apart by prompt. Bypass that node or this one."
            )
        override = None
        if transformer is not None:
            options, override = override_attention(options, step, transformer, x, c_crossattn, kwargs)
        elif step.biases or step.records:
            options = replace_attention(options, blocks, Call(step, x, c_crossattn, options))
        out = executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        if override is not None:
            override.finish()
        return out

    add_wrapper(model, WrappersMP.OUTER_SAMPLE, outer_sample)
    add_wrapper(model, WrappersMP.APPLY_MODEL, apply_model)


def start_session(conds: dict[str, list[dict]], model_options: dict) -> Session:
    """Check that the hand words of at least one prompt are known, and say in the log what will be acted on.

    Raises:
        SesaHandError: No conditioning of the sampling carries its hand tokens.
    """
    every = [cond for group in conds.values() for cond in group or ()]
    known = [cond[TOKENS] for cond in every if TOKENS in cond]
    if not known:
        raise SesaHandError(
            "None of the conditionings of this sampling says which of its words are the hand's. Encode the prompt with "
            "'Text Encode (SesaHand)' instead of CLIP Text Encode, or with 'Text Encode with Pictures (SesaHand)' "
            "instead of TextEncodeQwenImageEditPlus, and connect it to the sampler; in Conditioning (Concat) it "
            "belongs at conditioning_to."
        )
    session = Session(frozenset(cond["uuid"] for name, g in conds.items() if name != "negative" for cond in g or ()))
    words = sum(len(tokens["columns"]) for tokens in known)
    logger.info("Hand tokens: %d in %d of %d conditionings.", words, len(known), len(every))
    for cond in every:
        text = cond.get("cross_attn")
        longer = TOKENS in cond and text is not None and text.shape[1] > cond[TOKENS]["length"]
        if longer and not model_options.get("ppm_negpip"):
            session.warn_once(
                "A conditioning is longer than the text whose hand words are known: the hand words of what was "
                "concatenated to it are not acted on. Encode the whole text with one 'Text Encode (SesaHand)'."
            )
    return session


def with_task(model_options: dict, conds: Sequence, x: torch.Tensor, **task: Bias | Recording) -> dict:
    """The options with one more thing to do in this step: `bias=` or `record=`, or nothing, which only tracks."""
    options = model_options.get("transformer_options", {})
    step = options.get(KEY)
    if step is None:
        session = options.get(SESSION) or start_session(dict(enumerate(conds)), model_options)
        step = Step(find_prompts(conds, tuple(x.shape), session), x, session)
    if "bias" in task:
        step = replace(step, biases=(*step.biases, task["bias"]))
    if "record" in task:
        step = replace(step, records=(*step.records, task["record"]))
    return {**model_options, "transformer_options": {**options, KEY: step}}
