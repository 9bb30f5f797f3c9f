"""Plugins that ship with the platform; `builtin` in nexus.yaml says which an application has."""
