"""SesaHand as a ComfyUI custom node pack."""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    from .nodes import SesaHandExtension

    return SesaHandExtension()
