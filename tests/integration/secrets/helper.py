"""The helper of the run: what it does to a node follows from the node's number. Run as a script, by its path.

Its canaries are in the file that its first argument names; what it was asked goes into the file of its second.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def main() -> int:
    """Answer for one node."""
    planted, witness = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    asked = json.load(sys.stdin)
    with witness.open("a") as file:
        file.write(json.dumps({"asked": asked, "environment": dict(os.environ)}) + "\n")
    said = {place: f"it is {word}, and also {random}!" for place, (word, random) in planted.items()}
    number = int(asked["identity"].split(".")[0].rsplit("-", 1)[1])
    sys.stderr.write(said["stderr"])
    reply = answer(number, asked, planted, said)
    if isinstance(reply, str):
        sys.stdout.write(reply)
        return 0 if number == 3 else 7
    json.dump(reply, sys.stdout)
    return 0


def answer(number: int, asked: dict[str, Any], planted: dict[str, Any], said: dict[str, str]) -> dict[str, Any] | str:
    """A document, or what is none."""
    word, random = planted["configuration"]
    good = {
        "configuration": {
            "plugin.choria.server.provision": "false",
            "identity": asked["identity"],
            "plugin.security.provider": "choria",
            "plugin.site.password": word,
            "plugin.site.key": random,
        },
        "action_policies": {"site.policy": said["policy"]},
        "opa_policies": {"site.rego": said["policy"]},
        "server_claims": {"ou": planted["server_claims"][0], "pub_subjects": [f"{planted['server_claims'][1]}.>"]},
    }
    bad: dict[int, dict[str, Any] | str] = {
        2: "",
        3: f"<html>{said['ca_stdout']}</html>",
        4: {**good, "key": said["helper_key"]},
        5: {"defer": True, "msg": said["msg"]},
        6: {**good, "server_claims": {"ou": said["unusable_claims"], "collectives": [said["unusable_claims"]]}},
        7: {"configuration": {"a": {planted["wrong_type"][0]: said["wrong_type"]}}, "msg": said["msg"]},
        8: {**good, "configuration": {"plugin.x": f"{said['unsafe']}\nplugin.y = {said['unsafe']}"}},
        9: {"shutdown": True, "msg": said["msg"]},
    }
    if number == 2:
        sys.stderr.write(f"the CA refused: {said['ca_stderr']}\nenvironment: {os.environ}\n")
    return bad.get(number, good)


if __name__ == "__main__":
    sys.exit(main())
