"""Check the source as CI does: ruff's rules, its format, and types, whose errors may only become fewer.

    python tools/check.py        in an environment with `pip install -e .[check]`; or python3 tools/quickstart.py check

How many errors mypy may find stands in tools/type_errors.txt. More than that fails, and so does fewer until the file
says so: what was won stays won.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = ROOT / "tools" / "type_errors.txt"
RULES = (["ruff", "check", "."], ["ruff", "format", "--check", "."])
TYPES = ["mypy"]


def main() -> int:
    """Run every check, also after one has failed, and return 1 if any has."""
    results = [subprocess.call([sys.executable, "-m", *rule], cwd=ROOT) == 0 for rule in RULES]
    return 0 if all([*results, types_hold()]) else 1


def types_hold() -> bool:
    """Run the type checker, show what it says, and tell whether its errors are as many as are allowed."""
    run = subprocess.run([sys.executable, "-m", *TYPES], cwd=ROOT, capture_output=True, text=True)
    print(run.stdout + run.stderr, end="")
    found = count_errors(run.stdout) if run.returncode in (0, 1) else None
    fault = what_is_wrong(found, int(ALLOWED.read_text(encoding="utf-8")))
    print(fault or "types: as many errors as allowed", flush=True)
    return not fault


def count_errors(report: str) -> int | None:
    """Return how many errors mypy's last line counts; None if it did not get that far."""
    last = report.strip().splitlines()[-1:]
    if last and last[0].startswith("Success:"):
        return 0
    match = re.match(r"Found (\d+) errors? in \d+ files? \(checked ", last[0]) if last else None
    return int(match[1]) if match else None


def what_is_wrong(found: int | None, allowed: int) -> str:
    """Return the sentence that fails the check, empty if `found` errors are what is `allowed`."""
    if found is None:
        return "types: mypy did not finish; see above"
    if found > allowed:
        return f"types: {found} errors, and {allowed} are allowed: mend what is new"
    if found < allowed:
        return f"types: {found} errors where {allowed} are allowed: write {found} into {ALLOWED.relative_to(ROOT)}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
