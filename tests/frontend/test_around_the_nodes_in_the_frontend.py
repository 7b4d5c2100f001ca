"""What is around the nodes in ComfyUI's real frontend: the browser of templates, help pages, and search."""

import pytest

import workflows

LOADED = "() => [...document.querySelectorAll(%r)].every(image => image.complete && image.naturalWidth > 0)"


@pytest.fixture
def templates(frontend):
    """The browser of templates, open at this pack's."""
    frontend.problems.clear()
    frontend.page.evaluate("() => app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    frontend.page.get_by_role("option", name="sesahand", exact=True).click(timeout=20_000)
    yield frontend.page.get_by_test_id("template-workflows-content")
    frontend.page.keyboard.press("Escape")
    frontend.page.locator(".p-dialog").wait_for(state="detached", timeout=10_000)


def test_the_browser_of_templates_lists_every_workflow_with_its_picture(templates, frontend):
    cards = templates.locator("[data-testid^='template-workflow-']")
    cards.first.wait_for(timeout=20_000)
    found = {card.get_attribute("data-testid").removeprefix("template-workflow-") for card in cards.all()}
    assert found == set(workflows.NAMES)
    pictures = "[data-testid^='template-workflow-'] img"
    frontend.page.wait_for_function(LOADED % pictures, timeout=20_000)
    assert frontend.page.locator(pictures).count() >= len(workflows.NAMES)
    assert frontend.problems == []


def test_a_click_on_a_template_opens_it(templates, frontend):
    templates.get_by_test_id("template-workflow-pose_and_render").click()
    frontend.page.wait_for_function("() => app.graph._nodes.some(n => n.type === 'SesaHandRenderCondition')")
    assert frontend.to_api() == workflows.read_api("pose_and_render") and frontend.problems == []


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
    frontend.page.get_by_test_id("info-button").click(timeout=20_000)
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
    assert panel.locator("img").count() == page.count("](") and frontend.problems == []
    frontend.page.evaluate("() => app.extensionManager.command.execute('Workspace.ToggleSidebarTab.node-library')")


@pytest.mark.parametrize(("query", "node"), [("hand", "SesaHandPoseHand"), ("caption", "SesaHandCaption")])
def test_the_search_box_offers_the_node(query, node, frontend):
    name = frontend.page.evaluate("type => LiteGraph.registered_node_types[type].title", node)
    frontend.page.evaluate("() => app.extensionManager.command.execute('Workspace.SearchBox.Toggle')")
    frontend.page.keyboard.type(query)
    option = frontend.page.locator(".comfy-vue-node-search-container .p-autocomplete-option", has_text=name)
    option.first.wait_for(timeout=20_000)
    frontend.page.keyboard.press("Escape")
