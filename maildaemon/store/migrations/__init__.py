"""The migrations: each step from one released schema to the next."""
