"""How each engine says what collections ask for."""
