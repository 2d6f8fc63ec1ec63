"""Puts the gateway's own schema under `config` of the chart's values.schema.json.

    python helm/generate_schema.py

The rest of that file is written by hand. A typo or a wrong unit in `config` is then a fault of
`helm install`, not of a pod that doesn't start. What the chart sets itself is required no more.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gateway.config import json_schema

PATH = Path(__file__).parent / "privacy-gateway" / "values.schema.json"
WORDS = ("title", "description", "examples", "default")


def generate() -> str:
    """The text of values.schema.json as it must be."""
    written = json.loads(PATH.read_text())
    schema = _bare(json_schema())
    definitions = schema.pop("$defs")
    del schema["$schema"], schema["required"], definitions["DecisionLogSettings"]["required"]
    written["$defs"] = {"Config": schema, **definitions}
    return json.dumps(written, indent=2) + "\n"


def _bare(schema: Any) -> Any:
    """Without words for people: Helm shows none of them."""
    if isinstance(schema, list):
        return [_bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):  # there the keys are names
            kept[key] = {name: _bare(each) for name, each in value.items()}
        elif key not in WORDS:
            kept[key] = _bare(value)
    return kept


if __name__ == "__main__":
    PATH.write_text(generate())
