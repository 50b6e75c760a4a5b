"""How results are sentences: reports, tables, sentences about differences."""
