"""GGUF files of a language model as small as can be, written by the format's specification."""

import struct

import torch

SIZES = {"block_count": 1, "embedding_length": 8, "feed_forward_length": 16, "attention.head_count": 2}
TENSORS = {"token_embd.weight": (8, 4), "blk.0.attn_q.weight": (8, 8)}


def text(said: str) -> bytes:
    return struct.pack("<Q", len(said.encode())) + said.encode()


def gguf(sizes=SIZES, tensors=TENSORS, tokens=4, template="{{ messages }}", counts=None, kind=0, cut=0) -> bytes:
    """A GGUF file of version 3 by its specification, with float32 tensors of zeros."""
    values = [text("general.architecture") + struct.pack("<I", 8) + text("llama")]
    values += [text(f"llama.{name}") + struct.pack("<II", 4, size) for name, size in sizes.items()]
    values += [text("tokenizer.chat_template") + struct.pack("<I", 8) + text(template)] if template else []
    values += [text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, tokens) + text("a") * min(tokens, 9)]
    offset, infos = 0, []
    for name, shape in tensors.items():
        infos.append(text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset))
        offset += -(-4 * torch.Size(shape).numel() // 32) * 32
    heads = struct.pack("<4sIQQ", b"GGUF", 3, *(counts or (len(infos), len(values))))
    made = heads + b"".join(values) + b"".join(infos)
    return made + bytes(-len(made) % 32 + offset - cut)
