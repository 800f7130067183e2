"""Muon for the weight matrices, AdamW for everything else."""

import math

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # quintic that drives singular values towards 1


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """[batch, rows, cols] -> the same with all singular values near 1 (0.7 to 1.2)."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x.bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.transpose(1, 2) if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised, scaled to the size that an AdamW update has.

    One group per matrix shape, so that a group's updates are one batched product.
    """

    def __init__(self, matrices: list[nn.Parameter], momentum: float, decay: float) -> None:
        by_shape: dict[torch.Size, list[nn.Parameter]] = {}
        for parameter in matrices:
            by_shape.setdefault(parameter.shape, []).append(parameter)
        groups = [{"params": group} for group in by_shape.values()]
        super().__init__(groups, {"lr": 0.0, "scale": 1.0, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            updates = []
            for parameter in group["params"]:
                grad = parameter.grad
                state = self.state[parameter]
                average = state.setdefault("average", torch.zeros_like(parameter))
                average.lerp_(grad, 1 - group["momentum"])
                updates.append(grad.lerp(average, group["momentum"]))  # Nesterov
            size = 0.2 * math.sqrt(max(updates[0].shape))
            for parameter, update in zip(group["params"], orthogonalise(torch.stack(updates))):
                parameter.mul_(1 - group["lr"] * group["decay"])
                parameter.add_(update, alpha=-group["lr"] * size)


def optimizers(model: nn.Module, decay: float) -> list[torch.optim.Optimizer]:
    """Each group's "scale" is its share of the learning rate, which train.py sets every step.

    AdamW moves every weight by about the learning rate, whatever its gradient. For the router that
    is too fast: its choices would change before the balancing bias can follow.
    """
    groups: dict[str, list[nn.Parameter]] = {"matrix": [], "router": [], "head": [], "other": []}
    for name, parameter in model.named_parameters():
        if name.endswith("_proj.weight"):
            groups["matrix"].append(parameter)
        elif name.endswith("mlp.gate.weight"):
            groups["router"].append(parameter)
        else:
            groups["head" if name == "lm_head.weight" else "other"].append(parameter)
    adam = [
        {"params": groups["router"], "scale": 0.1},
        {"params": groups["head"], "scale": 0.5},
        {"params": groups["other"], "scale": 1.0},
    ]
    return [
        Muon(groups["matrix"], momentum=0.95, decay=decay),
        torch.optim.AdamW(adam, lr=0.0, betas=(0.9, 0.95), weight_decay=0.0),
    ]
