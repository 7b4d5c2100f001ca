"""The hand of a picture is found, fitted, edited and painted anew by the small model; the best of four stays."""

from .parts import PURPLE, Group, Node
from .repairing import STEPS, WHAT_COMES_OUT, Control, with_controlnets, workflow

NOTE = f"""\
## Repair a hand in a picture

The hand that your mask is about is found, a 3D hand is fitted to it, you move what is wrong, and its map steers the
repainting of what you painted and moved.

{STEPS}
{WHAT_COMES_OUT}
The small model needs no download and shows the way: it paints rendered hands of 128 x 128 pixels like those it was
shown, also into photographs.

**Your model**: open the workflow that is named after it instead: *repair_hand_sd15*, *repair_hand_sdxl*,
*repair_hand_qwen_edit*, *repair_hand_z_image* or *repair_hand_flux*. Each has its own sizes, maps and settings of the
sampler; it is not enough to replace a loader.

**Repair only what is bad**: score the picture first and put Fix Hands Gate in front of Save Image.

**Models**: the small model comes with SesaHand, its licence too; MediaPipe's hand networks (10 MB, Apache-2.0) by the
command above. The built-in hand's licence is CC0.

**Memory**: under 1 GB, no GPU needed.
"""

LOADING = Group(
    "Model",
    (
        (
            Node("mini", "SesaHandLoadMini", {"model": "embedded", "control": "sf"}),
            Node("fusion", "SesaHandStructuralFusion", {"mode": "auto"}, {"control_net": "mini.control_net"}),
        ),
    ),
    PURPLE,
)

WORKFLOW = workflow(
    with_controlnets(
        name="repair_hand",
        note=NOTE,
        loading=LOADING,
        model="mini.model",
        clip="mini.clip",
        vae="mini.vae",
        prompt="a person with tan skin and a red sleeve, arm from below, greeting, a right hand open with spread "
        "fingers, palm side, in front of a plain blue wall, soft light from above",
        negative="",
        encoder="CLIPTextEncode",
        controls=(Control("fusion.control_net", "mesh", 1.0),),
        size=128,
        sampling={"steps": 12, "cfg": 3, "sampler_name": "ddim", "scheduler": "normal", "denoise": 1},
        looked_at=512,
        forearm=False,
    ),
    ("detect.overlay", "render.mesh", "decode.IMAGE.0", "paste.image"),
)
