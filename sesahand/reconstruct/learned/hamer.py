"""HaMeR: a transformer decoder that asks the picture's tokens for one hand.

Source: Pavlakos et al., "Reconstructing Hands in 3D with Transformers" (2024); layer names as in the published weights.
"""

from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from ...hands.model import NUM_BETAS, HandModel
from .prediction import POSE_NUMBERS, Prediction, mean_of, register_mean
from .vit import ViT, ViTSize

NUM_HEADS = 8


@dataclass(frozen=True)
class HaMeRSize:
    """Sizes of a HaMeR network; the defaults are those of the published one.

    Attributes:
        backbone: Sizes of the vision transformer.
        width: Channels of the decoder.
        depth: Layers of the decoder.
        inner: Channels of its attention, a multiple of 8, the number of heads.
        hidden: Channels inside its perceptrons.
    """

    backbone: ViTSize = field(default_factory=ViTSize)
    width: int = 1024
    depth: int = 6
    inner: int = 512
    hidden: int = 1024


class Normalised(nn.Module):
    """A layer that sees its input normalised."""

    def __init__(self, width: int, layer: nn.Module):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fn = layer

    def forward(self, tokens: Tensor, *rest: Tensor) -> Tensor:
        """Return tokens `[N, Q, width]` of the same shape; the `rest`, of any shape, goes to the layer as it is."""
        return self.fn(self.norm(tokens), *rest)


class DecoderAttention(nn.Module):
    """Attention among the query's tokens, of which there is one."""

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.to_qkv = nn.Linear(width, 3 * inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens `[N, Q, width]` of the same shape."""
        return self.to_out(attend(*self.to_qkv(tokens).chunk(3, -1)))


class CrossAttention(nn.Module):
    """Attention of the query to the picture's tokens."""

    def __init__(self, width: int, inner: int, context: int):
        super().__init__()
        self.to_kv = nn.Linear(context, 2 * inner, bias=False)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, width))

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Return tokens `[N, Q, width]` of the same shape, for a context `[N, K, channels]`."""
        return self.to_out(attend(self.to_q(tokens), *self.to_kv(context).chunk(2, -1)))


class DecoderPerceptron(nn.Module):
    """The two linear layers of a decoder layer."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        # The third place was training's dropout; the layer after it keeps its number.
        self.net = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens `[N, Q, width]` of the same shape."""
        return self.net(tokens)


class Decoder(nn.Module):
    """Layers of self-attention, cross-attention and perceptron, each added to what came in."""

    def __init__(self, size: HaMeRSize):
        super().__init__()
        layers = (
            (
                DecoderAttention(size.width, size.inner),
                CrossAttention(size.width, size.inner, size.backbone.width),
                DecoderPerceptron(size.width, size.hidden),
            )
            for _ in range(size.depth)
        )
        self.layers = nn.ModuleList(nn.ModuleList(Normalised(size.width, part) for part in layer) for layer in layers)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Return tokens `[N, Q, width]` of the same shape, for a context `[N, K, channels]`."""
        for layer in self.layers:
            self_attention, cross_attention, perceptron = cast(nn.ModuleList, layer)
            tokens = tokens + self_attention(tokens)
            tokens = tokens + cross_attention(tokens, context)
            tokens = tokens + perceptron(tokens)
        return tokens


class Query(nn.Module):
    """One token, which starts from nothing but what was learned, and the decoder that fills it."""

    def __init__(self, size: HaMeRSize):
        super().__init__()
        self.to_token_embedding = nn.Linear(1, size.width)
        self.pos_embedding = nn.Parameter(torch.zeros(1, 1, size.width))
        self.transformer = Decoder(size)

    def forward(self, context: Tensor) -> Tensor:
        """Return the filled token `[N, width]` for a picture's tokens `[N, K, channels]` as context."""
        token = self.to_token_embedding(context.new_zeros(len(context), 1, 1)) + self.pos_embedding
        return self.transformer(token, context)[:, 0]


class ManoHead(nn.Module):
    """Reads pose, shape and camera out of the query's token, as differences from the mean hand."""

    def __init__(self, size: HaMeRSize):
        super().__init__()
        register_mean(self)
        self.transformer = Query(size)
        self.decpose = nn.Linear(size.width, POSE_NUMBERS)
        self.decshape = nn.Linear(size.width, NUM_BETAS)
        self.deccam = nn.Linear(size.width, 3)

    def forward(self, features: Tensor) -> Prediction:
        """Return the hands for a picture's tokens `[N, K, channels]`."""
        token = self.transformer(features)
        return Prediction(self.decpose(token), self.decshape(token), self.deccam(token)) + mean_of(self)


class HaMeR(nn.Module):
    """From a normalised crop of a right hand to MANO's parameters.

    Args:
        size: Sizes of all parts.
    """

    title = "HaMeR"

    def __init__(self, size: HaMeRSize):
        super().__init__()
        self.backbone = ViT(size.backbone)
        self.mano_head = ManoHead(size)

    def forward(self, crops: Tensor, mano: HandModel) -> Prediction:
        """Estimate hands.

        Args:
            crops: `[N, 3, 256, 256]`, normalised, as `crop_hands` makes them; 32 columns on either side go unseen.
            mano: MANO, whose parameters the answer holds; this network does not look at the mesh itself.

        Returns:
            The hands in float32.
        """
        return self.mano_head(self.backbone(crops[..., 32:-32])).float()


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Multi-head attention of tokens over others.

    Args:
        query: `[N, Q, inner]`.
        key: `[N, K, inner]`.
        value: `[N, K, inner]`.

    Returns:
        `[N, Q, inner]`.
    """
    heads = (part.unflatten(-1, (NUM_HEADS, -1)).transpose(1, 2) for part in (query, key, value))
    return scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
