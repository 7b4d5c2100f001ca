"""The hands in a picture become rigged 3D hands: python docs/examples/picture_to_mesh.py [PICTURE]

Without a picture it renders a hand and finds that one.
"""

import sys
from pathlib import Path

import sesahand

folder = Path("examples_out")
folder.mkdir(exist_ok=True)
posed = sesahand.place_gesture("ok", size=(256, 256))
picture = (
    sys.argv[1] if len(sys.argv) > 1 else sesahand.render_maps(posed, ("mesh",), antialias=True, forearm=True).mesh
)

found = sesahand.reconstruct_picture(picture)
for side, error in zip(found.scene.side, found.relative_error.tolist(), strict=True):
    print(f"a {side} hand, {100 * error:.1f} % of its size from its landmarks")
if len(found.scene):
    print(*sesahand.write_hands(found.scene, folder / "found_hands.glb"), sep="\n")
if len(sys.argv) == 1:
    print(f"against the hand that was rendered: score {sesahand.score_hands(posed, found.scene).mean:.2f}")
