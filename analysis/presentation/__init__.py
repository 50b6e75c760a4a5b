"""How results are said: reports, tables, sentences about differences."""
