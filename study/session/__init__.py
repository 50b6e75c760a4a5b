"""The work of one process on a study: record, tracker and terminal in step."""
