"""One self-contained page, whose first words are the answer."""
