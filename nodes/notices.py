"""A line of text on the node that is running, for what its user should see without opening a log."""

from comfy_execution.utils import get_executing_context


def show_on_node(text: str) -> None:
    """Show a text on the running node; nothing happens where no server runs it."""
    from server import PromptServer

    server, context = getattr(PromptServer, "instance", None), get_executing_context()
    if server is not None and context is not None:
        server.send_progress_text(text, context.node_id)
