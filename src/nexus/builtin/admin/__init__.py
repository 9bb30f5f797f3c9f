"""The built-in plugin `admin`: pages for people who run an application."""
