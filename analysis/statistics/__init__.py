"""Pure statistics: numbers in, numbers out. SciPy is imported where it is used."""
