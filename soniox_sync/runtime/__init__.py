"""Connections and what runs them: reader threads, the clock, delivery to the user."""
