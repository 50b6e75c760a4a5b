"""yaml-language-server over its standard input and output, as an editor talks to it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SETTINGS = {
    "yaml": {
        "validate": True,
        "completion": True,
        "hover": True,
        # Nothing is fetched: the schema is the one that the file names.
        "schemaStore": {"enable": False},
        "kubernetesCRDStore": {"enable": False},
    }
}


class LanguageServer:
    """A running server; each call opens a new file in ``root``."""

    def __init__(self, process: "subprocess.Popen[bytes]", root: Path) -> None:
        self._process = process
        self._root = root
        self._num_files = 0
        self._next_id = 0
        self._published: dict[str, list[dict[str, Any]]] = {}
        folder = {"uri": root.as_uri(), "name": root.name}
        self._ask(
            "initialize",
            {
                "processId": None,
                "rootUri": root.as_uri(),
                "workspaceFolders": [folder],
                "capabilities": {
                    "textDocument": {"publishDiagnostics": {"relatedInformation": True}},
                    "workspace": {"configuration": True},
                },
            },
        )
        self._notify("initialized", {})
        self._notify("workspace/didChangeConfiguration", {"settings": _SETTINGS})

    def problems(self, text: str) -> list[tuple[int, str]]:
        """Line, counted from 0, and message of all that the server underlines in a file."""
        self._open(text)
        return [
            (problem["range"]["start"]["line"], problem["message"])
            for problem in self._published[self._uri]
        ]

    def completions(self, text: str) -> list[str]:
        """Labels that the server offers at ``|`` in a file."""
        found = self._ask("textDocument/completion", self._place(text))
        items = found["items"] if isinstance(found, dict) else found or []
        return [item["label"] for item in items]

    def hover(self, text: str) -> str:
        """What the server says of the word at ``|`` in a file."""
        found = self._ask("textDocument/hover", self._place(text))
        return str(found["contents"]["value"]) if found else ""

    def _place(self, text: str) -> dict[str, Any]:
        """Open the file, and the place of the ``|`` that is no part of it."""
        before, _, after = text.partition("|")
        self._open(before + after)
        position = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        return {"textDocument": {"uri": self._uri}, "position": position}

    def _open(self, text: str) -> None:
        """Open a new file and wait until it is checked."""
        self._num_files += 1
        document = {"uri": self._uri, "languageId": "yaml", "version": 1, "text": text}
        self._notify("textDocument/didOpen", {"textDocument": document})
        while self._uri not in self._published:
            self._handle(self._read())

    @property
    def _uri(self) -> str:
        return (self._root / f"study-{self._num_files}.yaml").as_uri()

    def _ask(self, method: str, params: object) -> Any:
        self._next_id += 1
        mine = self._next_id
        self._write({"id": mine, "method": method, "params": params})
        while True:
            message = self._read()
            if message.get("id") == mine and "method" not in message:
                assert "error" not in message, message
                return message["result"]
            self._handle(message)

    def _notify(self, method: str, params: object) -> None:
        self._write({"method": method, "params": params})

    def _handle(self, message: dict[str, Any]) -> None:
        """Answer what the server asks of an editor, and keep what it publishes."""
        method = message.get("method")
        if method == "textDocument/publishDiagnostics":
            self._published[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif method == "workspace/configuration":
            sections = [item.get("section") for item in message["params"]["items"]]
            answer = [_SETTINGS.get(section) for section in sections]
            self._write({"id": message["id"], "result": answer})
        elif "id" in message:
            self._write({"id": message["id"], "result": None})

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(content) + content)
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the server has ended"
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return message


@contextmanager
def language_server(program: str, root: Path) -> Iterator[LanguageServer]:
    """A server for the files below ``root``; it ends with the block."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([program, "--stdio"], **pipes) as process:
        try:
            yield LanguageServer(process, root)
        finally:
            process.kill()
