"""What the server of the ComfyUI at hand says of a node's typed values before a graph runs, without a server."""

import asyncio
import uuid

import execution

import nodes


def refusals(node, **typed) -> list[str]:
    """Return the details of every error that the server's own check finds in a node's values, in its words.

    Args:
        node: A V3 node's class.
        typed: Values of some of its widgets; the others have their defaults, and nothing is connected.
    """
    inputs = {}
    for entry in node.define_schema().inputs:
        default = getattr(entry, "default", None)
        options = getattr(entry, "options", None)
        value = options[0] if default is None and options else default
        if value is not None:
            inputs[entry.id] = value
    name = uuid.uuid4().hex
    nodes.NODE_CLASS_MAPPINGS[name] = node
    try:
        graph = {"1": {"class_type": name, "inputs": inputs | typed}}
        _, errors, _ = asyncio.run(execution.validate_inputs("", graph, "1", {}))
    except Exception as error:
        # As the server tells of it: one error, in the words of the exception.
        return [str(error)]
    finally:
        del nodes.NODE_CLASS_MAPPINGS[name]
    return [error["details"] for error in errors if error["type"] != "required_input_missing"]
