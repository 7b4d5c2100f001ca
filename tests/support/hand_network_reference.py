"""HaMeR's and WiLoR's published architecture once more: slow, in float64, from single matrix products, and small.

Nothing here comes from the library; the descriptions are the two papers' and the published weights' names and shapes.
"""

import math

import numpy as np
import torch

ROWS, COLUMNS, HEADS = 16, 12, 16
MEAN_ROOT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def backbone_layers(width=1280, depth=32, hidden=5120):
    """Yield name and shape of every tensor of the published vision transformer."""
    yield "backbone.patch_embed.proj.weight", (width, 3, 16, 16)
    yield "backbone.patch_embed.proj.bias", (width,)
    yield "backbone.pos_embed", (1, 193, width)
    for block in range(depth):
        for name, shape in {
            "norm1": (width,), "attn.qkv": (3 * width, width), "attn.proj": (width, width), "norm2": (width,),
            "mlp.fc1": (hidden, width), "mlp.fc2": (width, hidden),
        }.items():  # fmt: skip
            yield f"backbone.blocks.{block}.{name}.weight", shape
            yield f"backbone.blocks.{block}.{name}.bias", shape[:1]
    yield "backbone.last_norm.weight", (width,)
    yield "backbone.last_norm.bias", (width,)


def linear(name, outputs, inputs):
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def mean_hand(prefix):
    yield f"{prefix}init_hand_pose", (1, 96)
    yield f"{prefix}init_betas", (1, 10)
    yield f"{prefix}init_cam", (1, 3)


def hamer_layers(width=1280, depth=32, hidden=5120, token=1024, layers=6, inner=512, token_hidden=1024):
    """Return name -> shape of the published HaMeR, or of a smaller one."""
    found = dict(backbone_layers(width, depth, hidden))
    query = "mano_head.transformer."
    found |= dict(mean_hand("mano_head."))
    found |= dict(linear(query + "to_token_embedding", token, 1)) | {query + "pos_embedding": (1, 1, token)}
    for layer in range(layers):
        at = f"{query}transformer.layers.{layer}"
        for part in range(3):
            found |= {f"{at}.{part}.norm.weight": (token,), f"{at}.{part}.norm.bias": (token,)}
        found |= {f"{at}.0.fn.to_qkv.weight": (3 * inner, token), f"{at}.1.fn.to_q.weight": (inner, token)}
        found |= {f"{at}.1.fn.to_kv.weight": (2 * inner, width)}
        found |= dict(linear(f"{at}.0.fn.to_out.0", token, inner)) | dict(linear(f"{at}.1.fn.to_out.0", token, inner))
        found |= dict(linear(f"{at}.2.fn.net.0", token_hidden, token))
        found |= dict(linear(f"{at}.2.fn.net.3", token, token_hidden))
    for name, count in (("decpose", 96), ("decshape", 10), ("deccam", 3)):
        found |= dict(linear(f"mano_head.{name}", count, token))
    return found


def wilor_layers(width=1280, depth=32, hidden=5120):
    """Return name -> shape of the published WiLoR, or of a smaller one."""
    found = dict(backbone_layers(width, depth, hidden)) | dict(mean_hand("backbone."))
    for name, count in (("pose_emb", 6), ("shape_emb", 10), ("cam_emb", 3)):
        found |= dict(linear(f"backbone.{name}", width, count))
    for name, count in (("decpose", 6), ("decshape", 10), ("deccam", 3)):
        found |= dict(linear(f"backbone.{name}", count, width))
    half, quarter, eighth = width // 2, width // 4, width // 8
    found |= {
        "refine_net.deconv.first_conv.0.weight": (half, width, 1, 1),
        "refine_net.deconv.first_conv.0.bias": (half,),
    }
    for place, before, after in (("0.0", half, quarter), ("1.0", half, quarter), ("1.3", quarter, eighth)):
        level, number = place.split(".")
        norm = f"refine_net.deconv.deconv.{level}.{int(number) + 1}"
        found[f"refine_net.deconv.deconv.{place}.weight"] = (before, after, 4, 4)
        found |= {f"{norm}.{part}": (after,) for part in ("weight", "bias", "running_mean", "running_var")}
        found[f"{norm}.num_batches_tracked"] = ()
    for name, count in (("dec_pose", 96), ("dec_shape", 10), ("dec_cam", 3)):
        found |= dict(linear(f"refine_net.{name}", count, half + quarter + eighth))
    return found


SMALL = {"width": 64, "depth": 2, "hidden": 128}
SMALL_LAYERS = {
    "HaMeR": lambda: hamer_layers(**SMALL, token=48, layers=2, inner=64, token_hidden=80),
    "WiLoR": lambda: wilor_layers(**SMALL),
}


def random_weights(layers, seed=0):
    """Return random float32 weights of these layers, such that the answers are hands near the mean."""
    random = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in layers.items():
        value = torch.randn(shape, generator=random)
        fan = max(1, math.prod(shape[1:]))
        if name.endswith("init_hand_pose"):
            value = torch.tensor(MEAN_ROOT).repeat(16)[None] + 0.1 * value
        elif name.endswith("init_cam"):
            value = torch.tensor([[4.0, 0.15, 0.12]])
        elif name.endswith("running_var"):
            value = 0.5 + value.abs()
        elif name.endswith("num_batches_tracked"):
            value = torch.tensor(7)
        elif "norm" in name and name.endswith("weight"):
            value = 1 + 0.2 * value
        elif "deccam" in name:
            # A hand far from the crop's middle would leave WiLoR's refinement nothing to see.
            value = 0.02 * value / math.sqrt(fan)
        elif len(shape) > 1 and "embed" not in name.split(".")[-1]:
            value = value * (0.3 if ".dec" in name and "deconv" not in name else 1.0) / math.sqrt(fan)
        else:
            value = 0.1 * value
        weights[name] = value
    return weights


class Reference:
    """One picture at a time through a network of the given weights.

    Args:
        weights: Name -> tensor as published.
    """

    def __init__(self, weights):
        self.w = {name: value.numpy().astype(np.float64) for name, value in weights.items()}

    def affine(self, name, x):
        out = x @ self.w[f"{name}.weight"].T
        return out + self.w[f"{name}.bias"] if f"{name}.bias" in self.w else out

    def norm(self, name, x, epsilon):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
        return scaled * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def vit(self, crop, extra=None):
        """Return tokens of a crop `[3, 256, 256]`, `extra` tokens first."""
        picture = np.pad(crop[:, :, 32:-32], ((0, 0), (2, 2), (2, 2)))
        kernel = self.w["backbone.patch_embed.proj.weight"].reshape(-1, 3 * 16 * 16)
        tokens = []
        for row in range(ROWS):
            for column in range(COLUMNS):
                patch = picture[:, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16].reshape(-1)
                tokens.append(kernel @ patch + self.w["backbone.patch_embed.proj.bias"])
        places = self.w["backbone.pos_embed"][0]
        x = np.stack(tokens) + places[1:] + places[:1]
        if extra is not None:
            x = np.concatenate([extra, x])
        block = 0
        while f"backbone.blocks.{block}.norm1.weight" in self.w:
            at = f"backbone.blocks.{block}."
            qkv = self.affine(at + "attn.qkv", self.norm(at + "norm1", x, 1e-6))
            query, key, value = np.split(qkv, 3, axis=1)
            x = x + self.affine(at + "attn.proj", attention(query, key, value, HEADS))
            x = x + self.affine(at + "mlp.fc2", gelu(self.affine(at + "mlp.fc1", self.norm(at + "norm2", x, 1e-6))))
            block += 1
        return self.norm("backbone.last_norm", x, 1e-6)

    def hamer(self, crop):
        """Return pose, betas and camera of one crop."""
        context = self.vit(crop)
        at = "mano_head.transformer."
        x = self.affine(at + "to_token_embedding", np.zeros((1, 1))) + self.w[at + "pos_embedding"][0]
        layer = 0
        while f"{at}transformer.layers.{layer}.0.norm.weight" in self.w:
            here = f"{at}transformer.layers.{layer}."
            query, key, value = np.split(self.affine(here + "0.fn.to_qkv", self.norm(here + "0.norm", x, 1e-5)), 3, 1)
            x = x + self.affine(here + "0.fn.to_out.0", attention(query, key, value, 8))
            key, value = np.split(self.affine(here + "1.fn.to_kv", context), 2, axis=1)
            query = self.affine(here + "1.fn.to_q", self.norm(here + "1.norm", x, 1e-5))
            x = x + self.affine(here + "1.fn.to_out.0", attention(query, key, value, 8))
            inside = gelu(self.affine(here + "2.fn.net.0", self.norm(here + "2.norm", x, 1e-5)))
            x = x + self.affine(here + "2.fn.net.3", inside)
            layer += 1
        return [
            self.affine(f"mano_head.{name}", x)[0] + self.w[f"mano_head.{mean}"][0]
            for name, mean in (("decpose", "init_hand_pose"), ("decshape", "init_betas"), ("deccam", "init_cam"))
        ]

    def wilor(self, crop, mano_vertices):
        """Return pose, betas and camera of one crop; `mano_vertices(rotations [16, 3, 3], betas [10])` are MANO's."""
        pose, betas, camera = (self.w[f"backbone.init_{name}"] for name in ("hand_pose", "betas", "cam"))
        extra = np.concatenate(
            [
                self.affine("backbone.pose_emb", pose.reshape(16, 6)),
                self.affine("backbone.shape_emb", betas),
                self.affine("backbone.cam_emb", camera),
            ]
        )
        tokens = self.vit(crop, extra)
        pose = pose[0] + self.affine("backbone.decpose", tokens[:16]).reshape(-1)
        betas = betas[0] + self.affine("backbone.decshape", tokens[16])
        camera = camera[0] + self.affine("backbone.deccam", tokens[17])
        features = tokens[18:].reshape(ROWS, COLUMNS, -1).transpose(2, 0, 1)
        vertices = mano_vertices(rotations_of(pose), betas)

        kernel = self.w["refine_net.deconv.first_conv.0.weight"][:, :, 0, 0]
        coarse = np.einsum("oc,chw->ohw", kernel, features)
        coarse += self.w["refine_net.deconv.first_conv.0.bias"][:, None, None]
        middle = self.enlarge("0", 0, coarse)
        fine = self.enlarge("1", 3, self.enlarge("1", 0, coarse))
        found = np.concatenate([self.at_vertices(level, vertices, camera) for level in (fine, middle, coarse)])
        return (
            pose + self.affine("refine_net.dec_pose", found),
            betas + self.affine("refine_net.dec_shape", found),
            camera + self.affine("refine_net.dec_cam", found),
        )

    def enlarge(self, level, number, x):
        """Transposed convolution with kernel 4, stride 2, padding 1: every input pixel stamps its kernel."""
        kernel = self.w[f"refine_net.deconv.deconv.{level}.{number}.weight"]
        _, height, width = x.shape
        out = np.zeros((kernel.shape[1], 2 * height + 2, 2 * width + 2))
        for row in range(height):
            for column in range(width):
                out[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += np.einsum(
                    "c,cohw->ohw", x[:, row, column], kernel
                )
        out = out[:, 1:-1, 1:-1]
        norm = f"refine_net.deconv.deconv.{level}.{number + 1}."
        mean, variance, gain, bias = (
            self.w[norm + name][:, None, None] for name in ("running_mean", "running_var", "weight", "bias")
        )
        return np.maximum((out - mean) / np.sqrt(variance + 1e-5) * gain + bias, 0)

    def at_vertices(self, features, vertices, camera):
        """Largest of each feature over the vertices, looked up where the published code looks.

        It projects with the focal length 5000 / height about the origin, which gives parts of the crop, and then
        reads these as pixels.
        """
        channels, height, width = features.shape
        depth = 2 * 5000.0 / (height * camera[0] + 1e-9)
        best = np.full(channels, -np.inf)
        for vertex in vertices:
            x, y, z = vertex + np.array([camera[1], camera[2], depth])
            x, y = x / z * 5000.0 / height, y / z * 5000.0 / height
            left, top = math.floor(x), math.floor(y)
            value = np.zeros(channels)
            for row, down in ((top, 1 - (y - top)), (top + 1, y - top)):
                for column, across in ((left, 1 - (x - left)), (left + 1, x - left)):
                    if 0 <= row < height and 0 <= column < width:
                        value += down * across * features[:, row, column]
            best = np.maximum(best, value)
        return best


def attention(query, key, value, heads):
    size = query.shape[1] // heads
    parts = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        scores = query[:, part] @ key[:, part].T / math.sqrt(size)
        scores = np.exp(scores - scores.max(1, keepdims=True))
        parts.append(scores / scores.sum(1, keepdims=True) @ value[:, part])
    return np.concatenate(parts, 1)


def gelu(x):
    from scipy.special import erf

    return x * 0.5 * (1 + erf(x / math.sqrt(2)))


def rotations_of(pose):
    """Gram-Schmidt on the two vectors of each joint, which become the columns of its rotation."""
    matrices = []
    for six in pose.reshape(16, 6):
        first = six[:3] / np.linalg.norm(six[:3])
        second = six[3:] - first * (first @ six[3:])
        second /= np.linalg.norm(second)
        matrices.append(np.stack([first, second, np.cross(first, second)], 1))
    return np.stack(matrices)
