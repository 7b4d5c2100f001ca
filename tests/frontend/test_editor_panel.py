"""The hand editor's panel in a bare page: what its controls do to the text, as the library reads it."""

import base64
import re

import pytest
import torch
from browser import NoBrowser
from editor_page import Panel, open_browser, served

from sesahand.hands.gestures import gesture
from sesahand.hands.limits import angles_from_pose, joint_frames, joint_limits
from sesahand.hands.pose import blend
from sesahand.hands.rotations import mirror_rotation
from sesahand.scene.hand_scene import HandScene
from sesahand.scene.placing import view_rotation

LIMIT_TOLERANCE = 2e-6
# What is written keeps steps of a nanoradian, and poses are in single precision.
WRITTEN = 3e-6


@pytest.fixture(scope="module")
def browser():
    try:
        with open_browser() as opened:
            yield opened
    except NoBrowser as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def url():
    with served() as address:
        yield address


@pytest.fixture(scope="module")
def large(browser, url):
    panel = Panel(browser.new_page(viewport={"width": 360, "height": 900}), url)
    panel.open_sections()
    yield panel
    assert panel.problems == []


@pytest.fixture
def panel(large):
    large.start()
    return large


def scene_of(panel) -> HandScene:
    """The hands of the text that was written last, within their limits."""
    scene = HandScene.from_json(panel.written()[-1])
    low, high = joint_limits().unbind(-1)
    angles = angles_from_pose(pose_of(scene), joint_frames())
    assert torch.maximum(low - angles, angles - high).max() < LIMIT_TOLERANCE
    return scene


def pose_of(scene, index: int = 0):
    pose = scene.hand_pose[index]
    return pose if scene.side[index] == "right" else mirror_rotation(pose)


def slider(panel, group: str, label: str):
    return panel.page.locator(f".sesahand-{group} .sesahand-row", has_text=re.compile(f"^{label}\\b"))


def tile(panel, title: str):
    return panel.page.locator(".sesahand-tile", has=panel.page.get_by_text(title, exact=True))


def test_a_slide_is_shown_at_once_and_written_once(panel):
    row = slider(panel, "curls", "Index")
    box = row.locator("input[type=range]").bounding_box()
    mouse, y = panel.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + 8, y)
    mouse.down()
    for share in (0.9, 0.2, 0.5):
        mouse.move(box["x"] + share * box["width"], y)
        assert panel.written() == []
    shown = float(row.locator("input[type=number]").input_value())
    mouse.up()
    assert len(panel.written()) == 1
    flexion = angles_from_pose(pose_of(scene_of(panel)), joint_frames())[:3, 0].sum()
    fist = angles_from_pose(gesture("fist"), joint_frames())[:3, 0].sum()
    assert 0.4 < shown < 0.6 and abs(flexion / fist - shown) < 0.01


def test_keys_slide_in_steps_and_each_is_said(panel):
    row = slider(panel, "spreads", "Ring")
    row.locator("input[type=range]").focus()
    before = float(row.locator("input[type=number]").input_value())
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowLeft"):
        panel.page.keyboard.press(key)
    assert abs(float(row.locator("input[type=number]").input_value()) - before + 0.08) < 0.011
    assert len(panel.written()) == 3 and all(said.startswith("Ring: ") for said in panel.said())


def test_no_number_that_is_typed_leaves_the_limits(panel):
    panel.page.locator(".sesahand-joint select").select_option(label="Thumb: first joint")
    for group, label in (("joint", "Bend"), ("joint", "Sideways"), ("spreads", "Little"), ("thumb", "Opposition")):
        for typed in ("999", "-999"):
            slider(panel, group, label).locator("input[type=number]").fill(typed)
            panel.page.keyboard.press("Enter")
            scene_of(panel)
    assert len(panel.written()) == 8


def test_a_joint_is_bent_in_degrees_and_no_other_joint_moves(panel):
    panel.page.locator(".sesahand-joint select").select_option(label="Middle: middle joint")
    slider(panel, "joint", "Bend").locator("input[type=number]").fill("41")
    panel.page.keyboard.press("Enter")
    pose = pose_of(scene_of(panel))
    assert abs(torch.rad2deg(angles_from_pose(pose, joint_frames())[4, 0]) - 41) < 1e-3
    same = (pose - gesture("open_palm")).abs().amax((1, 2)) < WRITTEN
    assert same.tolist() == [joint != 4 for joint in range(15)]


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_gesture_is_found_by_what_people_call_it_and_taken_by_keys(panel, side):
    panel.start(side)
    search = panel.page.locator(".sesahand-search")
    search.fill("peace")
    assert panel.page.locator(".sesahand-tile").all_inner_texts() == ["Victory"]
    search.press("Enter")
    assert (pose_of(scene_of(panel)) - gesture("victory")).abs().max() < WRITTEN
    assert panel.page.locator(".sesahand-tile").get_attribute("aria-selected") == "true"
    search.press("Escape")
    assert panel.page.locator(".sesahand-tile").count() > 20 and scene_of(panel).side == (side,)


def test_arrows_walk_through_the_gallery_as_it_looks(panel):
    search = panel.page.locator(".sesahand-search")
    search.focus()
    tiles = panel.page.locator(".sesahand-tile")
    columns = len({round(tile.bounding_box()["x"]) for tile in tiles.all()})
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp"):
        search.press(key)
    assert search.get_attribute("aria-activedescendant") == tiles.nth(1).get_attribute("id") and columns > 1
    search.press("Escape")


def test_every_gesture_has_a_picture(panel):
    tiles = panel.page.locator(".sesahand-tile")
    tiles.last.scroll_into_view_if_needed()
    panel.page.wait_for_function(
        """() => { const canvas = [...document.querySelectorAll(".sesahand-tile canvas")].at(-1);
            const {width, height} = canvas;
            return canvas.getContext("2d").getImageData(0, 0, width, height).data.some(value => value > 0); }"""
    )
    tiles.first.scroll_into_view_if_needed()


def test_a_locked_finger_stays_whatever_is_done(panel):
    panel.page.get_by_label("Lock: Index").check()
    tile(panel, "Fist").click()
    changed = (pose_of(scene_of(panel)) - gesture("open_palm")).abs().amax((1, 2)) > WRITTEN
    assert not changed[:3].any() and changed[3:6].any()
    assert slider(panel, "curls", "Index").locator("input[type=range]").is_disabled()


def test_the_pad_closes_the_hand_to_a_fist_and_gives_it_back(panel):
    field = panel.page.locator(".sesahand-pad-field")
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    middle, mouse = box["x"] + box["width"] / 2, panel.page.mouse
    mouse.move(middle, box["y"] + 5)
    mouse.down()
    mouse.move(middle, box["y"] + box["height"] + 30)
    mouse.up()
    assert len(panel.written()) == 1
    closed = angles_from_pose(pose_of(scene_of(panel)), joint_frames())
    assert (closed - angles_from_pose(gesture("fist"), joint_frames()))[:, 0].abs().max() < 1e-3
    panel.page.keyboard.press("ArrowUp")
    panel.page.keyboard.press("ArrowRight")
    assert len(panel.written()) == 3
    scene_of(panel)


def test_mixing_is_the_librarys_blend_and_can_be_taken_back(panel):
    panel.page.locator(".sesahand-mix select").select_option(label="Fist")
    share = panel.page.locator(".sesahand-mix input[type=number]")
    share.scroll_into_view_if_needed()
    box = panel.page.locator(".sesahand-mix input[type=range]").bounding_box()
    panel.page.mouse.move(box["x"] + 8, box["y"] + 12)
    panel.page.mouse.down()
    panel.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 12)
    assert 0.4 < float(share.input_value()) < 0.6
    panel.page.mouse.up()
    for typed in (0.8, 0.35):
        share.fill(str(typed))
        share.press("Enter")
    expected = blend(gesture("open_palm"), gesture("fist"), 0.35)
    assert (pose_of(scene_of(panel)) - expected).abs().max() < 1e-5
    share.fill("0")
    share.press("Enter")
    assert (pose_of(scene_of(panel)) - gesture("open_palm")).abs().max() < WRITTEN
    tile(panel, "Point").click()
    assert share.input_value() == "0", "it starts anew from what something else made"


def test_a_hand_is_put_turned_and_sized_as_the_fields_say(panel):
    for label, typed in (("Roll", 30), ("Yaw", 180), ("Pitch", -20), ("Size", 50), ("X", 300), ("Y", 200)):
        slider(panel, "place", label).locator("input[type=number]").fill(str(typed))
        panel.page.keyboard.press("Enter")
    scene = scene_of(panel)
    assert (scene.global_orient[0] - view_rotation("right", 30, -20, 180)).abs().max() < WRITTEN
    knuckle = scene.camera.project(scene.pose().keypoints[0])[9]
    assert (knuckle - torch.tensor([300.0, 200.0])).abs().max() < 1e-2
    shown = [slider(panel, "place", label).locator("input[type=number]").input_value() for label in ("Size", "Yaw")]
    assert shown == ["50", "180"]


def test_another_lens_and_picture_keep_the_hand_where_it_is(panel):
    before = HandScene.from_json(panel.page.evaluate("window.page.editor.facts.default_scene"))
    was = before.camera.project(before.pose().keypoints[0])[9] / torch.tensor([512.0, 512.0])
    for name, typed in (("Width", 1024), ("Height", 1024)):
        panel.page.locator(".sesahand-side", has_text=name).locator("input").fill(str(typed))
        panel.page.keyboard.press("Enter")
    slider(panel, "picture", "Lens angle").locator("input[type=number]").fill("70")
    panel.page.keyboard.press("Enter")
    scene = scene_of(panel)
    assert (scene.camera.width, scene.camera.height) == (1024, 1024) and len(panel.written()) == 3
    knuckle = scene.camera.project(scene.pose().keypoints[0])[9] / torch.tensor([1024.0, 1024.0])
    assert (knuckle - was).abs().max() < 1e-4


def test_presets_are_kept_under_any_name_and_found_among_the_gestures(panel):
    page = panel.page
    tile(panel, "Ok").click()
    name = page.get_by_placeholder("Name of the preset")
    name.fill('<img src=x onerror="page.hacked = true">')
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector(".sesahand-tile.sesahand-own")
    tile(panel, "Fist").click()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Replace it?").blur()
    page.locator(".sesahand-own").click()
    assert (pose_of(scene_of(panel)) - gesture("ok")).abs().max() < WRITTEN
    assert page.locator("img").count() == 0 and page.evaluate("page.hacked") is None
    remove = page.locator(".sesahand-presets").get_by_role("button", name=re.compile("Delete|Really"))
    remove.click()
    assert page.locator(".sesahand-own").count() == 1, "the first press only asks"
    remove.click()
    page.wait_for_function("document.querySelectorAll('.sesahand-own').length === 0")


def test_a_preset_comes_from_a_file_and_goes_into_one(panel, tmp_path):
    page = panel.page
    taken = HandScene.from_json(page.evaluate("window.page.editor.facts.default_scene"))
    file = tmp_path / "my grip.json"
    file.write_text(taken.to_json(), encoding="utf-8")
    page.locator(".sesahand-presets input[type=file]").set_input_files(file)
    page.wait_for_selector(".sesahand-own")
    with page.expect_download() as download:
        page.locator(".sesahand-presets").get_by_role("button", name="Save as file").click()
    assert download.value.suggested_filename == "my grip.json"
    given = HandScene.from_json(download.value.path().read_text(encoding="utf-8"))
    assert (given.hand_pose - taken.hand_pose).abs().max() < WRITTEN
    page.locator(".sesahand-presets input[type=file]").set_input_files(file)
    page.wait_for_function("document.querySelectorAll('.sesahand-own').length === 2")
    assert page.locator(".sesahand-own").all_inner_texts() == ["my grip", "my grip 2"]
    (tmp_path / "broken.json").write_text("[[[", encoding="utf-8")
    page.locator(".sesahand-presets input[type=file]").set_input_files(tmp_path / "broken.json")
    page.wait_for_selector(".sesahand-presets .sesahand-error")
    for left in (1, 0):
        for _ in range(2):
            page.locator(".sesahand-presets").get_by_role("button", name=re.compile("Delete|Really")).click()
        page.wait_for_function(f"document.querySelectorAll('.sesahand-own').length === {left}")


def test_a_text_counts_once_it_is_a_scene(panel):
    page, field = panel.page, panel.page.locator("textarea")
    apply = page.get_by_role("button", name="Apply")
    good = field.input_value()
    field.fill(good.replace('"side": "right"', '"side": "both"'))
    assert apply.is_disabled() and field.get_attribute("aria-invalid") == "true"
    assert "side" in page.locator(".sesahand-scene .sesahand-error").inner_text() and panel.written() == []
    slider(panel, "curls", "Index").locator("input[type=number]").fill("1")
    page.keyboard.press("Enter")
    assert '"both"' in field.input_value(), "what somebody is writing is not taken away"
    field.fill(good.replace('"width": 512', '"width": 640'))
    apply.click()
    assert scene_of(panel).camera.width == 640 and len(panel.written()) == 2
    assert apply.is_disabled() and '"width": 640' in field.input_value()


def test_a_scene_comes_from_a_file_and_goes_into_one(panel, tmp_path):
    page = panel.page
    scene = HandScene.from_json(page.evaluate("window.page.editor.facts.default_scene"))
    file = tmp_path / "scene.json"
    file.write_text(scene.resized(1024, 1024).to_json(), encoding="utf-8")
    page.locator(".sesahand-scene input[type=file]").set_input_files(file)
    page.wait_for_function("window.page.written.length === 1")
    assert scene_of(panel).camera.width == 1024
    with page.expect_download() as download:
        page.locator(".sesahand-scene").get_by_role("button", name="Save as file").click()
    assert download.value.path().read_text(encoding="utf-8") == panel.written()[-1]


def test_a_picture_is_put_behind_the_hands_and_the_scene_fits_it(panel):
    page = panel.page
    fit = page.get_by_role("button", name="Fit to picture")
    assert fit.is_disabled()
    drawn = page.evaluate(
        """() => { const canvas = Object.assign(document.createElement("canvas"), {width: 300, height: 150});
            canvas.getContext("2d").fillRect(0, 0, 9, 9); return canvas.toDataURL().split(",")[1]; }"""
    )
    picture = {"name": "p.png", "mimeType": "image/png", "buffer": base64.b64decode(drawn)}
    page.locator(".sesahand-background input[type=file]").set_input_files(picture)
    page.wait_for_function("window.page.editor.background.image !== null")
    fit.click()
    assert (scene_of(panel).camera.width, scene_of(panel).camera.height) == (300, 150)
    slider(panel, "background", "Background").locator("input[type=range]").focus()
    page.keyboard.press("ArrowLeft")
    slider(panel, "background", "Hands over it").locator("input[type=range]").focus()
    page.keyboard.press("Shift+ArrowLeft")
    shown = page.evaluate(
        "({opacity, hands}) => [opacity, hands]", page.evaluate_handle("window.page.editor.background")
    )
    assert shown == [0.95, 0.5] and len(panel.written()) == 1
    page.get_by_role("button", name="Remove").click()
    assert page.evaluate("window.page.editor.background.image") is None


def test_an_object_is_chosen_sized_moved_gripped_and_let_go(panel):
    page = panel.page
    section = page.locator(".sesahand-object")
    section.locator("select").select_option("sphere")
    held = scene_of(panel).objects[0]
    assert (held.kind, held.size) == ("sphere", 1)
    assert section.locator(".sesahand-message").text_content().startswith("Touching: Thumb, Index")

    def fill(label: str, value: str) -> None:
        field = section.get_by_role("spinbutton", name=label)
        field.fill(value)
        field.press("Enter")

    for label, value in (("Size", "1.2"), ("Along", "85"), ("Off the palm", "130")):
        fill(label, value)
    moved = scene_of(panel).objects[0]
    assert moved.size == pytest.approx(1.2)
    assert moved.position.tolist() == pytest.approx([-0.085, -0.13, float(held.position[2])], abs=1e-6)
    assert "no finger" in section.locator(".sesahand-message").text_content()
    fill("Off the palm", "60")
    section.get_by_role("button", name="Grip").click()
    assert re.match(r"Touching: Thumb, .* 0\.0 mm deep", section.locator(".sesahand-message").text_content())
    section.get_by_role("button", name="Let go").click()
    assert scene_of(panel).objects == () and section.locator("select").input_value() == ""


def test_the_other_hands_take_the_pose_each_as_its_own_side(panel):
    copy = panel.page.get_by_role("button", name="Give the other hands this pose")
    assert copy.is_hidden()
    panel.page.evaluate(
        "window.page.editor.edit(draft => draft.hands.push(window.page.mirrorHand({...draft.hands[0], score: 0.5})))"
    )
    tile(panel, "Victory").click()
    copy.click()
    scene = scene_of(panel)
    assert scene.side == ("right", "left") and (pose_of(scene, 1) - gesture("victory")).abs().max() < WRITTEN


def test_what_cannot_be_edited_is_not(panel):
    panel.page.evaluate("window.page.editor.edit(draft => draft.hands.pop())")
    enabled = panel.page.locator(".sesahand-row input:enabled")
    assert [each.evaluate("element => element.ariaLabel ?? ''") for each in enabled.all()] == ["", "Lens angle"]
    panel.page.evaluate("window.page.editor.replaceText('{')")
    assert enabled.count() == 0 and panel.page.locator("textarea").input_value() == "{"


@pytest.fixture(scope="module")
def any_panel(browser, url):
    """A page that shows whichever panel it is asked for."""
    return Panel(browser.new_page(viewport={"width": 416, "height": 600}), url)


@pytest.mark.parametrize("language", ["en", "zh", "ja", "ko"])
@pytest.mark.parametrize("width", [None, 400])
def test_everything_has_a_name_in_each_language_and_fits(any_panel, language, width):
    page = any_panel.page
    page.evaluate("given => window.page.show(given)", {"language": language, "width": width})
    any_panel.open_sections()
    assert not re.search(r"\b(panel|finger|joint|title)\.\w", page.locator("body").inner_html())
    unnamed = page.locator("input:visible, select:visible, textarea:visible, button:visible").evaluate_all(
        """all => all.filter(each =>
            !(each.ariaLabel || each.labels?.[0]?.innerText || each.innerText).trim()).length"""
    )
    assert unnamed == 0 and any_panel.problems == []
    overflowing = page.locator(".sesahand-panel *:visible").evaluate_all(
        """all => all.filter(each => each.getBoundingClientRect().right > 409).map(each => each.className)"""
    )
    assert overflowing == []


def test_a_node_has_gestures_at_a_press_and_the_pad_where_there_is_room(any_panel):
    page = any_panel.page
    page.evaluate("window.page.show({width: 400})")
    assert page.locator(".sesahand-pad").is_hidden() and page.locator(".sesahand-gallery").count() == 0
    page.get_by_role("button", name="Gestures").click()
    page.keyboard.type("hold a glass")
    page.keyboard.press("Enter")
    written = page.evaluate("window.page.written")
    assert (HandScene.from_json(written[-1]).hand_pose[0] - gesture("grasp_cylinder")).abs().max() < WRITTEN
    escaped = "document.body.addEventListener('keydown', event => { window.page.escaped = event.key === 'Escape'; })"
    page.evaluate(escaped)
    for _ in range(2):
        page.keyboard.press("Escape")
    assert page.locator(".sesahand-gallery").is_hidden() and not page.evaluate("window.page.escaped")
    page.evaluate("window.page.show({width: 640})")
    assert page.locator(".sesahand-pad").is_visible() and any_panel.problems == []


def test_wheels_and_the_middle_button_are_the_graphs_where_nothing_scrolls(any_panel):
    page = any_panel.page
    page.evaluate("window.page.show({width: 400})")
    page.locator(".sesahand-curls").hover()
    page.mouse.wheel(0, 10)
    page.mouse.down(button="middle")
    page.mouse.up(button="middle")
    page.wait_for_function("window.page.forwarded.length >= 3")
    assert set(page.evaluate("window.page.forwarded")) >= {"wheel", "pointerdown", "pointerup"}
    page.get_by_role("button", name="Gestures").click()
    page.evaluate("window.page.forwarded.length = 0")
    page.locator(".sesahand-tiles").hover()
    page.mouse.wheel(0, 10)
    page.wait_for_function("document.querySelector('.sesahand-tiles').scrollTop > 0")
    page.mouse.down()
    page.mouse.up()
    assert page.evaluate("window.page.forwarded") == []


def test_a_panel_that_was_given_up_no_longer_follows(any_panel):
    page = any_panel.page
    page.evaluate("window.page.show({width: 400})")
    slider = page.locator(".sesahand-curls input[type=range]").first
    page.evaluate("window.page.panel.dispose()")
    before = slider.input_value()
    page.evaluate("window.page.editor.changePose(pose => pose.map(() => [1, 0, 0, 0, 1, 0, 0, 0, 1]))")
    page.evaluate("window.page.editor.edit(draft => draft.hands.pop())")
    assert slider.input_value() == before and slider.is_enabled() and any_panel.problems == []
