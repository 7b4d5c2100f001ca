"""The Khronos glTF validator, if it is on this machine: an npm package that nothing here installs."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from comfy_install import ROOT

SCRIPT = """
const validator = require(process.argv[1]);
const files = JSON.parse(require("fs").readFileSync(0, "utf8"));
Promise.all(files.map(file => validator.validateBytes(new Uint8Array(require("fs").readFileSync(file)))))
    .then(reports => console.log(JSON.stringify(reports.map(report => report.issues))));
"""
HOW_TO = (
    "needs Node.js and `npm install gltf-validator` somewhere, and GLTF_VALIDATOR set to node_modules/gltf-validator"
)


class NoValidator(Exception):
    """The validator cannot be run; the message says how to get it."""


def validate(files: list[Path]) -> list[dict]:
    """Return the issues that the validator finds in each file: numErrors, numWarnings, messages, ...

    Raises:
        NoValidator: If Node.js or the package is missing.
    """
    node = shutil.which("node")
    package = Path(os.environ.get("GLTF_VALIDATOR") or ROOT / "node_modules" / "gltf-validator")
    if node is None or not package.is_dir():
        raise NoValidator(HOW_TO)
    answer = subprocess.run(
        [node, "-e", SCRIPT, str(package.resolve())], input=json.dumps([str(file) for file in files]),
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return json.loads(answer.stdout)
