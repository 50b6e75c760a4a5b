"""What things are called in a store of studies."""

from pathlib import Path

DEFAULT_STORE = Path("app-studies")
RECORD_FILE = "record.jsonl"
LOCK_FILE = ".lock"
