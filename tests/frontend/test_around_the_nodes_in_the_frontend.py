"""What is around the nodes in the real frontend: templates, help pages, search, files dropped on the graph."""

import base64

import pytest

import workflows

LOADED = "() => [...document.querySelectorAll(%r)].every(image => image.complete && image.naturalWidth > 0)"
DROP = """async ([text, name, type]) => {
    const bytes = Uint8Array.from(atob(text), character => character.charCodeAt(0));
    await app.handleFile(new File([bytes], name, {type}));
}"""
TYPES = {"glb": "model/gltf-binary", "png": "image/png"}


def drop(frontend, data: bytes, suffix: str) -> None:
    """Clear the graph and drop a file on it."""
    frontend.page.evaluate("() => app.graph.clear()")
    frontend.page.evaluate(DROP, [base64.b64encode(data).decode(), f"dropped.{suffix}", TYPES[suffix]])
    frontend.page.wait_for_function("() => app.graph._nodes.length > 0", timeout=20_000)


def test_preview_3d_loads_the_file_and_dropping_it_brings_the_graph_back(frontend, site, comfyui_server):
    # Two frontends share a server, and what it has made before it does not make again.
    name = "dropped_vue" if site.vue else "dropped"

    def node(class_type, **given):
        return workflows.defaults(comfyui_server, class_type, **given)

    graph = {
        "1": node("SesaHandPoseHand", gesture="ok"),
        "2": node("SesaHandExportMesh", hands=["1", 0], filename_prefix=name),
        "3": node("Preview3D", model_file=["2", 1]),
    }
    frontend.problems.clear()
    frontend.page.evaluate("async graph => await app.loadApiJson(graph, 'hand')", graph)
    # The viewer is put into the page after the node, and a run that has ended before is not shown in it.
    frontend.page.wait_for_timeout(3000)
    with frontend.page.expect_response(lambda answer: f"{name}_00001_.glb" in answer.url, timeout=60_000) as answer:
        frontend.run()
    data = answer.value.body()
    assert answer.value.ok and data[:4] == b"glTF"
    drop(frontend, data, "glb")
    assert {entry["class_type"] for entry in frontend.to_api().values()} == {
        entry["class_type"] for entry in graph.values()
    }
    assert [problem for problem in frontend.problems if "WebGL" not in problem] == []


def test_a_picture_or_a_mesh_of_the_shipped_workflow_brings_it_back(frontend, comfyui_server):
    frontend.problems.clear()
    frontend.load(workflows.read_ui("pose_and_render"))
    frontend.run()
    before, api = frontend.to_ui(), frontend.to_api()
    output = comfyui_server.folder / "output" / "sesahand"
    for path in (max(output.glob("depth_*.png")), max(output.glob("*.glb"))):
        drop(frontend, path.read_bytes(), path.suffix[1:])
        after = frontend.to_ui()
        workflows.assert_same_graph(frontend.to_api(), api)
        assert sorted(after["links"]) == sorted(before["links"])
        for old, new in zip(before["nodes"], after["nodes"], strict=True):
            assert all(old.get(key) == new.get(key) for key in ("id", "type", "pos"))
            # A viewer remembers what it showed last; a file holds what was there before the run.
            if old["type"] == "Preview3D":
                continue
            # Of a node without widgets, one frontend keeps an empty list and another nothing.
            assert (old.get("widgets_values") or []) == (new.get("widgets_values") or []), old["type"]
        assert [group["title"] for group in after["groups"]] == [group["title"] for group in before["groups"]]
    assert frontend.problems == []


@pytest.fixture
def templates(frontend):
    """The browser of templates, open at this pack's."""
    frontend.problems.clear()
    frontend.page.evaluate("() => app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    content = frontend.page.get_by_test_id("template-workflows-content")
    content.wait_for(timeout=20_000)
    frontend.page.get_by_role("dialog").get_by_text("sesahand", exact=True).click(timeout=20_000)
    yield content
    frontend.page.keyboard.press("Escape")
    content.wait_for(state="detached", timeout=10_000)


def test_the_browser_of_templates_lists_every_workflow_with_its_picture(templates, frontend):
    cards = templates.locator("[data-testid^='template-workflow-']")
    cards.first.wait_for(timeout=20_000)
    # The browser lists a dozen, and more when one comes to the end of them.
    for _ in range(len(workflows.NAMES)):
        cards.last.scroll_into_view_if_needed()
        if cards.count() >= len(workflows.NAMES):
            break
        frontend.page.mouse.wheel(0, 1000)
        frontend.page.wait_for_timeout(200)
    found = {card.get_attribute("data-testid").removeprefix("template-workflow-") for card in cards.all()}
    assert found == set(workflows.NAMES)
    for name in workflows.NAMES:
        # Pictures further down are fetched when they come into view.
        card = f"[data-testid='template-workflow-{name}']"
        templates.locator(card).scroll_into_view_if_needed()
        templates.locator(f"{card} img").first.wait_for(timeout=20_000)
        frontend.page.wait_for_function(LOADED % f"{card} img", timeout=20_000)
    assert frontend.problems == []


def test_a_click_on_a_template_opens_it(templates, frontend):
    templates.get_by_test_id("template-workflow-pose_and_render").click()
    frontend.page.wait_for_function("() => app.graph._nodes.some(n => n.type === 'SesaHandRenderCondition')")
    workflows.assert_same_graph(frontend.to_api(), workflows.read_api("pose_and_render"))
    assert frontend.problems == []


def open_help(frontend, node_type: str):
    """Add a node, press the information button over it, and return the help panel."""
    frontend.page.evaluate(
        """type => {
            app.graph.clear();
            const node = LiteGraph.createNode(type);
            app.graph.add(node);
            node.pos = [300, 250];
            app.canvas.ds.scale = 1;
            app.canvas.ds.offset = [0, 0];
            app.canvas.deselectAll();
            app.canvas.select(node);
            app.canvas.onSelectionChange?.(app.canvas.selected_nodes);
            app.canvas.setDirty(true, true);
        }""",
        node_type,
    )
    # The toolbox follows the view, which may still move: pressed as the keyboard does, wherever it is.
    frontend.page.get_by_test_id("info-button").dispatch_event("click", timeout=20_000)
    panel = frontend.page.locator(".node-help-content")
    panel.locator("h1").wait_for(timeout=20_000)
    return panel


@pytest.mark.parametrize("node", ["SesaHandPoseHand", "SesaHandDrawHands"])
def test_the_help_page_opens_with_its_tables_and_its_picture(node, frontend):
    frontend.problems.clear()
    page = (workflows.ROOT / "web/docs" / f"{node}.md").read_text(encoding="utf-8")
    panel = open_help(frontend, node)
    assert panel.locator("h1").inner_text() == page.splitlines()[0].removeprefix("# ")
    assert panel.locator("td code").count() >= 5
    frontend.page.wait_for_function(LOADED % ".node-help-content img", timeout=20_000)
    assert panel.locator("img").count() == page.count("![") == 1
    # It asks for SesaHand.../en.md first, and takes the page beside that folder when there is none.
    assert [problem for problem in frontend.problems if f"{node}/en.md" not in problem] == []
    frontend.page.evaluate("() => app.extensionManager.command.execute('Workspace.ToggleSidebarTab.node-library')")


@pytest.mark.parametrize(
    ("query", "node"),
    [
        ("hand", "SesaHandPoseHand"),
        ("MANO", "SesaHandLoadHandModel"),
        ("caption", "SesaHandCaption"),
        ("depth hand", "SesaHandRenderCondition"),
        ("fix hands", "SesaHandRepairGate"),
    ],
)
def test_the_search_box_offers_the_node(query, node, frontend):
    name = frontend.page.evaluate("type => LiteGraph.registered_node_types[type].title", node)
    frontend.page.evaluate("() => app.extensionManager.command.execute('Workspace.SearchBox.Toggle')")
    frontend.page.keyboard.type(query)
    # The first is 1.27's list, the second that of 1.49 and later.
    lists = ".comfy-vue-node-search-container .p-autocomplete-option, #results-list [role=option]"
    option = frontend.page.locator(lists, has_text=name).first
    option.wait_for(timeout=20_000)
    frontend.page.keyboard.press("Escape")
    option.wait_for(state="detached", timeout=20_000)
