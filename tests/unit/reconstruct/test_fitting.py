"""Fitting against hands whose truth is known, its derivatives against autograd, its optimum against scipy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mano_fixture import write_mano
from seen_hands import landmarks_of, random_hands

from sesahand.errors import SesaHandError
from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.limits import angles_from_pose, joint_frames, joint_limits
from sesahand.hands.mano import load_mano
from sesahand.hands.rotations import axis_angle_to_matrix, mirror_rotation
from sesahand.reconstruct.fitting.fit import fit_hands, fit_usable_hands, refine_hands
from sesahand.reconstruct.fitting.fit_report import describe_fit
from sesahand.reconstruct.fitting.hand_prior import HandPrior
from sesahand.reconstruct.fitting.initial_guess import align_rotations, from_bones, from_library, swing
from sesahand.reconstruct.fitting.keypoint_model import NUM_PARAMETERS, HandState, KeypointModel
from sesahand.reconstruct.fitting.measurements import HUBER, NEAREST, Measurements, data_terms
from sesahand.reconstruct.fitting.one_thread import one_thread
from sesahand.reconstruct.landmarks import HandLandmarks
from sesahand.scene.camera import Camera

CAMERA = Camera.from_fov(512, 512)
NAN = float("nan")


@pytest.fixture(scope="module")
def builtin():
    return load_builtin_hand()


@pytest.fixture(scope="module")
def mano(tmp_path_factory):
    return load_mano(write_mano(tmp_path_factory.mktemp("mano")))


@pytest.fixture(params=["builtin", "mano"])
def model(request):
    return request.getfixturevalue(request.param)


def random_state(count: int = 3, seed: int = 0) -> HandState:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    place = torch.tensor([0.05, -0.02, 0.6], dtype=torch.float64) + 0.05 * normal(count, 3)
    return HandState(axis_angle_to_matrix(0.6 * normal(count, 16, 3)), place, normal(count, 10))


def aligned_error(found: torch.Tensor, truth: torch.Tensor) -> np.ndarray:
    """Return PA-MPJPE in millimetres of points `[N, 21, 3]`, computed with scipy's rotation alignment."""
    from scipy.spatial.transform import Rotation

    errors = []
    for got, want in zip(found.double().numpy(), truth.double().numpy(), strict=True):
        got, want = got - got.mean(0), want - want.mean(0)
        turned = Rotation.align_vectors(want, got)[0].apply(got)
        scale = (turned * want).sum() / (turned**2).sum()
        errors.append(1e3 * np.linalg.norm(scale * turned - want, axis=1).mean())
    return np.array(errors)


def without_depth(landmarks: HandLandmarks) -> HandLandmarks:
    return replace(landmarks, keypoints_3d=torch.full_like(landmarks.keypoints_3d, NAN))


class TestDerivatives:
    def test_keypoints_are_those_of_the_hand_model(self, model):
        state = random_state()
        ours = KeypointModel(model)(state)
        posed = model.to(torch.float64)(
            state.rotations[:, 0], state.rotations[:, 1:], state.betas, state.translation, torch.ones(3).bool()
        )
        assert (ours - posed.keypoints).abs().max() < 1e-12

    def test_the_jacobian_agrees_with_autograd(self, model):
        points, state = KeypointModel(model), random_state()
        value, jacobian = points.linearise(state)
        zero = torch.zeros(NUM_PARAMETERS, dtype=torch.float64)
        for hand in range(len(state)):
            one = state.select(torch.tensor([hand]))
            expected = torch.func.jacfwd(lambda step, one=one: points(points.moved(one, step[None]))[0])(zero)
            assert (jacobian[hand] - expected).abs().max() < 1e-13
        assert torch.equal(value, points(state))

    def test_a_step_turns_joints_about_their_anatomical_axes(self, builtin):
        from scipy.spatial.transform import Rotation

        points, state = KeypointModel(builtin), random_state(1)
        step = torch.zeros(1, NUM_PARAMETERS, dtype=torch.float64)
        step[0, 3 * 5 : 3 * 5 + 3] = torch.tensor([0.4, -0.2, 0.1])
        axis = points.frames[5].numpy() @ [0.4, -0.2, 0.1]
        expected = Rotation.from_matrix(state.rotations[0, 5].numpy()) * Rotation.from_rotvec(axis)
        moved = points.moved(state, step)
        assert np.allclose(moved.rotations[0, 5].numpy(), expected.as_matrix(), atol=1e-12)
        others = [joint for joint in range(16) if joint != 5]
        assert torch.allclose(moved.rotations[0, others], state.rotations[0, others], atol=1e-14)

    def test_the_priors_derivatives_agree_with_autograd(self, builtin):
        points, state = KeypointModel(builtin), random_state()
        prior = HandPrior(points.frames)
        cost, gradient, hessian = prior(state)
        zero = torch.zeros(NUM_PARAMETERS, dtype=torch.float64)
        for hand in range(len(state)):
            one = state.select(torch.tensor([hand]))

            def half_cost(step, one=one):
                return prior(points.moved(one, step[None]))[0][0] / 2

            expected = torch.func.jacrev(half_cost)(zero)
            assert torch.allclose(gradient[hand], expected, atol=1e-9 * float(cost[hand]))
        assert torch.allclose(hessian, hessian.mT) and bool((torch.linalg.eigvalsh(hessian) > -1e-6).all())

    def test_the_datas_derivatives_agree_with_autograd_also_for_outliers_and_unknown_points(self, builtin):
        scene = random_hands(builtin, CAMERA, 3)
        landmarks = landmarks_of(scene, 3, 0.008)
        landmarks.keypoints_2d[0, 4] += 200
        landmarks.keypoints_2d[1, 7:9] = NAN
        landmarks.keypoints_3d[1, 12] = NAN
        landmarks.keypoints_3d[2] = NAN
        points, seen = KeypointModel(builtin), Measurements.of(landmarks, CAMERA)
        noise = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
        state = from_bones(seen, points)
        terms, _ = data_terms(seen, points, state, noise)
        zero = torch.zeros(NUM_PARAMETERS, dtype=torch.float64)
        for hand in range(3):
            pick = torch.tensor([hand])

            def half_cost(step, pick=pick):
                moved = points.moved(state.select(pick), step[None])
                return data_terms(seen.select(pick), points, moved, noise[pick])[0].cost[0] / 2

            expected = torch.func.jacrev(half_cost)(zero)
            assert torch.allclose(terms.gradient[hand], expected, rtol=1e-6, atol=1e-9 * float(terms.cost[hand]))

    def test_a_hand_behind_the_camera_costs_infinitely(self, builtin):
        scene = random_hands(builtin, CAMERA, 1)
        points, seen = KeypointModel(builtin), Measurements.of(landmarks_of(scene), CAMERA)
        state = from_bones(seen, points)
        behind = replace(state, translation=state.translation * -1)
        cost = [data_terms(seen, points, place, torch.ones(1).double())[0].cost.item() for place in (state, behind)]
        assert np.isfinite(cost[0]) and np.isinf(cost[1])


class TestAccuracy:
    def test_exact_landmarks_give_back_the_hand(self, model):
        scene = random_hands(model, CAMERA, 46)
        fitted = fit_hands(landmarks_of(scene), model, CAMERA)
        error = aligned_error(fitted.scene.pose().keypoints, scene.pose().keypoints)
        assert np.median(error) < 0.1 and np.quantile(error, 0.95) < 2
        assert (fitted.scene.pose().keypoints - scene.pose().keypoints).norm(dim=-1).median() < 1e-3
        assert fitted.reprojection_error.max() < 0.1 and fitted.relative_error.max() < 1e-3
        assert not fitted.depth_is_ambiguous.any()

    def test_noisy_landmarks_give_a_better_hand_than_they_are(self, model):
        scene = random_hands(model, CAMERA, 46)
        landmarks = landmarks_of(scene, 3.0, 0.008)
        fitted = fit_hands(landmarks, model, CAMERA)
        truth = scene.pose().keypoints
        error = aligned_error(fitted.scene.pose().keypoints, truth)
        assert error.mean() < 4 < 0.5 * aligned_error(landmarks.keypoints_3d, truth).mean()

    def test_points_in_the_picture_alone_leave_the_depth_open(self, builtin):
        scene = random_hands(builtin, CAMERA, 46)
        fitted = fit_hands(without_depth(landmarks_of(scene)), builtin, CAMERA)
        error = aligned_error(fitted.scene.pose().keypoints, scene.pose().keypoints)
        assert fitted.depth_is_ambiguous.all() and error.mean() < 8
        assert fitted.relative_error.mean() < 0.01

    def test_a_left_hand_is_the_mirror_image_of_the_right_hand_in_a_mirror(self, builtin):
        landmarks = landmarks_of(random_hands(builtin, CAMERA, 8), 2.0, 0.004)
        flip = torch.tensor([-1.0, 1.0])
        mirrored = replace(
            landmarks,
            side=tuple("left" if side == "right" else "right" for side in landmarks.side),
            keypoints_2d=landmarks.keypoints_2d * flip + torch.tensor([512.0, 0.0]),
            keypoints_3d=landmarks.keypoints_3d * torch.tensor([-1.0, 1.0, 1.0]),
        )
        one, other = fit_hands(landmarks).scene, fit_hands(mirrored).scene
        assert torch.allclose(mirror_rotation(one.hand_pose), other.hand_pose, atol=1e-4)
        assert torch.allclose(mirror_rotation(one.global_orient), other.global_orient, atol=1e-4)
        assert torch.allclose(one.betas, other.betas, atol=1e-3)

    def test_the_hamer_camera_sees_the_same_hand_far_away(self, builtin):
        camera = Camera.hamer(512, 512)
        landmarks = landmarks_of(random_hands(builtin, CAMERA, 12))
        fitted = fit_hands(landmarks, builtin, camera)
        assert fitted.scene.camera == camera and fitted.relative_error.max() < 0.05
        near = fit_hands(landmarks, builtin, CAMERA).scene.translation[:, 2]
        ratio = fitted.scene.translation[:, 2] / near / (camera.focal_length / CAMERA.focal_length)
        assert ((ratio > 0.7) & (ratio < 1.4)).all()

    def test_the_optimum_is_scipys_too(self, builtin):
        from scipy.optimize import minimize

        landmarks = landmarks_of(random_hands(builtin, CAMERA, 1), 3.0)
        landmarks = without_depth(landmarks)
        fitted = fit_hands(landmarks, builtin, CAMERA).scene
        points, seen = KeypointModel(builtin), Measurements.of(landmarks, CAMERA)
        prior, one = HandPrior(points.frames), torch.ones(1, dtype=torch.float64)
        rotations = torch.cat([fitted.global_orient[:, None], fitted.hand_pose], 1).double()
        start = HandState(rotations, fitted.translation.double(), fitted.betas.double())

        def cost(step):
            moved = points.moved(start, torch.from_numpy(step)[None])
            data, _ = data_terms(seen, points, moved, one)
            return float(data.cost + prior(moved)[0])

        at_fit = cost(np.zeros(NUM_PARAMETERS))
        found = minimize(cost, np.zeros(NUM_PARAMETERS), method="L-BFGS-B", options={"maxiter": 30})
        assert at_fit - found.fun < 1e-3 * at_fit

    def test_joints_stay_near_what_joints_can_do(self, builtin):
        landmarks = landmarks_of(random_hands(builtin, CAMERA, 23), 6.0, 0.02)
        scene = fit_hands(landmarks, builtin, CAMERA).scene
        left = ~scene.is_right[:, None, None, None]
        pose = torch.where(left, mirror_rotation(scene.hand_pose), scene.hand_pose)
        angles = angles_from_pose(pose, joint_frames(builtin))
        low, high = joint_limits().unbind(-1)
        beyond = torch.maximum(low - angles, angles - high).clamp(min=0)
        assert torch.rad2deg(beyond).quantile(0.99) < 5


class TestDifficultLandmarks:
    def test_unknown_points_are_left_out(self, builtin):
        scene = random_hands(builtin, CAMERA, 12)
        landmarks = landmarks_of(scene)
        landmarks.keypoints_2d[:, [8, 20]] = NAN
        landmarks.keypoints_3d[:, [8, 15]] = NAN
        fitted = fit_hands(landmarks, builtin, CAMERA)
        known = [k for k in range(21) if k not in (7, 8, 20, 15)]
        off = aligned_error(fitted.scene.pose().keypoints[:, known], scene.pose().keypoints[:, known])
        assert np.median(off) < 0.5 and not fitted.depth_is_ambiguous.any()

    def test_one_wrong_point_does_not_pull_the_others_away(self, builtin):
        scene = random_hands(builtin, CAMERA, 12)
        landmarks = landmarks_of(scene)
        landmarks.keypoints_2d[:, 12] += 80
        fitted = fit_hands(landmarks, builtin, CAMERA)
        others = [k for k in range(21) if k not in (9, 10, 11, 12)]
        off = fitted.scene.camera.project(fitted.scene.pose().keypoints) - scene.camera.project(scene.pose().keypoints)
        assert off[:, others].norm(dim=-1).median() < 2

    def test_each_hand_is_fitted_as_if_it_were_alone(self, builtin):
        landmarks = landmarks_of(random_hands(builtin, CAMERA, 6), 2.0, 0.005)
        landmarks.keypoints_3d[[1, 4]] = NAN
        together = fit_hands(landmarks, builtin, CAMERA)
        for hand in range(6):
            alone = fit_hands(landmarks.select([hand]), builtin, CAMERA)
            assert torch.allclose(alone.scene.hand_pose[0], together.scene.hand_pose[hand], atol=1e-3)
            assert alone.depth_is_ambiguous.tolist() == together.depth_is_ambiguous[[hand]].tolist()
        assert together.depth_is_ambiguous.tolist() == [False, True, False, False, True, False]

    def test_order_frames_sides_and_scores_are_the_landmarks(self, builtin):
        landmarks = landmarks_of(random_hands(builtin, CAMERA, 4)).select([3, 0, 2])
        scene = fit_hands(landmarks, builtin, CAMERA).scene
        assert scene.side == landmarks.side and scene.num_frames == 4
        assert torch.equal(scene.frame, landmarks.frame) and torch.equal(scene.score, landmarks.score)

    def test_no_hands_give_no_hands(self):
        fitted = fit_hands(HandLandmarks.empty(64, 48, 3))
        assert len(fitted.scene) == 0 and fitted.scene.num_frames == 3
        assert fitted.reprojection_error.shape == fitted.relative_error.shape == (0,)

    @pytest.mark.parametrize("scale", [1e-3, 30.0])
    def test_a_speck_and_a_hand_larger_than_the_picture_still_get_a_hand(self, builtin, scale):
        landmarks = landmarks_of(random_hands(builtin, CAMERA, 2))
        middle = landmarks.keypoints_2d.mean(1, keepdim=True)
        size = (landmarks.box[:, 2:] - landmarks.box[:, :2]).amax(1)[:, None, None]
        target = 2.0 if scale < 1 else scale * 512
        seen = (landmarks.keypoints_2d - middle) / size * target + middle
        scene = fit_hands(replace(landmarks, keypoints_2d=seen), builtin, CAMERA).scene
        assert (scene.pose().keypoints[..., 2] > NEAREST / 2).all()

    def test_nonsense_gives_a_finite_hand_in_front_of_the_camera(self, builtin):
        generator = torch.Generator().manual_seed(0)
        landmarks = landmarks_of(random_hands(builtin, CAMERA, 16))
        seen = 512 * torch.rand(16, 21, 2, generator=generator)
        relative = torch.randn(16, 21, 3, generator=generator)
        scene = fit_hands(replace(landmarks, keypoints_2d=seen, keypoints_3d=relative), builtin, CAMERA).scene
        assert (scene.pose().keypoints[..., 2] > NEAREST / 2).all()

    def test_what_shows_no_hand_is_refused_by_name(self, builtin):
        landmarks = landmarks_of(random_hands(builtin, CAMERA, 2))
        spot, few = landmarks.keypoints_2d.clone(), landmarks.keypoints_2d.clone()
        spot[1], few[1, 3:] = 7.0, NAN
        with pytest.raises(SesaHandError, match=r"Hand 1 \(the left one in picture 1\).*within 0 pixels"):
            fit_hands(replace(landmarks, keypoints_2d=spot), builtin, CAMERA)
        with pytest.raises(SesaHandError, match="Hand 1 .* has 3 known points, expected at least 4"):
            fit_hands(replace(landmarks, keypoints_2d=few), builtin, CAMERA)
        with pytest.raises(SesaHandError, match="infinite"):
            fit_hands(replace(landmarks, keypoints_2d=spot / 0), builtin, CAMERA)
        with pytest.raises(SesaHandError, match="Hand 0 .* 3D points"):
            fit_hands(replace(landmarks, keypoints_3d=torch.zeros(2, 21, 3)), builtin, CAMERA)
        with pytest.raises(SesaHandError, match="512x512.*640x512|640x512.*512x512"):
            fit_hands(landmarks, builtin, Camera.from_fov(640, 512))
        with pytest.raises(SesaHandError, match="at least one place"):
            fit_hands(landmarks, builtin, CAMERA, starts=0)

    def test_one_that_shows_no_hand_is_left_out_with_a_warning_and_the_others_are_fitted(self, builtin, caplog):
        landmarks = landmarks_of(random_hands(builtin, CAMERA, 3))
        spot = landmarks.keypoints_2d.clone()
        spot[1] = 7.0
        fitted = fit_usable_hands(replace(landmarks, keypoints_2d=spot), builtin, CAMERA)
        alone = fit_hands(landmarks.select([0, 2]), builtin, CAMERA).scene
        assert torch.equal(fitted.scene.hand_pose, alone.hand_pose)
        assert fitted.scene.frame.tolist() == [0, 2] and fitted.scene.num_frames == 3
        [fault] = fitted.left_out
        assert "Hand 1 (the left one in picture 1)" in fault and "Leave it out" not in fault
        assert f"left out: {fault}" in describe_fit(fitted).splitlines()
        assert [record.getMessage() for record in caplog.records] == [f"{fault} It was left out."]

    def test_where_none_shows_a_hand_there_are_none(self, builtin):
        landmarks = landmarks_of(random_hands(builtin, CAMERA, 2))
        fitted = fit_usable_hands(replace(landmarks, keypoints_2d=torch.full((2, 21, 2), 7.0)), builtin, CAMERA)
        assert len(fitted.scene) == 0 and len(fitted.left_out) == 2
        assert describe_fit(fitted).startswith("no hands\nleft out: Hand 0")

    def test_boxes_alone_are_no_points_to_fit_to(self, builtin):
        landmarks = landmarks_of(random_hands(builtin, CAMERA, 2))
        with pytest.raises(SesaHandError, match="0 known points.*learned reconstructor"):
            fit_usable_hands(replace(landmarks, keypoints_2d=torch.full((2, 21, 2), NAN)), builtin, CAMERA)

    def test_the_input_is_left_as_it_was(self, builtin):
        landmarks = landmarks_of(random_hands(builtin, CAMERA, 3))
        landmarks.keypoints_3d[1] = NAN
        before = {name: getattr(landmarks, name).clone() for name in HandLandmarks.SHAPES}
        fit_hands(landmarks, builtin, CAMERA)
        for name, value in before.items():
            assert torch.equal(torch.nan_to_num(value), torch.nan_to_num(getattr(landmarks, name)))

    def test_the_number_of_threads_is_given_back_also_after_an_error(self):
        before = torch.get_num_threads()
        with pytest.raises(ZeroDivisionError), one_thread():
            assert torch.get_num_threads() == 1
            raise ZeroDivisionError
        assert torch.get_num_threads() == before

    def test_progress_is_told_and_can_end_the_fit(self, builtin):
        landmarks, told = landmarks_of(random_hands(builtin, CAMERA, 3)), []
        fit_hands(landmarks, builtin, CAMERA, on_progress=lambda done, total: told.append((done, total)))
        assert told[-1] == (3, 3)

        def stop(done, total):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit_hands(landmarks, builtin, CAMERA, on_progress=stop)


class TestStarts:
    def test_rotations_are_aligned_as_scipy_does(self):
        from scipy.spatial.transform import Rotation

        generator = np.random.default_rng(2)
        points, target, weight = generator.normal(size=(5, 3)), generator.normal(size=(5, 3)), generator.random(5)
        ours = align_rotations(*(torch.from_numpy(array) for array in (points, target, weight)))
        middle = [(weight[:, None] * array).sum(0) / weight.sum() for array in (points, target)]
        expected = Rotation.align_vectors(target - middle[1], points - middle[0], weight)[0]
        assert np.allclose(ours.numpy(), expected.as_matrix(), atol=1e-7)

    def test_a_swing_turns_one_direction_into_another_by_the_least_angle(self):
        generator = torch.Generator().manual_seed(1)
        start, end = torch.randn(2, 10, 3, generator=generator, dtype=torch.float64)
        turned = (swing(start, end) @ start[..., None])[..., 0]
        assert torch.allclose(
            torch.nn.functional.normalize(turned, dim=-1), torch.nn.functional.normalize(end, dim=-1), atol=1e-9
        )
        assert torch.allclose(swing(start, torch.zeros_like(start)), torch.eye(3).double())

    @pytest.mark.parametrize("in_space", [True, False])
    def test_the_library_holds_a_hand_much_like_the_one_seen(self, builtin, in_space):
        scene = random_hands(builtin, CAMERA, 23)
        points, seen = KeypointModel(builtin), Measurements.of(landmarks_of(scene), CAMERA)
        guess = points(from_library(seen, points, 3, in_space)).unflatten(0, (23, 3))
        assert guess.shape == (23, 3, 21, 3) and (guess[..., 2] > NEAREST).all()
        off = (guess[..., :2] / guess[..., 2:] - seen.rays[:, None]).norm(dim=-1).mean(-1)
        assert (off.amin(1) * CAMERA.focal_length).median() < 20

    def test_bones_are_followed_within_the_joints_limits(self, builtin):
        scene = random_hands(builtin, CAMERA, 23)
        points, seen = KeypointModel(builtin), Measurements.of(landmarks_of(scene), CAMERA)
        error = aligned_error(points(from_bones(seen, points)), seen.points)
        assert np.median(error) < 6

    def test_a_networks_hands_lend_their_depth(self, builtin):
        scene = random_hands(builtin, CAMERA, 8)
        landmarks = without_depth(landmarks_of(scene))
        refined = refine_hands(scene, landmarks, model=builtin, camera=CAMERA)
        assert aligned_error(refined.scene.pose().keypoints, scene.pose().keypoints).max() < 0.1
        with pytest.raises(SesaHandError, match="one each"):
            refine_hands(scene.select([0]), landmarks)


def test_huber_bounds_the_pull_of_a_point(builtin):
    """A point ten times farther off than the loss's bend pulls as much as one a hundred times farther off."""
    scene = random_hands(builtin, CAMERA, 1)
    points = KeypointModel(builtin)
    pulls = []
    for off in (10, 100):
        landmarks = without_depth(landmarks_of(scene))
        seen = Measurements.of(landmarks, CAMERA)
        state = from_library(seen, points, 1, False)
        exact = points(state)
        rays = exact[..., :2] / exact[..., 2:]
        rays[0, 8, 0] += off * HUBER * seen.noise_2d[0]
        terms, _ = data_terms(replace(seen, rays=rays), points, state, torch.ones(1).double())
        pulls.append(terms.gradient.norm())
    assert torch.allclose(pulls[0], pulls[1], rtol=1e-6)
