"""The pack in a real ComfyUI server: it registers quietly and describes its nodes."""

import re


def test_the_pack_registers_without_a_warning(comfyui_server):
    log = comfyui_server.start_log
    imported = re.search(r"([\d.]+) seconds( \(IMPORT FAILED\))?: .*custom_nodes.sesahand", log)
    assert imported and not imported[2], log
    noise = [line for line in log.splitlines() if "sesahand" in line.lower() and not re.search(r"seconds: ", line)]
    assert noise == [], "the log of a start should name the pack once, among the import times"


def test_nothing_is_read_from_or_written_to_comfyuis_own_folders(comfyui_server):
    folders = comfyui_server.get("/internal/folder_paths")
    own = str(comfyui_server.folder)
    assert all(path.startswith(own) for path in folders["custom_nodes"] + folders["checkpoints"])
