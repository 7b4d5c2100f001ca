"""Levenberg-Marquardt for many small problems at once, each with a damping of its own."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .keypoint_model import HandState

FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-2, 1e-9, 1e7
EASE, TIGHTEN = 0.15, 6.0


@dataclass(frozen=True, eq=False)
class Terms:
    """A cost `[B]` with half its gradient `[B, P]` and half its Gauss-Newton Hessian `[B, P, P]` by a step."""

    cost: Tensor
    gradient: Tensor
    hessian: Tensor

    def select(self, index: Tensor) -> "Terms":
        """Return the terms of an index, numbers `[K]` or bool `[B]`."""
        return Terms(self.cost[index], self.gradient[index], self.hessian[index])


def minimise(
    evaluate: Callable[[HandState, Tensor], Terms],
    move: Callable[[HandState, Tensor], HandState],
    start: HandState,
    iterations: int,
    tolerance: float,
) -> tuple[HandState, Tensor]:
    """Minimise the cost of each of B problems.

    A problem whose step lowers its cost by less than a share `tolerance` is finished and costs nothing from then on.

    Args:
        evaluate: Returns the terms of states; its second argument is the problem of each, indices into the B.
        move: Returns states after steps `[b, P]`.
        start: Where to start, B states of finite cost.
        iterations: At most so many steps are tried.
        tolerance: Relative gain that is not worth another step.

    Returns:
        The best states and their cost `[B]`.

    Source: Marquardt, "An Algorithm for Least-Squares Estimation of Nonlinear Parameters" (1963): the damping scales
    the Hessian's diagonal.
    """
    problem = torch.arange(len(start))
    state, terms = start, evaluate(start, problem)
    damping = torch.full_like(terms.cost, FIRST_DAMPING)
    best, best_cost = start.clone(), terms.cost.clone()
    for _ in range(iterations):
        trial = move(state, damped_step(terms, damping))
        tried = evaluate(trial, problem)
        better = tried.cost < terms.cost
        finished = better & (terms.cost - tried.cost <= tolerance * terms.cost)
        state, terms = keep(better, trial, state), keep(better, tried, terms)
        damping = torch.where(better, damping * EASE, damping * TIGHTEN).clamp(min=LEAST_DAMPING)
        finished |= damping > MOST_DAMPING
        best.put(problem, state)
        best_cost[problem] = terms.cost
        if finished.any():
            left = (~finished).nonzero()[:, 0]
            problem, damping = problem[left], damping[left]
            state, terms = state.select(left), terms.select(left)
        if len(problem) == 0:
            break
    return best, best_cost


def damped_step(terms: Terms, damping: Tensor) -> Tensor:
    """Return the steps `[B, P]` of normal equations with a damping `[B]` each; zero where they have no solution."""
    diagonal = terms.hessian.diagonal(dim1=1, dim2=2)
    system = terms.hessian + torch.diag_embed(damping[:, None] * diagonal + 1e-12)
    factor, failed = torch.linalg.cholesky_ex(system)
    step = -torch.cholesky_solve(terms.gradient[..., None], factor)[..., 0]
    usable = (failed == 0) & torch.isfinite(step).all(1)
    return torch.where(usable[:, None], step, torch.zeros_like(step))


def keep(better: Tensor, new, old):
    """Return a dataclass of tensors with the rows of `new` where `better`, bool `[B]`, says so, else those of `old`."""
    rows = {
        name: torch.where(better.view(-1, *[1] * (value.dim() - 1)), getattr(new, name), value)
        for name, value in vars(old).items()
    }
    return type(old)(**rows)
