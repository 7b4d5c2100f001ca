"""The editor's modules and Edit Hands in the real frontend."""

import workflows

WEB = workflows.ROOT / "web"
MODULES = {path.relative_to(WEB).as_posix() for path in (WEB / "js").rglob("*.js")}
# Of what the page loads at its start, the modules: how many things they offer, and the headers that tell the browser
# whether to ask for them again.
LOADED = """async () => {
    const own = (await (await fetch("/extensions")).json()).filter(url => url.includes("/js/"));
    return Promise.all(own.map(async url => [
        url.slice(url.indexOf("/js/") + 1),
        Object.keys(await import(url)).length,
        (await fetch(url)).headers.get("cache-control"),
    ]));
}"""
ADD = """text => {
    const node = LiteGraph.createNode("SesaHandEditHands");
    app.graph.add(node);
    node.widgets.find(widget => widget.name === "scene").value = text;
}"""
TEXT = '{"format": "sesahand-hands", "a": ["{b|c}", "__d__"]}'


def test_the_page_loads_each_module_without_a_word_and_asks_for_it_again_next_time(frontend):
    loaded = frontend.page.evaluate(LOADED)
    assert {name for name, _, _ in loaded} == MODULES and all(offered for _, offered, _ in loaded)
    assert all("no-cache" in header or "no-store" in header for _, _, header in loaded)
    assert [problem for problem in frontend.problems if "/js/" in problem] == []


def test_the_text_of_a_scene_is_kept_and_sent_as_it_stands(frontend):
    frontend.load({"nodes": [], "links": [], "last_node_id": 0, "last_link_id": 0, "version": 0.4})
    frontend.page.evaluate(ADD, TEXT)
    for _ in range(2):
        [sent] = frontend.to_api().values()
        assert sent["inputs"] == {"scene": TEXT, "unedited": "pass through"}
        frontend.load(frontend.to_ui())
