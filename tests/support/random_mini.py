"""The small model with random weights, under which every engine has to compute the same."""

import torch


def randomised(module, seed):
    """Give every parameter values that keep the scale of what goes through, also those that start as zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if value.ndim > 1:
                fan = value[0].numel() if "embedding.weight" not in name else 1
                value.copy_(torch.randn(value.shape, generator=generator) * fan**-0.5)
            elif name.endswith("bias"):
                value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
    return module
