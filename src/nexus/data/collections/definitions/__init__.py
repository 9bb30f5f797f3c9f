"""How each engine makes, changes and describes the tables of collections."""
