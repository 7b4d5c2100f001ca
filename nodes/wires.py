"""The types that travel on SesaHand's wires."""

from comfy_api.latest import io

VLM = io.Custom("SESAHAND_VLM")
Semantics = io.Custom("SESAHAND_SEMANTICS")
HandModel = io.Custom("SESAHAND_HAND_MODEL")
Hands = io.Custom("SESAHAND_HANDS")
Attention = io.Custom("SESAHAND_ATTENTION")
