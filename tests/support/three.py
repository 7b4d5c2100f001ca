"""three.js in a browser, if both are on this machine: an npm package that nothing here installs."""

import os
from pathlib import Path

from browser import FLAGS, NoBrowser, chromium
from comfy_install import ROOT

HOST = "http://three.test"
# Chromium's own software renderer: test machines have no graphics card.
SOFTWARE = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
PAGE = """<!doctype html><script type="importmap">
{"imports": {"three": "/build/three.module.js", "three/addons/": "/examples/jsm/"}}</script>
<body style="margin:0"></body>
<script type="module">
import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";

window.show = async (seconds, width, height) => {
  const { scene, cameras, animations } = await new GLTFLoader().loadAsync("/hands.glb");
  if (animations.length) {
    const mixer = new THREE.AnimationMixer(scene);
    mixer.clipAction(animations[0]).play();
    mixer.setTime(seconds);
  }
  scene.updateMatrixWorld(true);
  const meshes = {}, bones = {};
  scene.traverse((object) => {
    if (object.isMesh) {
      const place = new THREE.Vector3();
      meshes[object.name] = Array.from({ length: object.geometry.attributes.position.count }, (_, vertex) =>
        object.getVertexPosition(vertex, place).applyMatrix4(object.matrixWorld).toArray(),
      );
    }
    if (object.isBone) bones[object.name] = object.matrixWorld.toArray();
  });
  const renderer = new THREE.WebGLRenderer({ preserveDrawingBuffer: true });
  renderer.setSize(width, height);
  document.body.replaceChildren(renderer.domElement);
  scene.add(new THREE.HemisphereLight(0xffffff, 0x444444, 3));
  renderer.render(scene, cameras[0]);
  return { meshes, bones, picture: renderer.domElement.toDataURL() };
};
window.ready = true;
</script>"""
HOW_TO = "needs `npm install three` somewhere, and THREE_JS set to node_modules/three"


class NoThree(Exception):
    """three.js cannot be run; the message says how to get it."""


def show_in_three(glb: bytes, size: tuple[int, int], seconds: float = 0.0) -> dict:
    """Return what three.js makes of a GLB, in the frame of the file.

    Args:
        glb: The file.
        size: Width and height in pixels of the picture that is taken with the file's camera.
        seconds: Time in its animation, if it has one.

    Returns:
        "meshes", vertices `[V, 3]` by name; "bones", matrices by columns `[16]` by name; "picture", a PNG as data URL.

    Raises:
        NoThree: If three.js, a browser, or what drives it is missing.
    """
    package = Path(os.environ.get("THREE_JS") or ROOT / "node_modules" / "three")
    if not package.is_dir():
        raise NoThree(HOW_TO)
    try:
        from playwright.sync_api import sync_playwright

        path = chromium()
    except (ImportError, NoBrowser) as reason:
        raise NoThree(str(reason)) from None

    def answer(route):
        name = route.request.url.removeprefix(HOST)
        if name == "/":
            route.fulfill(body=PAGE, content_type="text/html")
        elif name == "/hands.glb":
            route.fulfill(body=glb, content_type="model/gltf-binary")
        elif (package / name[1:]).is_file():
            route.fulfill(path=package / name[1:], content_type="text/javascript")
        else:
            route.fulfill(status=404)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=[*(flag for flag in FLAGS if flag != "--disable-gpu"), *SOFTWARE]
        )
        try:
            page = browser.new_page()
            page.route(f"{HOST}/**", answer)
            page.goto(f"{HOST}/")
            page.wait_for_function("window.ready")
            return page.evaluate("([...given]) => show(...given)", [seconds, *size])
        finally:
            browser.close()
