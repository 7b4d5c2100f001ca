"""What is repainted of a hand that was found, edited or posed; and hands as a crop sees them."""

from dataclasses import replace

import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.hands.gestures import gesture
from sesahand.hands.loading import load_hand_model
from sesahand.inpaint.crop import crop_to_mask, hands_in_crop
from sesahand.inpaint.repaint import mask_to_repaint
from sesahand.render.maps import render_maps
from sesahand.scene.camera import Camera
from sesahand.scene.fallback import frames_without_hands, hands_or_else
from sesahand.scene.hand_scene import HandScene, combine, concatenate_frames
from sesahand.scene.placing import Hand, place_in_box

MODEL, CAMERA = load_hand_model("builtin"), Camera.from_fov(320, 240)
BOX = (180.0, 90, 290, 220)


def hand(name="open_palm", box=BOX, camera=CAMERA):
    return place_in_box(Hand(MODEL, gesture(name)), camera, box)


def silhouette(scene):
    return render_maps(scene, maps=()).mask


def fingertip():
    """Return a mask over the upper eighth of the hand alone."""
    mask = silhouette(hand())
    mask[:, 106:] = 0
    assert mask.any()
    return mask


PICTURE = torch.zeros(1, 240, 320, 3)


def test_a_crop_around_a_finger_holds_the_whole_hand_that_belongs_to_it():
    _, without = crop_to_mask(PICTURE, fingertip(), 64, 64, 1.0)
    _, crop = crop_to_mask(PICTURE, fingertip(), 64, 64, 1.0, hand())
    left, top, right, bottom = crop.boxes[0].tolist()
    rows, columns = (silhouette(hand())[0] > 0).nonzero().unbind(1)
    assert left <= columns.min() and top <= rows.min() and right > columns.max() and bottom > rows.max()
    assert without.boxes[0, 3] < 150 and torch.equal(crop.pictures, without.pictures)
    assert crop.masks.max() == 1 and crop.masks[:, 32:].max() < 0.1, "the mask itself stays what it was"


def test_a_crop_sees_hands_where_the_picture_has_them():
    """The same pixels, drawn before the crop and cut out after the drawing."""
    _, crop = crop_to_mask(PICTURE, fingertip(), 192, 192, 1.3, hand())
    drawn = silhouette(hands_in_crop(hand(), crop))
    cut, _ = crop_to_mask(silhouette(hand())[..., None], fingertip(), 192, 192, 1.3, hand())
    overlap = (drawn > 0.5) & (cut[..., 0] > 0.5)
    assert overlap.sum() / ((drawn > 0.5) | (cut[..., 0] > 0.5)).sum() > 0.96


def test_hands_outside_the_picture_do_not_move_a_crop():
    aside = replace(hand(), translation=hand().translation + torch.tensor([5.0, 0, 0]))
    _, crop = crop_to_mask(PICTURE, fingertip(), 64, 64, 1.5, aside)
    assert torch.equal(crop.boxes, crop_to_mask(PICTURE, fingertip(), 64, 64, 1.5)[1].boxes)


def test_crops_at_different_places_have_no_one_camera():
    masks = torch.cat([fingertip(), fingertip().flip(2)])
    _, crop = crop_to_mask(PICTURE.expand(2, -1, -1, -1), masks, 64, 64, 1.5)
    with pytest.raises(SesaHandError, match="one picture at a time"):
        hands_in_crop(hand(), crop)
    with pytest.raises(SesaHandError, match="hands for 3 pictures"):
        crop_to_mask(PICTURE, fingertip(), 64, 64, 1.5, concatenate_frames([hand()] * 3))


class TestTheMaskToRepaint:
    crop = crop_to_mask(PICTURE, fingertip(), 192, 192, 1.3, hand())[1]

    def test_over_a_finger_it_stays_over_the_finger_while_the_hand_is_as_it_was_found(self):
        assert torch.allclose(mask_to_repaint(self.crop, hand(), hand()), self.crop.masks, atol=0.1)

    def test_a_hand_that_was_not_found_is_painted_whole(self):
        seen = silhouette(hands_in_crop(hand(), self.crop))
        for before in (None, HandScene.empty(MODEL, CAMERA)):
            mask = mask_to_repaint(self.crop, hand(), before)
            assert torch.allclose(mask, torch.maximum(seen, self.crop.masks), atol=0.1)

    def test_what_an_edited_finger_leaves_and_takes_is_painted_and_the_palm_is_not(self):
        edited, found = hand("fist", BOX), hand()
        edited = replace(found, hand_pose=edited.hand_pose)
        mask = mask_to_repaint(self.crop, edited, found)
        before, after = (silhouette(hands_in_crop(scene, self.crop)) > 0 for scene in (found, edited))
        assert mask[before != after].min() == 1 and mask[before & after & (self.crop.masks == 0)].max() == 0

    def test_it_grows_by_a_share_of_the_crop_whatever_its_size(self):
        for size in (96, 384):
            _, crop = crop_to_mask(PICTURE, fingertip(), size, size, 1.3, hand())
            rows = (mask_to_repaint(crop, hand(), hand(), 0.125)[0] > 0.5).any(1).nonzero()
            own = (crop.masks[0] > 0.5).any(1).nonzero()
            assert rows.max() - own.max() == size // 8

    def test_specks_do_not_grow(self):
        speckled = fingertip()
        speckled[0, 200, 200] = 1
        _, crop = crop_to_mask(PICTURE, speckled, 192, 192, 1.3, hand())
        assert crop.masks[0, 96:].any() and not mask_to_repaint(crop, hand(), hand(), 0.05)[0, 96:].any()

    @pytest.mark.parametrize("grow", [-0.1, 1.5, float("nan")])
    def test_a_share_is_within_one(self, grow):
        with pytest.raises(SesaHandError, match="grow is"):
            mask_to_repaint(self.crop, hand(), hand(), grow)


class TestHandsOrElse:
    def test_only_frames_without_hands_get_the_others(self):
        found = concatenate_frames([hand("fist"), HandScene.empty(MODEL, CAMERA), hand("fist")])
        filled = hands_or_else(found, hand("victory"))
        assert frames_without_hands(found) == [1] and frames_without_hands(filled) == []
        assert sorted(filled.frame.tolist()) == [0, 1, 2]
        [added] = filled.select(filled.frame == 1).hand_pose
        assert torch.equal(added, hand("victory").hand_pose[0])

    def test_with_no_hand_at_all_the_others_come_as_they_are_whatever_their_camera(self):
        other = hand("victory", camera=Camera.from_fov(320, 240, 25))
        assert hands_or_else(HandScene.empty(MODEL, CAMERA), other) is other

    def test_hands_in_every_frame_need_no_others(self):
        scene = combine([hand(), hand("fist")])
        assert hands_or_else(scene, hand("victory")) is scene

    def test_other_numbers_of_frames_are_refused(self):
        with pytest.raises(SesaHandError, match="3 frames, and other hands for 2"):
            hands_or_else(HandScene.empty(MODEL, CAMERA, 3), concatenate_frames([hand(), hand()]))


def test_what_is_kept_is_not_repainted_however_far_the_mask_grows():
    _, crop = crop_to_mask(PICTURE, silhouette(hand()), 96, 96, 1.3)
    whole = mask_to_repaint(crop, hand(), None, 0.1)
    keep = torch.zeros(1, 240, 320)
    keep[:, 120:160, 200:250] = 1
    left = mask_to_repaint(crop, hand(), None, 0.1, keep)
    seen, _ = crop_to_mask(keep[..., None], silhouette(hand()), 96, 96, 1.3)
    assert whole[seen[..., 0] > 0.9].min() == 1 and left[seen[..., 0] > 0.99].max() < 0.02
    away = seen[..., 0] < 0.01
    torch.testing.assert_close(left[away], whole[away], atol=0.02, rtol=0)
    assert torch.equal(mask_to_repaint(crop, hand(), None, 0.1, torch.zeros(1, 240, 320)), whole)


@pytest.mark.parametrize("shape", [(1, 96, 96), (2, 240, 320), (1, 1, 240, 320)])
def test_what_is_kept_of_other_pictures_is_an_error(shape):
    _, crop = crop_to_mask(PICTURE, silhouette(hand()), 96, 96, 1.3)
    with pytest.raises(SesaHandError, match="What is kept"):
        mask_to_repaint(crop, hand(), None, 0.1, torch.zeros(shape))
