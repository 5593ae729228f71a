"""The other side of ``gh api``: answers from a folder, ``--jq`` by the real jq, every call recorded.

``$FAKE_GH/answers.json`` maps a path to its JSON answer; ``archive.zip`` is the artifact. Calls are appended
to ``calls.jsonl``, and a posted comment is found again by the next call, as on GitHub.
"""

import json
import os
import subprocess
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    folder = Path(os.environ["FAKE_GH"])
    method, path, query, body, jq = parse(arguments)
    with (folder / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps({"method": method, "path": path, "query": query, "body": body}) + "\n")
    if path.endswith("/zip"):
        sys.stdout.buffer.write((folder / "archive.zip").read_bytes())
        return 0
    answers = json.loads((folder / "answers.json").read_text())
    if method == "POST" and path.endswith("/comments"):
        stored = {"id": 77, "user": {"login": "github-actions[bot]"}, "body": body["body"]}
        answers[f"{path}?per_page=100"].append(stored)
        (folder / "answers.json").write_text(json.dumps(answers))
    if method != "GET":
        return 0
    text = json.dumps(answers[path])
    return subprocess.run(["jq", "-r", jq], input=text, text=True, check=False, timeout=30).returncode


def parse(arguments: list[str]) -> tuple[str, str, dict[str, str], object, str]:
    assert arguments.pop(0) == "api"
    method, path, query, body, jq = "", "", {}, None, "."
    while arguments:
        match arguments.pop(0):
            case "--method":
                method = arguments.pop(0)
            case "-f":
                name, _, value = arguments.pop(0).partition("=")
                query[name] = value
            case "--jq":
                jq = arguments.pop(0)
            case "--input":
                body = json.loads(Path(arguments.pop(0)).read_text())
            case "--paginate" | "--silent":
                pass
            case word:
                assert not word.startswith("-"), f"unknown option {word}"
                path = word
    return method or ("POST" if query or body else "GET"), path, query, body, jq


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
