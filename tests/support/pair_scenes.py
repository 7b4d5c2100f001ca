"""Small pictures with hands in them, for tests of sets of pairs."""

import torch

from sesahand.data.record import PairFacts
from sesahand.hands.loading import load_hand_model
from sesahand.hands.rotations import axis_angle_to_matrix
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import HandScene
from sesahand.semantics.behavior import BehaviorSemantics

MODEL = load_hand_model("builtin")


def make_scene(seed=0, sides=("right",), size=(64, 48), model=MODEL, frames=1, dtype=torch.float32) -> HandScene:
    """Return hands of these sides in front of the camera, in frames 0, 1, ... in turn."""
    generator = torch.Generator().manual_seed(seed)
    count = len(sides)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    upright = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    place = normal(count, 3) * torch.tensor([0.05, 0.03, 0.02]) + torch.tensor([0.0, 0.05, 0.6])
    return HandScene(
        model=model,
        camera=Camera.from_fov(*size, 50),
        num_frames=frames,
        frame=torch.arange(count) % frames,
        side=tuple(sides),
        global_orient=(axis_angle_to_matrix(0.3 * normal(count, 3)) @ upright).to(dtype),
        hand_pose=axis_angle_to_matrix(0.2 * normal(count, 15, 3)).to(dtype),
        betas=normal(count, 10).clamp(-2, 2).to(dtype),
        translation=place.to(dtype),
        score=torch.rand(count, generator=generator, dtype=torch.float64).to(dtype),
    )


def make_picture(seed=0, size=(64, 48)) -> torch.Tensor:
    """Return a picture `[H, W, 3]` of 8-bit levels."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (size[1], size[0], 3), generator=generator).float() / 255


def make_facts(seed=0) -> PairFacts:
    """Return facts of every kind."""
    return PairFacts(
        prompt=f"手 of a wo\u0308man, number {seed} \U0001f590",
        semantics=BehaviorSemantics("a woman sitting", "waving", "her right hand is open", "a café"),
        gesture="open_palm",
        seed=2**64 - 1 - seed,
        control_scales={"strength": 0.8, "alpha": 1.0},
        score=(seed % 11) / 10,
        detector_score=0.5,
        mse_2d=0.25,
        source="test",
    )


def assert_same_scene(first: HandScene, second: HandScene) -> None:
    """Check that two scenes agree bit by bit."""
    assert (first.camera, first.num_frames, first.side) == (second.camera, second.num_frames, second.side)
    assert first.model.name == second.model.name
    for name in HandScene.ARRAYS:
        assert torch.equal(getattr(first, name), getattr(second, name)), name
        assert getattr(first, name).dtype == getattr(second, name).dtype, name
