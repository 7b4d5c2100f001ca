"""What the attention bias costs where text and picture share one attention, and how exact it is.

One attention of the size that transformers have at 1024 px, 4096 patches and 512 rows of text, in heads of 128
channels: plain, with the bias on the picture's rows, with a bias in the region of a hand (an ellipse of a third of the
width and two fifths of the height, fading out over 16 pixels), and with one that fades out over all of the picture.
Their weights are made once for all blocks of a step as in the nodes. All cases run in turn; the table gives the ratio
of the fastest runs, in processor time, and the largest difference from a softmax in float64.

Run:
    python benchmarks/joint_attention.py [--quick] [--heads 4] [--rounds 9] [--device cuda]
"""

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from sesahand.attention.bias import feathered_mask
from sesahand.attention.joint import Layout, attend_with_bias, attention_to, on_patches

TARGET = 1.04
DEPTH, WORDS, ALPHA = 128, 12, 2.0
CASES = {
    "joint, 512 + 4096": (512, 64, False),
    "joint, 128 + 4096": (128, 64, False),
    "cross, 512 keys": (512, 64, True),
}


def layout_of(text: int, side: int, is_cross: bool) -> Layout:
    picture = side * side
    if is_cross:
        return Layout(0, 0, (1, side, side), text, picture, 1, True, 2)
    return Layout(0, text, (1, side, side), text + picture, text + picture, 1, False, 2)


def inputs_of(layout: Layout, heads: int, device: str, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    """Query, key, value [1, H, N, d], the columns [1, 1, 1, K] and the weights [1, 1, N, 1] that fade everywhere."""
    generator = torch.Generator().manual_seed(0)

    def normal(rows: int) -> torch.Tensor:
        return torch.randn(1, rows, heads, DEPTH, generator=generator).to(device, dtype).transpose(1, 2)

    columns = torch.zeros(1, 1, 1, layout.keys)
    columns[..., 20 : 20 + WORDS] = ALPHA
    weights = torch.rand(1, 1, layout.picture.stop - layout.picture.start, 1, generator=generator)
    return normal(layout.rows), normal(layout.keys), normal(layout.keys), columns.to(device, dtype), weights.to(columns)


def hand_weights(layout: Layout) -> torch.Tensor:
    """The weights [N] of a hand's region in the picture."""
    _, height, width = (size * layout.patch for size in layout.grid)
    down, across = torch.meshgrid(torch.linspace(0, 1, 512), torch.linspace(0, 1, 512), indexing="ij")
    ellipse = ((down - 0.55) / 0.2) ** 2 + ((across - 0.6) / 0.167) ** 2 < 1
    return on_patches(feathered_mask(ellipse.float()[None], height, width, 2.0), layout)[0]


def in_float64(query, key, value, bias, layout: Layout) -> torch.Tensor:
    """The attention written out, one head at a time."""
    out = torch.empty(query.shape, dtype=torch.float64, device=query.device)
    for head in range(query.shape[1]):
        logits = query[:, head].double() @ key[:, head].double().transpose(-1, -2) / DEPTH**0.5
        logits[:, layout.picture] += bias[:, 0].double()
        out[:, head] = logits.softmax(dim=-1) @ value[:, head].double()
    return out


def fastest(cases: dict[str, Callable[[], object]], rounds: int, device: str) -> dict[str, float]:
    """The shortest time of each, in seconds of this thread's processor time, or of the GPU's."""
    best = dict.fromkeys(cases, float("inf"))
    clock = time.thread_time if device == "cpu" else time.perf_counter
    for _ in range(rounds):
        for name, case in cases.items():
            start = clock()
            case()
            if device != "cpu":
                torch.cuda.synchronize()
            best[name] = min(best[name], clock() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a sixteenth of the size, to see that it runs")
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    dtype = torch.float32 if options.device == "cpu" else torch.bfloat16
    print("| attention | plain, ms | bias | in a hand's region | fading everywhere | record | largest error | limit |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, (text, side, is_cross) in CASES.items():
        layout = layout_of(text, side // 4 if options.quick else side, is_cross)
        query, key, value, columns, weights = inputs_of(layout, options.heads, options.device, dtype)
        faded, hand = columns * weights.to(columns), hand_weights(layout)
        reached = hand.nonzero().flatten().tolist()
        reach = slice(reached[0], reached[-1] + 1)
        reach = slice(0, len(hand)) if is_cross else reach  # as in the nodes
        in_hand = columns * hand[reach].view(1, 1, -1, 1).to(columns)
        ones = (columns / ALPHA).transpose(-1, -2).expand_as(key).contiguous()

        def attend(query, mask, key=key, value=value):
            return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)

        def share(query, mask, key=key, ones=ones):
            return F.scaled_dot_product_attention(query, key, ones, attn_mask=mask)

        cases = {
            "plain": lambda: attend(query, None),  # noqa: B023  all run before the next of the loop
            "bias": lambda: attend_with_bias(attend, query, None, columns, layout.picture, 2),  # noqa: B023
            "hand": lambda: attend_with_bias(attend, query, None, in_hand, layout.part(reach), 2),  # noqa: B023
            "faded": lambda: attend_with_bias(attend, query, None, faded, layout.picture, 2),  # noqa: B023
            "record": lambda: (attend(query, None), attention_to(share, query, None, None, layout)),  # noqa: B023
        }
        with torch.inference_mode():
            error = (cases["bias"]().double() - in_float64(query, key, value, columns, layout)).abs().max()
            times = fastest(cases, options.rounds, options.device)
        ratios = " | ".join(f"{times[case] / times['plain']:.3f}" for case in ("bias", "hand", "faded", "record"))
        print(f"| {name} | {1000 * times['plain']:.0f} | {ratios} | {error:.1e} | {TARGET} |", flush=True)


if __name__ == "__main__":
    main()
