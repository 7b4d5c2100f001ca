"""Making cross-attention heed the hand words of a prompt, and seeing where it does."""

import torch

from comfy_api.latest import io

from ..sesahand.attention.bias import BLOCKS
from ..sesahand.attention.heatmap import describe_shares, show_maps
from ..sesahand.models.families import LATENT_PIXELS
from ..sesahand.render.room import check_pixels
from .patches.attention_bias import bias_attention
from .patches.attention_map import DETAIL, record_attention
from .progress import progress
from .wires import Attention, checks, found_by, rare

CATEGORY = "SesaHand/attention"


@checks()
class AttentionBias(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandAttentionBias",
            display_name="Attention Bias (SesaHand)",
            category=CATEGORY,
            **found_by("emphasis", "prompt weight", "fix hands"),
            description=(
                "Draw the model's attention to the hand words of the prompt, by a bias on their attention logits. The "
                "prompt has to come from Text Encode (SesaHand), which knows the hand words. Stable Diffusion 1.x, 2.x "
                "and SDXL, Qwen-Image, Z-Image, Flux, Krea 2, Chroma, Anima, SD3 and Wan."
            ),
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="The model to patch: Stable Diffusion 1.x, 2.x or SDXL, or a transformer such as "
                    "Qwen-Image, Z-Image, Flux, Krea 2, Chroma, Anima, SD3 or Wan.",
                ),
                io.Float.Input(
                    "alpha",
                    default=2.0,
                    min=0.0,
                    max=8.0,
                    step=0.05,
                    tooltip="Value added to the attention logits of the hand words, 0 (off) to 8; the paper's is 2. "
                    "Raise it if the hands ignore the prompt, lower it if the rest of the prompt is neglected. Stable "
                    "Diffusion wants 4 at most; so do Wan, Anima and Cosmos, whose attention to the text stands alone, "
                    "too. In other transformers thousands of places of the picture compete with the words: sample once "
                    "with Record Attention, and add to alpha what the report of Attention Map says for a share of 5 %; "
                    "20 % if that is too little.",
                ),
                io.Combo.Input(
                    "blocks",
                    options=list(BLOCKS),
                    default="output",
                    tooltip="Part of the UNet that is biased: output (the decoder, the paper's choice), input, middle, "
                    "or all. Earlier parts decide the layout, so try them if the hand is in the wrong place. In "
                    "transformers, which have no decoder, these are the first, middle and last third of the blocks; "
                    "choose all there.",
                    **rare(),
                ),
                io.Float.Input(
                    "start_percent",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    tooltip="Fraction of the sampling at which the bias sets in, 0 to 1. Raise it to leave the layout "
                    "of the picture alone.",
                    **rare(),
                ),
                io.Float.Input(
                    "end_percent",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    tooltip="Fraction of the sampling after which the bias is left out, 0 to 1. Lower it if skin and "
                    "details look overdone.",
                    **rare(),
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where in the picture the hand words count more, 0 to 1, such as the mask of the rendered "
                    "hand. One for all pictures, one for each, or a few that repeat in order. Without it the bias acts "
                    "everywhere.",
                ),
                io.Int.Input(
                    "mask_feather",
                    default=16,
                    min=0,
                    max=512,
                    step=1,
                    optional=True,
                    tooltip="How far the mask fades out beyond its edge, in pixels of the picture. 0 is a hard edge; "
                    "raise it if the surroundings of the hand look cut off.",
                    **rare(),
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="MODEL",
                    tooltip="The patched model for the sampler. The model that went in is unchanged. Several of these "
                    "nodes in a row add up.",
                )
            ],
        )

    @classmethod
    def execute(cls, model, alpha, blocks, start_percent, end_percent, mask=None, mask_feather=16) -> io.NodeOutput:
        return io.NodeOutput(bias_attention(model, alpha, blocks, start_percent, end_percent, mask, mask_feather))


@checks()
class RecordAttention(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandRecordAttention",
            display_name="Record Attention (SesaHand)",
            category=CATEGORY,
            description=(
                "Note during the sampling where the model attends to the hand words of the positive prompt, for "
                "Attention Map (SesaHand). It does not change the picture."
            ),
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="The model that samples, biased or not: any that Attention Bias takes.",
                ),
                io.Combo.Input(
                    "blocks",
                    options=list(BLOCKS),
                    default="output",
                    tooltip="Part of the UNet that is looked at: output (the decoder), input, middle or all; in "
                    "transformers the last, first and middle third of the blocks, or all.",
                    **rare(),
                ),
                io.Combo.Input(
                    "detail",
                    options=list(DETAIL),
                    default="1/16",
                    tooltip="Finest grid that is looked at, as a fraction of the picture's side. 1/32 is the cheapest "
                    "and smoothest, 1/8 the finest and dearest (Stable Diffusion 1.x has it, SDXL stops at 1/16). "
                    "Transformers have one grid, that of their patches, whose map is brought to this size.",
                    **rare(),
                ),
            ],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="The recording model for the sampler."),
                Attention.Output(
                    display_name="attention",
                    tooltip="The record, for Attention Map (SesaHand). It holds the maps and latents of the last 16 "
                    "samplings.",
                ),
            ],
        )

    @classmethod
    def execute(cls, model, blocks, detail) -> io.NodeOutput:
        return io.NodeOutput(*record_attention(model, blocks, detail))


class AttentionMap(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandAttentionMap",
            display_name="Attention Map (SesaHand)",
            category=CATEGORY,
            **found_by("attention heat map", "DAAM"),
            description=(
                "Show what the hand words look at: a heat map over the decoded picture, and as a mask. The maps come "
                "from Record Attention (SesaHand) on the model that sampled this latent."
            ),
            inputs=[
                Attention.Input("attention", tooltip="The record of Record Attention (SesaHand)."),
                io.Latent.Input(
                    "samples",
                    tooltip="The latent as it comes out of the sampler that used the recording model; it says which "
                    "sampling is shown.",
                ),
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="The picture decoded from that latent, to lay the map over. Without it the map is shown on "
                    "black.",
                ),
                io.Float.Input(
                    "start_percent",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    tooltip="First moment of the sampling that is shown, 0 to 1.",
                    **rare(),
                ),
                io.Float.Input(
                    "end_percent",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    tooltip="Last moment of the sampling that is shown, 0 to 1. Lower it to see how the layout came "
                    "about.",
                    **rare(),
                ),
                io.Int.Input(
                    "panels",
                    default=1,
                    min=1,
                    max=16,
                    tooltip="Split the steps in order into as many groups and show them side by side; 1 shows their "
                    "mean.",
                ),
                io.Boolean.Input(
                    "stretch",
                    default=True,
                    tooltip="Stretch each map to the full range 0 to 1, which shows best where the attention is. Off, "
                    "it is the share of all attention that the hand words get, comparable between pictures.",
                    **rare(),
                ),
                io.Float.Input(
                    "opacity",
                    default=0.7,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much of the picture the hottest places hide, 0 to 1.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="IMAGE",
                    tooltip="The heat map over the picture; panels side by side from first to last.",
                ),
                io.Mask.Output(
                    display_name="MASK",
                    tooltip="The mean map of the shown steps at the size of the picture, 0 to 1, for instance to "
                    "inpaint where the hands are.",
                ),
                io.String.Output(
                    display_name="report",
                    tooltip="The share of the attention that the hand words got in each block, and how much more alpha "
                    "would give them more; for a Preview Any.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, attention, samples, start_percent, end_percent, panels, stretch, opacity, images=None
    ) -> io.NodeOutput:
        latent = samples["samples"]
        count, height, width = len(latent), latent.shape[-2] * LATENT_PIXELS, latent.shape[-1] * LATENT_PIXELS
        if images is not None:
            count, height, width = images.shape[:3]
        # The panels side by side, and the mask.
        check_pixels(count, panels * width, height, 16, "choose fewer panels, or show fewer pictures")
        if images is None:
            images = torch.zeros(len(latent), height, width, 3)
        maps = attention.maps_of(latent)
        shown = maps.for_pictures(len(images)) if latent.ndim == 5 else maps
        pictures = show_maps(shown, images, start_percent, end_percent, panels, stretch, opacity, progress())
        return io.NodeOutput(*pictures, describe_shares(maps))


NODES = [AttentionBias, RecordAttention, AttentionMap]
