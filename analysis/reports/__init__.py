"""Reports, one a file; a module put here is a sub-command and a section of the page."""
