"""A posed hand, seen from the thumb's side, becomes the maps that ControlNets follow."""

from pathlib import Path

from PIL import Image

import sesahand

hand = sesahand.place_gesture("ok", side="left", yaw=35, size=(512, 512))
maps = sesahand.render_maps(hand, antialias=True)

folder = Path("examples_out")
folder.mkdir(exist_ok=True)
for name in ("depth", "normal", "keypoints", "parts"):
    levels = (getattr(maps, name)[0] * 255).round().byte().numpy()
    Image.fromarray(levels).save(folder / f"ok_{name}.png")
sesahand.save_scene(hand, folder / "ok_hand.json")
print(f"{folder}: four maps of a left hand {float(hand.translation[0, 2]):.2f} m in front of the camera, and the hand")
