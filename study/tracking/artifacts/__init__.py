"""Files of a run: histories, tables, pictures."""
