"""Which addresses a process and its descendants listen on, as Linux tells it."""

import ipaddress
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_LISTENING = "0A"


def listening(pid: int) -> set[tuple[str, str]]:
    """Command and IP address of each TCP socket that is listened on."""
    owners = {inode: command for process, command in _family(pid) for inode in _sockets(process)}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and fields[9] in owners:
                found.add((owners[fields[9]], _address(fields[1].partition(":")[0])))
    return found


def _family(pid: int) -> list[tuple[int, str]]:
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,comm="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    found = {pid: "driver"}
    while new := {
        int(child): command
        for child, parent, command in rows
        if int(parent) in found and int(child) not in found
    }:
        found |= new
    return list(found.items())


def _sockets(pid: int) -> Iterator[str]:
    try:
        files = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it has ended
        return
    for file in files:
        try:
            target = str(file.readlink())
        except OSError:  # closed since
            continue
        if target.startswith("socket:["):
            yield target[len("socket:[") : -1]


def _address(text: str) -> str:
    """From the kernel's words of four bytes, in the machine's order."""
    words = [bytes.fromhex(text[i : i + 8]) for i in range(0, len(text), 8)]
    ordered = [word[::-1] if sys.byteorder == "little" else word for word in words]
    address = ipaddress.ip_address(b"".join(ordered))
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
