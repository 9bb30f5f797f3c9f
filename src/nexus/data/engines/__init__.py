"""The engines: one folder for each kind of database."""
