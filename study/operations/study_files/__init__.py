"""Study files made from what lies in a folder."""
