"""The shipped workflow files: whole, tidy, and with all that their users need to run them."""

import re

import pytest

import workflows

THUMBNAIL = (400, 400)
HOSTS = ("https://huggingface.co/",)
LOADERS = {
    "CheckpointLoaderSimple": "checkpoints",
    "UNETLoader": "diffusion_models",
    "LoraLoaderModelOnly": "loras",
    "CLIPLoader": "text_encoders",
    "DualCLIPLoader": "text_encoders",
    "VAELoader": "vae",
    "ControlNetLoader": "controlnet",
    "ModelPatchLoader": "model_patches",
}
SMALL_MODEL = "SesaHandLoadMini"
# Workflows with nodes that the floor lacks, and the first ComfyUI that has them.
NEWER = {"repair_hand_z_image": "0.6.0"}
# Nodes with a seed that no run counts up, or that is only noted down.
SEEDS_THAT_STAY = {"SesaHandExtractSemantics", "SesaHandSavePair"}


def project_version() -> str:
    text = (workflows.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return re.search(r'^version = "(.+)"$', text, re.MULTILINE)[1]


def bounds(node: dict) -> tuple[float, float, float, float]:
    """Return left, top with the title, right and bottom of a node."""
    (x, y), (wide, high) = node["pos"], node["size"]
    return x, y - 30, x + wide, y + high


def overlap(a, b) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@pytest.fixture(params=workflows.NAMES)
def name(request):
    return request.param


@pytest.fixture
def ui(name):
    return workflows.read_ui(name)


def test_the_workflows_that_the_readme_names_are_there():
    with_files = {"pose_and_render", "generate_hand", "reconstruct_and_export", "check_hand"}
    with_the_editor = {"pose_editor", "photo_to_edited_hand"}
    with_the_small_model = {"text_to_hand", "compare_alignment", "dataset_batch", "repair_hand", "image_to_pair"}
    with_the_small_model |= {"hand_holding"}
    with_todays_models = {"hand_qwen_image", "hand_qwen_edit", "hand_z_image", "hand_flux"}
    kinds = ("sd15", "sdxl", "qwen_edit", "z_image", "flux")
    repairs = {"from_meshgraphormer", *(f"repair_hand_{kind}" for kind in kinds)}
    assert with_files | with_the_editor | with_the_small_model | with_todays_models | repairs <= set(workflows.NAMES)


def test_ids_and_links_hold_together(ui):
    nodes = {node["id"]: node for node in ui["nodes"]}
    assert len(nodes) == len(ui["nodes"]) and ui["last_node_id"] >= max(nodes)
    links = {link[0]: link for link in ui["links"]}
    assert len(links) == len(ui["links"]) and ui["last_link_id"] >= max(links)
    for number, source, slot, target, entry, kind in links.values():
        assert number in nodes[source]["outputs"][slot]["links"]
        assert nodes[target]["inputs"][entry]["link"] == number
        given, taken = nodes[source]["outputs"][slot]["type"], nodes[target]["inputs"][entry]["type"]
        # An input of the type * takes anything, and some take several types; newer frontends note what is given.
        assert kind in (given, taken) and (taken == "*" or given in taken.split(","))
    used = {entry["link"] for node in ui["nodes"] for entry in node.get("inputs", []) if entry.get("link") is not None}
    assert used == set(links), "a node names a link that does not exist"


def test_nothing_is_muted_bypassed_or_left_unconnected(ui):
    for node in ui["nodes"]:
        assert node["mode"] == 0
        linked = [e for e in node.get("inputs", []) if e.get("link") is not None]
        linked += [e for e in node.get("outputs", []) if e.get("links")]
        assert linked or node["type"] == "MarkdownNote", f"{node['type']} is connected to nothing"


def test_every_node_names_its_pack_and_version(name, ui):
    core = NEWER.get(name, "0.3.64")
    for node in ui["nodes"]:
        ours = node["type"].startswith("SesaHand")
        assert node["properties"]["cnr_id"] == ("sesahand" if ours else "comfy-core")
        assert node["properties"]["ver"] == (project_version() if ours else core)


@pytest.mark.parametrize("name", NEWER)
def test_a_note_says_first_which_comfyui_is_needed_if_it_is_a_newer_one(name, ui):
    [note] = [node["widgets_values"][0] for node in ui["nodes"] if node["type"] == "MarkdownNote"]
    said = f"ComfyUI {NEWER[name].removesuffix('.0')} or newer"
    assert said in note.split("**Steps**")[0].replace("\n", " ")


def test_notes_have_no_code_within_sentences(ui):
    """Frontend 1.49 shows it as blue on blue. Commands stand in blocks of their own."""
    for node in ui["nodes"]:
        if node["type"] == "MarkdownNote":
            text = re.sub(r"^ *```.*?^ *```$", "", node["widgets_values"][0], flags=re.MULTILINE | re.DOTALL)
            assert "`" not in text


def test_every_loader_says_where_its_file_comes_from(ui):
    for node in ui["nodes"]:
        models = node["properties"].get("models", [])
        assert bool(models) == (node["type"] in LOADERS), node["type"]
        for model in models:
            assert model["name"] in node["widgets_values"] and model["name"].endswith(".safetensors")
            assert (
                model["url"].startswith(HOSTS) and "/resolve/" in model["url"] and model["url"].endswith(model["name"])
            )
            assert model["directory"] == LOADERS[node["type"]]


def test_a_workflow_with_the_small_model_opens_with_it_and_says_what_takes_its_place(name, ui):
    own = [node for node in ui["nodes"] if node["type"] == SMALL_MODEL]
    if not own:
        return
    assert {node["widgets_values"][0] for node in own} == {"embedded"}
    [note] = [node["widgets_values"][0] for node in ui["nodes"] if node["type"] == "MarkdownNote"]
    others = [other for other in workflows.NAMES if other.startswith(f"{name}_")]
    if others:
        assert all(f"*{other}*" in note for other in others), "one for each kind of model"
    else:
        assert re.search(r"replace[^.]+Load Small Model[^.]+Load Checkpoint", " ".join(note.split()))


def test_a_note_says_what_it_is_for_how_to_use_it_and_under_what_terms(ui):
    [note] = [node for node in ui["nodes"] if node["type"] == "MarkdownNote"]
    text = note["widgets_values"][0]
    for word in ("**Steps**", "**Models**", "licence", "**Memory**"):
        assert word.lower() in text.lower()
    for model in (model for node in ui["nodes"] for model in node["properties"].get("models", [])):
        assert model["name"] in text
    if any(node["type"] == "SesaHandDetectHands" for node in ui["nodes"]):
        assert "python -m sesahand get-detector" in text
    assert note["pos"][0] == min(node["pos"][0] for node in ui["nodes"]), "the note is what one reads first"


def has_counting_seed(node: dict | None) -> bool:
    """Tell whether the frontend can change a node's number after each run."""
    if node is None or node["class_type"] in SEEDS_THAT_STAY:
        return False
    return node["class_type"] == "PrimitiveInt" or "seed" in node["inputs"]


def test_seeds_are_fixed(name, ui):
    api = workflows.read_api(name)
    counted = [node["id"] for node in ui["nodes"] if has_counting_seed(api.get(str(node["id"])))]
    for node in ui["nodes"]:
        values = node.get("widgets_values", [])
        assert ("fixed" in values) == (node["id"] in counted)
        assert not {"randomize", "increment", "decrement"} & {v for v in values if isinstance(v, str)}


def test_no_node_lies_on_another_and_each_lies_within_one_group(ui):
    nodes = [(node, bounds(node)) for node in ui["nodes"]]
    for i, (node, box) in enumerate(nodes):
        for other, other_box in nodes[i + 1 :]:
            assert not overlap(box, other_box), f"{node['type']} lies on {other['type']}"
    groups = [(x, y, x + wide, y + high) for x, y, wide, high in (group["bounding"] for group in ui["groups"])]
    for i, group in enumerate(groups):
        assert not any(overlap(group, other) for other in groups[i + 1 :])
    for node, box in nodes:
        inside = [g for g in groups if g[0] <= box[0] and g[1] <= box[1] and box[2] <= g[2] and box[3] <= g[3]]
        assert len(inside) == (0 if node["type"] == "MarkdownNote" else 1), node["type"]


def test_data_flows_from_left_to_right(ui):
    place = {node["id"]: node["pos"] for node in ui["nodes"]}
    for _, source, _, target, _, _ in ui["links"]:
        assert place[source][0] <= place[target][0], "a link runs backwards"


def test_a_thumbnail_of_the_same_name_is_beside_it(name):
    from PIL import Image

    with Image.open(workflows.FOLDER / f"{name}.jpg") as picture:
        assert picture.format == "JPEG" and picture.size == THUMBNAIL
        low, high = picture.convert("L").getextrema()
        assert high - low > 100, "an empty picture"


def test_no_sibling_folder_hides_the_templates():
    """ComfyUI serves only one of the folders that it looks for templates in."""
    for other in ("example", "examples", "example_workflows", "workflow"):
        assert not (workflows.ROOT / other).exists()


def graphs(ui: dict) -> list[dict]:
    """Return a workflow's graph and those of its subgraphs."""
    return [ui, *ui.get("definitions", {}).get("subgraphs", [])]


def texts(value) -> list[str]:
    """Return every text in a piece of JSON, keys left out."""
    if isinstance(value, dict):
        return [text for entry in value.values() for text in texts(entry)]
    if isinstance(value, list):
        return [text for entry in value for text in texts(entry)]
    return [value] if isinstance(value, str) else []


def test_the_file_is_of_the_frontends_format_and_carries_nothing_of_other_packs(ui):
    assert ui["version"] in (0.4, 1) and {"nodes", "links", "groups", "id", "revision"} <= set(ui)
    assert set(ui["extra"]) <= {"ds", "frontendVersion"}, "an extension of the frontend left its mark"
    known = {"cnr_id", "ver", "models", "Node name for S&R"}
    assert {key for node in workflows.all_nodes(ui) for key in node["properties"]} <= known


def test_nodes_keep_the_titles_by_which_people_find_them_again(ui):
    titled = {node["type"] for node in workflows.all_nodes(ui) if node.get("title") not in (None, node["type"])}
    assert titled <= {"MarkdownNote"}


def test_stages_are_named_once_and_in_short(ui):
    titles = [group["title"] for group in ui["groups"]]
    assert len(titles) == len(set(titles)) and all(0 < len(title) <= 30 for title in titles)


def test_no_value_is_a_path_of_one_machine_or_a_secret(ui):
    path = re.compile(r"^(?:/|~|[A-Za-z]:[\\/]|\\\\|file:)|\.\./")
    secret = re.compile(r"(?i)\b(?:sk|hf|ghp|xox[bap])[-_][A-Za-z0-9]{16}|bearer\s+\S{12}|api[-_ ]?key\s*[:=]")
    values = [text for node in workflows.all_nodes(ui) for text in texts(node.get("widgets_values", []))]
    assert [text for text in values if path.search(text) or secret.search(text)] == []
    assert not [node["type"] for node in workflows.all_nodes(ui) if node["type"] == "SesaHandConnectVLM"]


def test_links_of_notes_lead_to_where_models_and_licences_are(ui):
    hosts = ("huggingface.co", "github.com", "civitai.com", "arxiv.org", "mano.is.tue.mpg.de", "docs.comfy.org")
    for node in workflows.all_nodes(ui):
        if node["type"] == "MarkdownNote":
            found = re.findall(r"\bhttps?://([^/\s)]+)", node["widgets_values"][0])
            assert set(found) <= set(hosts) and "http://" not in node["widgets_values"][0]


def test_subgraphs_hold_together_too_and_each_is_used(ui):
    used = {node["type"] for node in workflows.all_nodes(ui)}
    for graph in graphs(ui)[1:]:
        assert graph["id"] in used, f"{graph['name']} is nowhere used"
        numbers = {node["id"] for node in graph["nodes"]} | {-10, -20}  # its own inputs and outputs
        for link in graph["links"]:
            assert {link["origin_id"], link["target_id"]} <= numbers
        for node in graph["nodes"]:
            assert node["mode"] == 0 and node["properties"].keys() >= {"cnr_id", "ver"}


def test_the_api_file_has_every_node_that_runs_and_no_layout(name, ui):
    api = workflows.read_api(name)
    inner = {graph["id"] for graph in graphs(ui)[1:]}
    run = [node["type"] for node in workflows.all_nodes(ui) if node["type"] not in {"MarkdownNote", "Note"} | inner]
    if not inner:
        assert sorted(entry["class_type"] for entry in api.values()) == sorted(run)
    assert {entry["class_type"] for entry in api.values()} == set(run)
    assert all(set(entry) <= {"inputs", "class_type", "_meta"} for entry in api.values())


def test_every_workflow_has_its_two_companions_and_nothing_else_lies_beside_them():
    names = set(workflows.NAMES)
    assert {path.stem for path in (workflows.FOLDER / "api").iterdir()} == names
    assert {path.stem for path in workflows.FOLDER.glob("*.jpg")} == names
    assert {path.suffix for path in workflows.FOLDER.iterdir() if path.is_file()} == {".json", ".jpg"}


def test_pictures_are_small_enough_to_be_tried_at_once(name):
    """On a laptop too: what is sampled has at most half a million pixels a picture and sixteen pictures."""
    for entry in workflows.read_api(name).values():
        if entry["class_type"] == "EmptyLatentImage":
            width, height, count = (entry["inputs"][name] for name in ("width", "height", "batch_size"))
            # A size that comes over a wire is settled by the node at its other end.
            assert isinstance(count, list) or count <= 16
            assert list in (type(width), type(height)) or width * height <= 2**19
