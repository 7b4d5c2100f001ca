"""What all figures ask of their inputs."""

from torch import Tensor

from ..errors import SesaHandError


def check_pairs(found: Tensor, reference: Tensor, last: int = 3) -> None:
    """Raise a SesaHandError unless both are point sets `[N, P, last]` of the same shape with at least one point."""
    if found.ndim != 3 or found.shape != reference.shape or found.shape[-1] != last or not found.shape[1]:
        raise SesaHandError(
            f"Points of the shapes {list(found.shape)} and {list(reference.shape)} cannot be compared; expected "
            f"[samples, points, {last}] for both, with the same points in the same order."
        )


def check_known(found: Tensor, reference: Tensor) -> None:
    """Raise a SesaHandError unless both are point sets `[N, P, 3]` of the same shape and every value is finite."""
    check_pairs(found, reference)
    if not (found.isfinite().all() and reference.isfinite().all()):
        raise SesaHandError("Points hold NaN or infinite values; leave out the samples in which a point is unknown.")


def check_features(*sets: Tensor) -> None:
    """Raise a SesaHandError unless each is a set of finite feature vectors `[n, D]`, n at least 2, of one D."""
    for features in sets:
        if features.ndim != 2 or len(features) < 2 or features.shape[1] != sets[0].shape[1] or not features.shape[1]:
            raise SesaHandError(
                f"Features have the shapes {[list(each.shape) for each in sets]}; expected [pictures, D] with the same "
                "D for all and at least two pictures each."
            )
        if not features.isfinite().all():
            raise SesaHandError("Features hold NaN or infinite values; check the network and the pictures they are of.")
