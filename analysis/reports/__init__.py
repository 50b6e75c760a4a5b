"""The sections of the page, a folder or a module each; every one is a sub-command, too."""
