"""The vision transformer that HaMeR and WiLoR see hands with: ViT-H/16 of ViTPose, on a crop of 256x192 pixels.

Source: Dosovitskiy et al., "An Image is Worth 16x16 Words" (2021); Xu et al., "ViTPose" (2022), whose layer names the
published weights have.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

PATCH = 16
ROWS, COLUMNS = 16, 12
NUM_HEADS = 16
NORM_EPSILON = 1e-6


@dataclass(frozen=True)
class ViTSize:
    """What differs between a published network and a small one for trying things out.

    Attributes:
        width: Channels of a token; a multiple of 16, the number of attention heads.
        depth: Number of transformer blocks.
        hidden: Channels inside the perceptrons.
    """

    width: int = 1280
    depth: int = 32
    hidden: int = 5120


class SelfAttention(nn.Module):
    """Multi-head attention among all tokens of a picture."""

    def __init__(self, width: int):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens `[N, T, width]` of the same shape."""
        query, key, value = self.qkv(tokens).unflatten(-1, (3, NUM_HEADS, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class Perceptron(nn.Module):
    """The two linear layers of a block."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens `[N, T, width]` of the same shape."""
        return self.fc2(self.act(self.fc1(tokens)))


class Block(nn.Module):
    """Attention, then a perceptron, each on normalised tokens and added to what came in."""

    def __init__(self, size: ViTSize):
        super().__init__()
        self.norm1 = nn.LayerNorm(size.width, NORM_EPSILON)
        self.attn = SelfAttention(size.width)
        self.norm2 = nn.LayerNorm(size.width, NORM_EPSILON)
        self.mlp = Perceptron(size.width, size.hidden)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens `[N, T, width]` of the same shape."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class PatchEmbedding(nn.Module):
    """One token for every 16x16 pixels; the padding of 2 pixels is the published networks'."""

    def __init__(self, width: int):
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, PATCH, padding=2)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the tokens `[N, 192, width]` of pictures `[N, 3, 256, 192]`, any range, row after row."""
        return self.proj(pictures).flatten(2).transpose(1, 2)


class ViT(nn.Module):
    """The backbone without heads.

    Args:
        size: Width and depth.
    """

    def __init__(self, size: ViTSize):
        super().__init__()
        self.patch_embed = PatchEmbedding(size.width)
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + ROWS * COLUMNS, size.width))
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.depth))
        self.last_norm = nn.LayerNorm(size.width, NORM_EPSILON)

    def embed(self, pictures: Tensor) -> Tensor:
        """Return the tokens `[N, 192, width]` of pictures `[N, 3, 256, 192]`, normalised, row after row.

        The place of the class token, which pre-training had and hands have not, is added to every other place.
        """
        return self.patch_embed(pictures) + self.pos_embed[:, 1:] + self.pos_embed[:, :1]

    def transform(self, tokens: Tensor) -> Tensor:
        """Return tokens `[N, T, width]` of the same shape after all blocks and the last normalisation."""
        for block in self.blocks:
            tokens = block(tokens)
        return self.last_norm(tokens)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return features `[N, 192, width]` of normalised pictures `[N, 3, 256, 192]`."""
        return self.transform(self.embed(pictures))
