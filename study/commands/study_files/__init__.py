"""Commands that write study files, and what editors need to know of them."""
